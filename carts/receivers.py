from typing import Any

from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.accounts.principals import Principal
from artisans.journeys.services import journeys_merge
from artisans.regions.currencies import offered_currencies
from carts.cookies import cookie_hash
from carts.models import Cart, CartStatus
from carts.services import cart_merge
from orders.models import StoreRules


@receiver(user_logged_in)
def merge_guest_cart(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    if request is None or not (guest := cookie_hash(request)):
        return
    merged = cart_merge(guest=Principal(cart_hash=guest), user=user)
    if merged is None:
        return
    journeys_merge(guest_cart_id=merged.guest_cart.pk, cart_id=merged.cart.pk)
    if merged.found:
        text = _(
            "Your cart also has what you saved in it when you were last signed in: %(products)s. Check the items "
            "before you order."
        )
        messages.info(request, text % {"products": ", ".join(merged.found)}, fail_silently=True)


@receiver(post_save, sender=StoreRules)
def follow_store_currency(sender: Any, instance: StoreRules, **kwargs: Any) -> None:
    """Open carts are in a currency that the shop sells in; items without a price in it become problems of the cart."""
    offered = offered_currencies(instance.currency)
    Cart.objects.filter(status=CartStatus.OPEN).exclude(currency__in=offered).update(
        currency=instance.currency
    )
