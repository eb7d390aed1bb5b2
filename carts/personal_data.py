"""What carts store about a buyer (artisans/core/personal_data.py)."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from artisans.core.personal_data import COLLECTORS, Holding, Person, register
from artisans.tax_ids.models import TaxId, TaxIdNotice
from artisans.tax_ids.personal_data import own_notices
from carts.models import Cart
from orders.models import Order


def carts_of(person: Person) -> Q:
    """Also carts of guests who entered the address but did not order."""
    own = Q(user=person.user_id) if person.user_id else Q()
    entered = Q(user=None, draft__email__in=person.addresses) & person.in_time("updated_at")
    found = Q(order__in=person.of("orders")) | entered
    return own | found if person.user_id else found


def find_carts(person: Person) -> Iterable[UUID]:
    return Cart.objects.filter(carts_of(person)).values_list("pk", flat=True)


def find_vat_ids(person: Person) -> Iterable[UUID]:
    """Those of the person's orders and carts, ordered or not, and those whose check they wait for."""
    orders = Order.objects.filter(pk__in=person.of("orders")).exclude(vat_id="").order_by()
    drafts = Cart.objects.filter(pk__in=person.of("carts")).values_list("draft__vat_id", flat=True)
    used = [*orders.values_list("vat_id", flat=True), *drafts]
    awaited = TaxIdNotice.objects.filter(own_notices(person)).values("tax_id")
    values = {value for value in used if isinstance(value, str)}
    return TaxId.objects.filter(Q(value__in=values) | Q(pk__in=awaited)).values_list("pk", flat=True)


HOLDINGS = (
    Holding(
        "carts.CartItem",
        "cart_items",
        lambda person: Q(cart__in=person.of("carts")),
        export=("cart_id", "product_id", "product__name", "quantity", "created_at"),
        is_deleted=True,
    ),
    Holding(
        "carts.Cart",
        "carts",
        lambda person: Q(pk__in=person.of("carts")),
        export=("id", "created_at", "status", "draft"),
        clear={"draft": lambda person, stored: {}},
    ),
)
IMPERSONAL = {
    "carts.Cart": {"token_hash", "status", "currency"},
    "carts.CartItem": {"seen_currency"},
}

register(*HOLDINGS, impersonal=IMPERSONAL)
COLLECTORS.update({"carts": find_carts, "vat_ids": find_vat_ids})
