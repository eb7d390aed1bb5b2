"""Users of these tests: buyers, staff and visitors, with their requests."""

import re
from typing import Any
from uuid import UUID

import requests
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from django.utils.crypto import get_random_string

from artisans.accounts.models import Role, User
from artisans.accounts.second_factor import has_second_factor
from artisans.accounts.tests.factories import UserFactory
from artisans.accounts.tests.sign_in import sign_in, token_of
from artisans.catalog.models import Product
from artisans.core.security.tokens import order_token
from carts.models import Cart, CartItem
from carts.services import new_item
from orders.models import Order
from orders.tests.factories import ADDRESS
from tests.live.runner import Answer


def session_of(user: User) -> str:
    """The session cookie of a signed-in user, valid for the whole run."""
    give_second_factor(user)
    client = Client()
    sign_in(client, user, minutes_ago=-24 * 60)
    return client.cookies["session"].value


def give_second_factor(user: User) -> None:
    """These shops run as in production, where staff have one."""
    if user.is_staff and not has_second_factor(user):
        row = Authenticator(user=user, type=Authenticator.Type.TOTP, data={"secret": ""})
        Authenticator.objects.bulk_create([row])  # without the mail, and without the end of tokens


def bearer_of(user: User) -> str:
    """A token with every scope that the role allows."""
    give_second_factor(user)
    return token_of(user)


class Visitor:
    """A visitor of the pages, signed in when a user is given."""

    def __init__(self, url: str, user: User | None = None) -> None:
        self.url, self.http = url, requests.Session()
        self.http.trust_env = False
        self.http.headers["Connection"] = "close"  # a server ends idle connections, also just now
        secret = get_random_string(32)
        self.http.cookies.set("csrf", secret)
        self.http.headers["X-CSRFToken"] = secret
        if user is not None:
            self.http.cookies.set("session", session_of(user))

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.url + path, timeout=60)

    def post(self, path: str, data: dict[str, Any]) -> requests.Response:
        """Does not follow redirects: 302 means success, 200 shows the form again."""
        return self.http.post(self.url + path, data, timeout=60, allow_redirects=False)


def review_form(visitor: Visitor) -> dict[str, str]:
    """The hidden fields of the review page, which say what the buyer was shown."""
    page = visitor.get("/shop/checkout/check/").text
    names = ("cart", "quote", "fingerprint")
    fields = {name: re.search(rf'name="{name}" value="([^"]+)"', page) for name in names}
    return {name: field[1] for name, field in fields.items() if field}


def money_staff() -> User:
    """Staff who record and return money and cancel orders."""
    user = UserFactory.create(role=Role.STAFF)
    user.groups.set(Group.objects.filter(name__endswith=" team"))
    return user


def order_body(*lines: tuple[Product, int], method: str = "bank_transfer", **more: Any) -> dict[str, Any]:
    """An order in one call."""
    items = [{"product_id": str(product.pk), "quantity": quantity} for product, quantity in lines]
    return {"order_items": items} | checkout_body(method, **more)


def checkout_body(method: str = "bank_transfer", **more: Any) -> dict[str, Any]:
    return {"shipping_address": ADDRESS | {"phone": ""}, "payment_method": method, **more}


def filled_cart(user: User, *lines: tuple[Product, int]) -> Cart:
    cart = Cart.objects.create(user=user, currency="USD")
    CartItem.objects.bulk_create(new_item(cart, product, quantity) for product, quantity in lines)
    return cart


def order_in(answer: Answer) -> Order:
    """The order of an answer to a checkout, read from the database."""
    assert answer.is_good, answer
    return Order.objects.get(pk=UUID((answer.body.get("order") or answer.body)["id"]))


def order_page(order: Order) -> str:
    return f"/shop/orders/{order_token(order.pk, order.token_version)}/"


def receipt_path(order: Order) -> str:
    return f"/admin/payments/payment/{order.payments.get().pk}/record/"


def receipt_form(order: Order) -> dict[str, str]:
    """The form data of staff who record the full amount."""
    today = timezone.localdate().isoformat()
    return {
        "amount": order.total.amount,
        "value_date": today,
        "bank_reference": f"TX {order.order_number}",
        "seen": "0",
    }
