"""The cart cookie: a guest's cart token is kept by the browser and outlives the session."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from artisans.accounts.principals import Principal
from artisans.core.security.tokens import hash_secret

A_YEAR = 365 * 24 * 3600


def page_principal(request: HttpRequest) -> Principal:
    return Principal.from_page(request, cart_token=request.COOKIES.get(settings.CART_COOKIE, ""))


def cookie_hash(request: HttpRequest) -> str:
    """The hash of the browser's cart token; empty without one. It outlives signing in."""
    token = request.COOKIES.get(settings.CART_COOKIE, "")
    return hash_secret(token) if token else ""


def keep_token(response: HttpResponse, token: str) -> None:
    if token:
        response.set_cookie(
            settings.CART_COOKIE, token, max_age=A_YEAR, httponly=True, samesite="Lax", secure=settings.HTTPS
        )
