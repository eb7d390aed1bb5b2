from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from artisans.core.retention import Retention
from carts.models import Cart, CartItem, CartStatus


def abandoned_carts(time: datetime) -> QuerySet[Cart]:
    """Carts that did not become an order, and that nobody has changed since then."""
    changed = CartItem.objects.filter(cart=OuterRef("pk"), updated_at__gte=time)
    rest = Cart.objects.exclude(status=CartStatus.ORDERED)
    return rest.filter(~Exists(changed), created_at__lt=time, updated_at__lt=time)


def ordered_items(time: datetime) -> QuerySet[CartItem]:
    """The order has its own copies."""
    ordered = Cart.objects.filter(pk=OuterRef("cart"), status=CartStatus.ORDERED)
    return CartItem.objects.filter(Exists(ordered), created_at__lt=time)


CART_RULES = (
    Retention("guest_carts", lambda before: abandoned_carts(before).filter(user=None), minimum_days=1),
    Retention("account_carts", lambda before: abandoned_carts(before).exclude(user=None), minimum_days=1),
    Retention("ordered_cart_items", ordered_items, minimum_days=1, is_personal=False),
)
