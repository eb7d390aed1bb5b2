"""The sender of a request as a string, used to separate idempotency keys and rate limits."""

import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from artisans.core.security.client_ip import network_hash
from artisans.core.security.tokens import hash_secret, read_order_token

NOBODY = "network:"


def principal_text(request: HttpRequest) -> str:
    """The principal as "user:<id>", or a guest's "order:<id>-<version>" or "cart:<hash>", or "network:<hash>".

    Only order links with a valid signature count, so that forged ones do not create new principals.
    """
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    if link := read_order_token(request.headers.get("X-Order-Token", "")):
        order_id, version = link
        return f"order:{order_id}-{version}"
    if token := request.headers.get("X-Cart-Token"):
        return f"cart:{hash_secret(token)}"
    return f"{NOBODY}{network_hash(request)}"


def is_known(principal: str) -> bool:
    """Whether the principal is more specific than a network."""
    return not principal.startswith(NOBODY)


def principal_kind(request: HttpRequest) -> str:
    """For logs: "staff", "user", "order_link", "guest" or "anonymous", without a query or a check of signatures."""
    user: Any = vars(request).get("_cached_user") or vars(request).get("user")
    if not isinstance(user, SimpleLazyObject) and getattr(user, "is_authenticated", False):
        return "staff" if user.is_staff else "user"
    if "X-Order-Token" in request.headers or is_signed_link(request):
        return "order_link"
    if "X-Cart-Token" in request.headers or settings.CART_COOKIE in request.COOKIES:
        return "guest"
    return "anonymous"


def is_signed_link(request: HttpRequest) -> bool:
    has_values = request.resolver_match is not None and bool(request.resolver_match.kwargs)
    return has_values and re.match(settings.SIGNED_LINK_PATHS, request.path) is not None
