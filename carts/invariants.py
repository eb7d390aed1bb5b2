"""What is always true of carts (docs/invariants.md)."""

from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Invariant, one_statement, register_invariants
from carts.models import Cart, CartStatus
from orders.models import Order


@one_statement
def find_orders_of_two_carts() -> QuerySet[Order, tuple[str, int]]:
    orders = Order.objects.order_by("pk").annotate(count=Count("cart")).filter(count__gt=1)
    return orders.values_list("order_number", "count")


@one_statement
def find_carts_without_their_order() -> QuerySet[Cart, tuple[UUID, str]]:
    is_ordered = Q(status=CartStatus.ORDERED)
    wrong = Q(is_ordered, order=None) | Q(~is_ordered, order__isnull=False)
    return Cart.objects.filter(wrong).order_by("pk").values_list("pk", "status")


INVARIANTS = (
    Invariant(
        "cart_one_order",
        "P13",
        _("An order is of one cart."),
        _("Order %(row)s is of %(stored)s carts."),
        find_orders_of_two_carts,
        tables=(Cart,),
    ),
    Invariant(
        "cart_ordered",
        "P13",
        _("A cart is ordered if, and only if, it has its order."),
        _("Cart %(row)s is %(stored)s, which contradicts whether it has an order."),
        find_carts_without_their_order,
        tables=(Cart,),
    ),
)

register_invariants(*INVARIANTS, reads=(Cart,))
