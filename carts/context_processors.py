import re
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from artisans.regions.choice import chosen_country, currency_choice
from carts.cookies import page_principal
from carts.models import CartItem, CartStatus
from carts.selectors import carts_visible_to
from orders.countries import KNOWN
from orders.selectors import missing_answers, store_of_request


def shop(request: HttpRequest) -> dict[str, Any]:
    """Values for every page, computed only when a template uses them."""

    def count() -> int:
        if not hasattr(request, "user"):
            return 0
        carts = carts_visible_to(page_principal(request)).filter(status=CartStatus.OPEN)
        return CartItem.objects.filter(cart__in=carts).aggregate(units=Sum("quantity"))["units"] or 0

    store = SimpleLazyObject(lambda: store_of_request(request))

    def choice() -> tuple[str, list[str]]:
        return currency_choice(request, base=store.currency)

    def country() -> str:
        return chosen_country(request) or store.country

    has_token = re.match(settings.SIGNED_LINK_PATHS, request.path) is not None

    return {
        "return_to": request.get_full_path() if request.method == "GET" and not has_token else "",
        "deliver_to": SimpleLazyObject(country),
        "deliver_to_name": SimpleLazyObject(lambda: KNOWN.get(country(), country())),
        "currency": SimpleLazyObject(lambda: choice()[0]),
        "currencies": SimpleLazyObject(lambda: choice()[1]),
        "cart_count": SimpleLazyObject(count),
        "store": store,
        "missing_answers": SimpleLazyObject(lambda: missing_answers(request)),
        "is_demo": settings.DEMO,
    }
