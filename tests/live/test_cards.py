"""Card payments in Chromium with the sandbox as a separate process; its journal shows what was charged."""

from collections.abc import Iterator

import pytest
from django.db.models import F
from playwright.sync_api import expect

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from orders.models import Order
from orders.tests.factories import store_of
from payments.models import Payment
from sandbox.tests.client import client
from tests.live.browser import IMPATIENT
from tests.live.conftest import empty_database
from tests.live.runner import Sandbox, Shop, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]

VISA, DECLINED, THREE_D = "4242424242424242", "4000000000009995", "4000002760003184"


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
    """How many captures happened since the test began."""
    before = len(sandbox.captured())
    return lambda: len(sandbox.captured()) - before


def is_paid(order: Order) -> bool:
    return Order.objects.get(pk=order.pk).payment_status == "PAID"


def test_a_guest_pays_by_card(window, bowl, charged, sandbox):
    one = window()
    order = one.order_by_card(bowl, email="card@example.test")
    assert one.violations() == []

    one.type_card(VISA)

    one.page.wait_for_url(f"**{order.access_token}/")
    assert one.heading() == "Thank you for your order"
    assert (is_paid(order), charged()) == (True, 1)
    assert one.violations() == []
    [charge] = client(sandbox.url).v1.charges.list({"limit": 1}).data
    assert charge.billing_details.email == "card@example.test"
    assert charge.billing_details.name == charge.shipping.name


def test_without_scripts_on_the_providers_page(window, bowl, charged):
    one = window(java_script_enabled=False)
    order = one.order_by_card(bowl, email="noscript@example.test")
    one.press("Continue to pay")

    one.page.wait_for_url(lambda url: not url.startswith(one.url))
    one.page.locator("button").first.click()

    one.page.wait_for_url(f"{one.url}/**")
    assert one.heading() == "Thank you for your order"
    assert (is_paid(order), charged()) == (True, 1)


@pytest.mark.parametrize(
    ("fault", "path"),
    [("drop_before", "/v3/"), ("truncate", "/v3/"), ("delay", "/v3/"), ("delay", "/v3/element")],
    ids=["blocked", "half loaded", "slow", "frame without an answer"],
)
def test_card_form_that_does_not_load_gives_way_to_the_providers_page(
    window, bowl, charged, sandbox, fault, path
):
    one = window()
    one.page.add_init_script(IMPATIENT)
    sandbox.fault(fault, path=path, count=None, seconds=25)
    order = one.order_by_card(bowl, email="slow@example.test")
    expect(one.page.locator("#card-late")).to_be_visible()
    assert (one.page.locator("#card-form").count(), one.violations(), one.overflow()) == (0, [], "")
    sandbox.delete("faults")

    one.press("Continue to pay")
    one.page.wait_for_url(lambda url: not url.startswith(one.url))
    one.page.locator("button").first.click()

    one.page.wait_for_url(f"{one.url}/**")
    assert (one.heading(), is_paid(order), charged()) == ("Thank you for your order", True, 1)


def test_form_says_that_it_loads_until_it_can_be_used(window, bowl):
    one, held = window(), []
    one.order_by_card(bowl, email="loading@example.test")

    def hold(route):
        held.append(route)

    one.page.route("**/v3/", hold)  # the provider's script
    with one.page.expect_request("**/v3/"):
        one.page.reload(wait_until="commit")
    expect(one.page.locator("#card-loading")).to_be_visible()
    expect(one.page.locator("#card-pay")).to_be_hidden()

    [route] = held
    route.continue_()

    expect(one.page.locator("#card-pay")).to_be_visible()
    expect(one.page.locator("#card-loading")).to_be_hidden()


@pytest.mark.parametrize("passed", [True, False])
def test_three_d_secure_in_a_window_of_the_bank(window, bowl, charged, passed):
    one = window()
    order = one.order_by_card(bowl, email=f"bank.{passed}@example.test".lower())
    one.type_card(THREE_D)
    bank = one.page.frame_locator("dialog iframe, iframe[title*='3']").last
    bank.get_by_role("button", name="Complete" if passed else "Fail").click()

    if passed:
        one.page.wait_for_url(f"**{order.access_token}/")
        assert is_paid(order)
    else:
        expect(one.page.locator(".notice.bad")).to_contain_text("could not confirm your identity")
    assert charged() == int(passed)


