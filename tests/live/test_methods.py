"""Saved cards with real processes: many at once, and the page in Chromium; checked against the sandbox's journal."""

import re
from collections.abc import Iterator
from functools import partial

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from artisans.accounts.models import User
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from payments.bookkeeping.saved_methods import method_store
from payments.methods import PaymentMethod
from payments.models import CallState, Payment, PaymentMethodInfo, ProviderCall, ProviderCustomer
from payments.providers.contract import RemoteMethod
from tests.checkout_client import DETAILS_FORM
from tests.live.browser import Window
from tests.live.runner import Caller, Sandbox, Shop, together, wait_for
from tests.live.users import order_body

pytestmark = pytest.mark.usefixtures("postgres_only", "clean_database")

PATH = "/payments/methods"
VISA_TOKEN = "pm_card_visa"
LIST = "/shop/account/cards/"
VISA, DECLINED, THREE_D = "4242424242424242", "4000000000000002", "4000002760003184"


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox) -> Iterator[Shop]:
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000") as shop:
        sandbox.tell(shop)
        shop.start()
        yield shop


@pytest.fixture
def user(clean_database) -> User:
    return UserFactory.create()


def keep(user: User, count: int) -> list[PaymentMethodInfo]:
    """Create only our rows; they do not exist at the provider."""
    cards = [
        RemoteMethod(f"pm_{n}_{user.pk}", f"cus_{user.pk}", "card", "visa", f"{n:04}", 12, 2034)
        for n in range(count)
    ]
    return [
        method_store(user_id=user.pk, provider="stripe", remote=card, consented_at=timezone.now())
        for card in cards
    ]


def defaults(user: User) -> int:
    return PaymentMethodInfo.objects.filter(user=user, is_default=True, is_active=True).count()


def body(token: str = VISA_TOKEN) -> dict[str, str]:
    return {"provider": "stripe", "provider_method_id": token}


# ---- many at once ---------------------------------------------------------------------------------------------------


@pytest.mark.pg
def test_twenty_concurrent_default_changes_leave_exactly_one(caller, user):
    methods = keep(user, 20)
    callers: list[Caller] = [caller(user) for _ in methods]
    change = {"is_default": True}

    answers = together(
        [
            partial(one.call, "PUT", f"{PATH}/{method.pk}", change)
            for one, method in zip(callers, methods, strict=True)
        ]
    )

    assert {answer.status for answer in answers} == {200}
    assert defaults(user) == 1
    listed = callers[0].call("GET", PATH).body["results"]
    assert [row["is_default"] for row in listed] == [True] + [False] * 19


@pytest.mark.pg
def test_removing_and_choosing_at_once_leaves_one_default_among_the_rest(caller, user):
    methods = keep(user, 10)
    callers = [caller(user) for _ in methods]
    choose = [
        partial(callers[n].call, "PUT", f"{PATH}/{methods[n].pk}", {"is_default": True}) for n in range(5, 10)
    ]
    remove = [partial(callers[n].call, "DELETE", f"{PATH}/{methods[n].pk}") for n in range(5)]

    answers = together(choose + remove)

    assert {answer.status for answer in answers} == {200, 204}
    assert (defaults(user), PaymentMethodInfo.objects.filter(user=user, is_active=True).count()) == (1, 5)


@pytest.mark.pg
def test_first_cards_saved_at_once_belong_to_one_customer(caller, user, sandbox):
    tokens = [f"pm_card_{name}" for name in ("visa", "amex", "mastercard", "discover", "jcb")]
    before = len(sandbox.journal("customer.created"))

    answers = together([partial(caller(user).post, PATH, body(token)) for token in tokens])

    assert {answer.status for answer in answers} <= {201, 503}
    wait_for(lambda: not ProviderCall.objects.filter(state=CallState.OPEN).exists())
    assert PaymentMethodInfo.objects.filter(user=user, is_active=True).count() == 5
    assert (defaults(user), len(sandbox.journal("customer.created")) - before) == (1, 1)
    customer = ProviderCustomer.objects.get(user=user).customer_id
    assert len(sandbox.journal("payment_method.attached", customer=customer)) == 5


@pytest.mark.pg
def test_removing_a_card_during_its_payment_ends_paid_or_refused(caller, user, sandbox):
    bowl = ProductFactory.create(stock=50)
    for _ in range(6):
        me = caller(user)
        method = me.post(PATH, body()).body["id"]
        payment = me.post("/orders/", order_body((bowl, 1), method=PaymentMethod.CREDIT_CARD)).body["payment"]
        confirm = {"payment_intent_id": payment["id"], "payment_method_id": method}

        paid, removed = together(
            [
                partial(caller(user).post, "/payments/confirm", confirm),
                partial(caller(user).call, "DELETE", f"{PATH}/{method}"),
            ]
        )

        assert removed.status in {204, 409}, removed
        row = Payment.objects.get(pk=payment["id"])
        captured = len(sandbox.journal("charge.captured", payment_intent=row.provider_payment_id))
        assert (paid.status, row.status, captured) in {
            (200, "COMPLETED", 1),
            (404, "PENDING", 0),
            (409, "PENDING", 0),
        }, paid


# ---- in the browser -------------------------------------------------------------------------------------------------


def add(window, user: User, **options):
    one = window(user, **options).go(LIST)
    assert (one.violations(), one.overflow()) == ([], "")
    one.press("Agree and add a card")
    one.page.wait_for_url("**/cards/add/*/")
    return one


def cards(user: User) -> list[str]:
    return list(
        PaymentMethodInfo.objects.filter(user=user, is_active=True).values_list("card_last_four", flat=True)
    )


