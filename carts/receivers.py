from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from artisans.accounts.models import User
from artisans.accounts.principals import Principal
from artisans.core.security.tokens import hash_secret
from carts.services import cart_merge


@receiver(user_logged_in)
def merge_guest_cart(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    token = request.COOKIES.get(settings.CART_COOKIE, "") if request is not None else ""
    if token:
        cart_merge(guest=Principal(cart_hash=hash_secret(token)), user=user)
