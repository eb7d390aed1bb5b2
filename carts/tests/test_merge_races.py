"""Signing in while another request merges or orders a cart, with real transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from artisans.accounts.principals import Principal
from artisans.accounts.tests.factories import PASSWORD
from artisans.journeys.models import Journey
from carts.models import Cart, CartStatus
from carts.services import cart_merge
from tests.checkout_client import CheckoutClient
from tests.locks import wait_until_blocked_by_us

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


@contextmanager
def signing_in(client: Client, user, answers: list[HttpResponse]) -> Iterator[None]:
    """In a transaction that has locked a cart: sign in meanwhile, up to where that request waits for it."""

    def sign_in() -> None:
        try:
            form = {"login": user.email, "password": PASSWORD}
            answers.append(client.post(reverse("account_login"), form))
        finally:
            connection.close()

    thread = Thread(target=sign_in)
    with transaction.atomic():
        yield
        thread.start()
        wait_until_blocked_by_us()
    thread.join()


@pytest.fixture
def guest_walk(browser, bowl) -> CheckoutClient:
    walk = CheckoutClient(browser())
    walk.add(bowl, 2)
    return walk


def content(cart: Cart) -> dict[str, int]:
    return dict(cart.items.values_list("product__name", "quantity"))


def test_second_of_two_sign_ins_finds_nothing_to_merge(guest_walk, shopper):
    guest_cart, answers = Cart.objects.get(), []
    guest = Principal(cart_hash=guest_cart.token_hash)

    with signing_in(guest_walk.client, shopper, answers):
        cart_merge(guest=guest, user=shopper)

    assert answers[0].status_code == 302
    assert "_auth_user_id" in guest_walk.client.session
    assert content(Cart.objects.get(user=shopper)) == {"Moss bowl": 2}


def test_sign_in_while_the_guest_orders_merges_nothing(guest_walk, shopper, bowl):
    form = guest_walk.fill_checkout("bank_transfer")
    other = Client()
    other.cookies.load({name: morsel.value for name, morsel in guest_walk.client.cookies.items()})
    guest_cart, answers = Cart.objects.get(), []

    with signing_in(other, shopper, answers):
        guest_walk.press(form)

    assert answers[0].status_code == 302
    assert not Cart.objects.filter(user=shopper).exists()
    assert Journey.objects.get().cart_id == guest_cart.pk


def test_sign_in_while_the_users_own_cart_is_ordered_merges_into_a_new_one(
    guest_walk, browser, shopper, scarf
):
    own = CheckoutClient(browser(shopper))
    form = own.fill_checkout("bank_transfer", scarf)
    answers: list[HttpResponse] = []

    with signing_in(guest_walk.client, shopper, answers):
        own.press(form)

    assert answers[0].status_code == 302
    assert content(Cart.objects.get(user=shopper, status=CartStatus.OPEN)) == {"Moss bowl": 2}
    assert content(Cart.objects.get(user=shopper, status=CartStatus.ORDERED)) == {"Tide scarf": 1}