@pytest.mark.browser
def test_card_is_added_made_default_and_removed(window, user, sandbox):
    before = len(sandbox.journal("payment_method.attached"))
    for digits, number in (("4242", VISA), ("4444", "5555555555554444")):
        one = add(window, user)
        one.page.locator("#card-element iframe").wait_for()
        assert one.violations() == []
        one.type_card(number, button="card-save")
        one.page.wait_for_url(f"{one.url}{LIST}")
        assert f"ending in {digits} was saved. Nothing was charged." in one.text()
    assert one.violations() == []

    one.press("Make default")
    expect(one.page.locator(".methods li").first).to_contain_text("4444")
    one.follow("Remove Mastercard")
    assert one.violations() == []
    one.press("Remove")

    expect(one.page.locator(".methods li")).to_have_count(1)
    assert cards(user) == ["4242"]
    assert len(sandbox.journal("payment_method.attached")) - before == 2
    gone = PaymentMethodInfo.objects.get(user=user, is_active=False)
    assert sandbox.journal("payment_method.detached", id=gone.provider_method_id)


@pytest.mark.browser
def test_card_saved_while_paying_pays_the_next_order_with_its_button(window, user, sandbox):
    bowl, one, before = ProductFactory.create(stock=9), window(user), len(sandbox.captured())
    one.order_by_card(bowl)
    box = one.page.locator("#card-remember")
    assert (one.violations(), one.overflow()) == ([], "")
    sandbox.fault("delay", method="POST", path="/v1/payment_intents/*", count=1, seconds=5)
    box.check()
    one.type_card(VISA)  # at once: paying waits until the choice is stored
    one.page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
    assert cards(user) == ["4242"]

    one.add(bowl)
    one.follow("Checkout")
    assert one.page.locator("#id_line1").input_value() == DETAILS_FORM["line1"]
    one.details()
    expect(one.page.get_by_label("Visa ending in 4242")).to_be_checked()
    assert (one.violations(), one.overflow()) == ([], "")
    one.press("Continue to review")
    one.page.wait_for_url("**/checkout/check/")
    one.place()

    assert one.heading() == "Thank you for your order"
    assert len(sandbox.captured()) - before == 2


@pytest.mark.browser
def test_saved_card_that_the_bank_challenges_pays_or_gives_way_to_another(window, user, sandbox):
    bowl, one, before = ProductFactory.create(stock=9), add(window, user), len(sandbox.captured())
    one.type_card(THREE_D, button="card-save")
    one.page.frame_locator("dialog iframe").get_by_role("button", name="Complete").click()
    one.page.wait_for_url(f"{one.url}{LIST}")

    order_with_saved_card(one, bowl)
    one.press("Fail")
    expect(one.page.locator(".notice.bad")).to_contain_text("could not confirm your identity")
    assert (one.violations(), one.overflow()) == ([], "")
    assert len(sandbox.captured()) == before
    one.type_card(VISA)
    one.page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
    assert one.heading() == "Thank you for your order"

    order_with_saved_card(one, bowl)
    one.press("Complete")
    one.page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
    assert one.heading() == "Thank you for your order"

    outcomes = [
        [a.outcome for a in payment.attempts.all()] for payment in Payment.objects.order_by("created_at")
    ]
    assert (outcomes, len(sandbox.captured()) - before) == ([["declined", "succeeded"], ["succeeded"]], 2)


def order_with_saved_card(one: Window, product: Product) -> None:
    """Up to the page of the bank, which asks at each payment with this card."""
    one.add(product)
    one.follow("Checkout")
    one.details()
    expect(one.page.get_by_label("Visa ending in 3184")).to_be_checked()
    one.press("Continue to review")
    one.page.wait_for_url("**/checkout/check/")
    one.place_button.click()
    one.page.wait_for_url("**/3d_secure/*")


@pytest.mark.browser
def test_declined_card_is_reported_and_another_is_saved(window, user):
    one = add(window, user)
    one.type_card(DECLINED, button="card-save")
    expect(one.page.locator("#card-problem")).to_contain_text("Your bank declined this card")
    assert (one.violations(), cards(user)) == ([], [])

    one.type_card(VISA, button="card-save")

    one.page.wait_for_url(f"{one.url}{LIST}")
    assert cards(user) == ["4242"]


@pytest.mark.browser
def test_bank_asks_in_a_window_before_the_card_is_saved(window, user):
    one = add(window, user)
    one.type_card(THREE_D, button="card-save")
    one.page.frame_locator("dialog iframe").get_by_role("button", name="Complete").click()

    one.page.wait_for_url(f"{one.url}{LIST}")

    assert cards(user) == ["3184"]


@pytest.mark.browser
def test_page_is_narrow_enough_and_says_when_scripts_are_off(window, user, caller):
    for token in ("pm_card_visa", "pm_card_amex", "pm_card_unionpay"):
        assert caller(user).post(PATH, body(token)).status == 201
    small = {"width": 320, "height": 640}
    one = add(window, user, viewport=small)
    assert one.overflow() == ""

    bare = window(user, viewport=small, java_script_enabled=False).go(LIST)
    assert "The card form needs JavaScript" in bare.text()
    bare.press("Agree and add a card")

    assert "The card form needs JavaScript" in bare.text()


@pytest.mark.browser
def test_failed_card_form_is_reported(window, user, sandbox):
    one = window(user).go(LIST)
    one.page.route(f"{sandbox.url}/v3/", lambda route: route.abort())
    one.press("Agree and add a card")

    expect(one.page.locator("#card-fallback")).to_be_visible()

    assert "nothing was saved" in one.text()
    assert one.violations() == []
