"""The sender of a request as a string, used to separate idempotency keys and rate limits."""

from django.http import HttpRequest

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
