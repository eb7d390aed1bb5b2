"""Shared by all pages behind an order's link."""

from django.http import Http404
from django.utils.translation import gettext as _

from artisans.accounts.principals import Principal
from artisans.core.errors import LinkRevoked
from artisans.core.security.tokens import read_order_token
from orders.models import Order
from orders.selectors import orders_visible_to


def order_of(token: str) -> Order:
    """Errors: Http404 for a link with an invalid signature, LinkRevoked for a revoked one."""
    link = read_order_token(token)
    if link is None:
        raise Http404
    order = orders_visible_to(Principal(order_link=link)).first()
    if order is None:
        raise LinkRevoked(_("This link was replaced by a newer one."))
    return order
