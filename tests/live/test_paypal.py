"""PayPal in Chromium, with and without scripts: there, back, and everything that can happen on the way."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from orders.models import Order
from orders.tests.factories import store_of
from tests.checkout_client import order_at
from tests.live.conftest import empty_database
from tests.live.runner import Sandbox, Shop, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox) -> Iterator[Shop]:
    empty_database()
    store_of()
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000") as shop:
        sandbox.tell(shop)
        shop.start()
        yield shop


@pytest.fixture(scope="module")
def bowl(shop) -> Product:
    return ProductFactory.create(name="Moss bowl", stock=500)


@pytest.fixture
def charged(sandbox):
    before = len(sandbox.captured())
    return lambda: len(sandbox.captured()) - before


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def at_paypal(request, window, bowl, sandbox):
    """A window that has just arrived at PayPal from the check page, with scripts or without."""
    one = window(java_script_enabled=request.param)
    email = f"{request.node.originalname[:50]}.{request.param}@example.test".lower()
    one.fill_checkout(bowl, method="PayPal", email=email).click()
    one.page.wait_for_url(f"{sandbox.url}/**")
    expect(one.page.locator("body")).to_contain_text("99.99 USD")
    return one, Order.objects.get(email=email)


def choose(one, buyer: str) -> None:
    one.page.get_by_role("radio", name=buyer).check()
    one.page.get_by_role("button", name=re.compile("^Pay ")).click()


def thanked(one) -> None:
    """At once, or after the page has polled: the worker may be capturing when the buyer returns."""
    expect(one.page.locator("h1")).to_have_text("Thank you for your order")


def test_buyer_approves_and_the_order_is_paid(at_paypal, charged):
    one, order = at_paypal

    one.page.get_by_role("button", name=re.compile("^Pay ")).click()

    one.page.wait_for_url(f"**{order.access_token}/")
    thanked(one)
    assert (Order.objects.get(pk=order.pk).payment_status, charged()) == ("PAID", 1)
    one.page.reload()
    one.go(f"/shop/orders/{order.access_token}/return/")
    assert (one.heading(), charged()) == ("Thank you for your order", 1)


def test_buyer_cancels_at_paypal_and_pays_with_another_method(at_paypal, charged):
    one, order = at_paypal

    one.page.get_by_role("button", name=re.compile("Cancel")).click()

    expect(one.page.locator("body")).to_contain_text("You returned without paying.")
    one.page.get_by_label("Bank transfer").check()
    one.press(re.compile("^Pay"))
    expect(one.page.locator("h2").first).to_contain_text("We are waiting for your transfer")
    assert (charged(), order_at(one.page.url)) == (0, order)


def test_declined_wallet_is_reported_and_another_one_pays(at_paypal, charged):
    one, order = at_paypal
    choose(one, re.compile("Dana Declined"))
    one.page.wait_for_url(f"**{order.access_token}/")
    assert one.heading() == f"Order {order.order_number}"
    expect(one.page.locator("main")).to_contain_text("Your payment did not go through")  # as thanked()

    one.press("Try again with PayPal")
    one.page.get_by_role("button", name=re.compile("^Pay ")).click()

    one.page.wait_for_url(f"**{order.access_token}/")
    thanked(one)
    assert charged() == 1


def test_payment_of_a_buyer_who_does_not_return_is_captured_by_the_webhook(at_paypal, charged, sandbox):
    one, order = at_paypal
    one.page.context.set_offline(True)

    sandbox.post("paypal/approve", order=order.payments.get().provider_payment_id)

    wait_for(lambda: Order.objects.get(pk=order.pk).payment_status == "PAID")
    assert charged() == 1
