"""Who sends a request, as one text: keys and limits of different people never mix."""

from django.http import HttpRequest

from artisans.core.security.client_ip import network_hash
from artisans.core.security.tokens import hash_secret, read_order_token

NOBODY = "network:"


def principal_text(request: HttpRequest) -> str:
    """ "user:<id>", else what a guest holds: "order:<id>-<version>", "cart:<hash>", else "network:<hash>".

    An order's link counts only when it was made here, so that made-up ones are not so many principals.
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
    """Whether the text names somebody, and not only a network."""
    return not principal.startswith(NOBODY)
