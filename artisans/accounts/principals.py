"""The caller: a signed-in user, a guest with a cart token, or the holder of an order link."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from rest_framework.request import Request

from artisans.accounts.models import STAFF_SCOPES, AuthToken, User
from artisans.core.security.tokens import hash_secret, read_order_token


@dataclass(frozen=True, slots=True)
class Principal:
    """Anonymous by default; empty fields match no row.

    `has_staff_token`: the token has the staff scope, so that what the user may see as staff is included.
    """

    user: User | None = None
    cart_hash: str = ""
    order_link: tuple[UUID, int] | None = None
    has_staff_token: bool = False

    @classmethod
    def from_api(cls, request: Request) -> Self:
        user, token = (request.user, request.auth) if request.user.is_authenticated else (None, None)
        cart_token = request.headers.get("X-Cart-Token", "")
        order_token = request.headers.get("X-Order-Token", "")
        return cls(
            user=user,
            cart_hash=hash_secret(cart_token) if cart_token else "",
            order_link=read_order_token(order_token) if order_token else None,
            has_staff_token=isinstance(token, AuthToken) and not STAFF_SCOPES.isdisjoint(token.scopes),
        )

    @classmethod
    def from_page(cls, request: HttpRequest, *, cart_token: str = "") -> Self:
        user = request.user if request.user.is_authenticated else None
        return cls(user=user, cart_hash=hash_secret(cart_token) if cart_token else "")


def require_user(request: Request | HttpRequest) -> User:
    """The user of a request that requires one. Errors: PermissionDenied."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