def test_declined_card_then_another_on_the_same_order(window, bowl, charged):
    one = window()
    order = one.order_by_card(bowl, email="declined@example.test")
    one.type_card(DECLINED)
    expect(one.page.locator(".notice.bad")).to_contain_text("insufficient funds")
    assert one.violations() == []
    assert (charged(), is_paid(order)) == (0, False)

    one.type_card(VISA)

    one.page.wait_for_url(f"**{order.access_token}/")
    assert (is_paid(order), charged(), order.payments.count()) == (True, 1, 1)


def test_declined_card_then_a_transfer_keeps_the_order(window, bowl, charged, sandbox):
    one = window()
    order = one.order_by_card(bowl, email="turned@example.test")
    one.type_card(DECLINED)
    expect(one.page.locator(".notice.bad")).to_be_visible()

    one.follow("Pay another way")
    one.page.get_by_label("Bank transfer").check()
    one.press("Pay")

    expect(one.page.locator("h2").first).to_contain_text("We are waiting for your transfer")
    first, second = order.payments.order_by("created_at")
    assert (first.status, second.status, charged()) == ("CANCELLED", "PENDING", 0)
    assert sandbox.journal("intent.canceled", id=first.provider_payment_id)


def test_card_form_of_another_tab_says_that_the_method_was_changed(window, bowl, charged):
    one, other = window(), window()
    order = one.order_by_card(bowl, email="tabs@example.test")
    one.wait_for_card_form()
    other.go(f"/shop/orders/{order.access_token}/pay/")
    other.page.get_by_label("Bank transfer").check()
    other.press("Pay")
    expect(other.page.locator("h2").first).to_contain_text("We are waiting for your transfer")

    one.type_card(VISA)

    expect(one.page.locator(".messages")).to_contain_text("This attempt was not charged.")
    assert (charged(), is_paid(order)) == (0, False)


def test_back_after_paying_shows_the_order(window, bowl, charged):
    one = window()
    order = one.order_by_card(bowl, email="back@example.test")
    one.type_card(VISA)
    one.page.wait_for_url(f"**{order.access_token}/")

    for _ in range(3):
        one.page.go_back()
        one.page.wait_for_load_state()
    one.go(f"/shop/orders/{order.access_token}/card/")

    assert one.page.url.endswith(f"{order.access_token}/")
    assert (charged(), Order.objects.filter(email=order.email).count()) == (1, 1)


def test_page_reports_an_outage_and_then_shows_the_outcome(window, bowl, charged, sandbox):
    one = window()
    order = one.order_by_card(bowl, email="silence@example.test")
    one.wait_for_card_form()
    sandbox.post("webhooks", mode="drop")
    sandbox.fault("drop_before", method="GET", path="/v1/payment_intents/*", count=None)
    try:
        one.type_card(VISA)
        expect(one.page.locator("h2").first).to_contain_text("We are checking your payment")
        assert "Do not pay again" in one.text()
    finally:
        sandbox.delete("faults")
        sandbox.post("webhooks", mode="on")

    expect(one.page.locator("h1")).to_have_text("Thank you for your order")
    assert (is_paid(order), charged()) == (True, 1)


def test_payment_of_a_closed_browser_is_settled_by_webhook_or_periodic_task(window, bowl, charged, sandbox):
    one = window()
    order = one.order_by_card(bowl, email="lost@example.test")
    payment = Payment.objects.get(order=order)
    one.page.context.set_offline(True)

    sandbox.post("stripe/pay", payment_intent=payment.provider_payment_id, payment_method="pm_card_visa")
    Payment.objects.filter(pk=payment.pk).update(next_check_at=F("created_at"))

    wait_for(lambda: is_paid(order))
    assert charged() == 1
