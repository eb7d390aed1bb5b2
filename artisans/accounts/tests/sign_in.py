"""Signed-in sessions and clients, made without going through the sign-in page."""

import time
from types import SimpleNamespace

from allauth.account.internal.flows.login import record_authentication
from django.test import Client
from rest_framework.test import APIClient

from artisans.accounts.middleware import LAST_SEEN_KEY
from artisans.accounts.models import AuthToken, User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def sign_in(client: Client, user: User, *, minutes_ago: int = 0) -> None:
    """Sign in by password as if `minutes_ago`, with activity just now."""
    client.force_login(user, backend=BACKEND)
    session = client.session
    record_authentication(SimpleNamespace(session=session), user, method="password")
    session["account_authentication_methods"][-1]["at"] -= 60 * minutes_ago
    session[LAST_SEEN_KEY] = int(time.time())
    session.save()


def token_of(user: User) -> str:
    """A bearer token with every scope that the role allows."""
    return str(AuthToken.objects.create(user=user, granted=" ".join(user.scopes))[1])


def api_client(user: User | None = None, *, cart: str = "", order: str = "") -> APIClient:
    """`api_client(user)` sends a real bearer token; without a user, a guest; `cart` and `order` are link tokens."""
    made = APIClient()
    headers = {"HTTP_X_CART_TOKEN": cart, "HTTP_X_ORDER_TOKEN": order}
    if user is not None:
        headers["HTTP_AUTHORIZATION"] = f"Bearer {token_of(user)}"
    made.credentials(**{name: value for name, value in headers.items() if value})
    return made


def browser_client(user: User | None = None) -> Client:
    """A browser without JavaScript, signed in just now when a user is given."""
    made = Client()
    if user is not None:
        sign_in(made, user)
    return made
