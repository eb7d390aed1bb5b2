"""The pages of figures in Chromium: accessible in both themes and widths, and with what just happened."""

import random
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings
from playwright.sync_api import expect

from artisans.accounts.models import Role, User
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.test_mode import is_test_mode
from artisans.figures.admin import page_address
from artisans.figures.counting import Pair, day_count
from artisans.figures.days import DAY, today
from artisans.figures.families import FAMILIES
from artisans.figures.pages import PAGES
from artisans.figures.registry import STEPS
from artisans.figures.tests.cells import put
from orders.tests.factories import store_of
from payments.models import PaymentAttempt
from tests.live.browser import PHONE, WIDE, Window
from tests.live.conftest import empty_database
from tests.live.runner import Sandbox, Shop, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]

VISA, DECLINED, THREE_D = "4242424242424242", "4000000000009995", "4000002760003184"
LONG_NAME = "x" * 60


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox) -> Iterator[Shop]:
    empty_database()
    store_of()
    # Cells of test mode, as those of the shop's own processes: others would be counted again, to nothing.
    in_test_mode = override_settings(STRIPE_SECRET_KEY=sandbox.env["STRIPE_SECRET_KEY"])
    with in_test_mode, production(**sandbox.env, MAX_OPEN_ORDERS="1000") as shop:
        assert is_test_mode()
        sandbox.tell(shop)
        shop.start()
        fill_cells()
        yield shop


@pytest.fixture(scope="module")
def bowl(shop) -> Product:
    return ProductFactory.create(name="Moss bowl", stock=500)


@pytest.fixture(scope="module")
def clerk(shop) -> User:
    clerk = UserFactory.create(role=Role.STAFF)
    clerk.groups.add(Group.objects.get(name="Auditors"))
    return clerk


def fill_cells() -> None:
    """Sixty days in three currencies."""
    chance = random.Random(17)  # noqa: S311  # a test
    for number in range(2, 62):
        day = today() - number * DAY
        for currency, method in (("USD", "credit_card"), ("EUR", "paypal"), ("JPY", "bank_transfer")):
            keys = {"provider": "stripe", "method": method, "currency": currency}
            paid, amount = chance.randint(5, 20), chance.randint(2000, 9000)
            put("payments", day, **keys, paid=paid, lost=chance.randint(0, 5), started_minor=paid * amount)
            sums = {"captures": paid, "captures_minor": paid * amount, "orders_minor": paid * amount}
            put("settled", day, **keys, payments=paid, payments_minor=paid * amount, orders=paid, **sums)
            put("refunds", day, **keys, refunds=1, refunds_minor=amount)
            put("disputes", day, **keys, opened=chance.randint(0, 1), lost=0)
        put("orders", day, currency="USD", paid=chance.randint(5, 20), closed=2)
        steps = dict(zip(STEPS, (40, 30, 25, 22, 20, 15, 12), strict=True))
        put("journeys", day, channel="page", currency="USD", **steps)
        put("problems", day, channel="page", step="details", kind="form", code=LONG_NAME, problems=3)
        put(
            "problems", day, channel="page", step="payment", kind="declined", code="card_declined", problems=1
        )


def count_today() -> None:
    """What the worker does within seconds."""
    for name in FAMILIES:
        day_count(Pair(name, today()))


def look(one: Window) -> None:
    for size in (WIDE, PHONE):
        one.page.set_viewport_size(size)
        assert one.violations() == [], size
        assert one.overflow() == "", size


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_in_both_themes_and_at_320_px(window, clerk, theme):
    one, drawn = window(clerk, color_scheme=theme), set()
    for name in PAGES:
        one.go(f"{page_address(name)}?period=90")
        if one.page.locator(".aa-figure-card table tbody tr").count() > 1:
            chart = one.page.get_by_role("img", name="highest").first
            expect(chart).to_be_visible()
            drawn.add(name)
        look(one)
    assert drawn >= {"payments", "refunds"}
    one.go("/admin/")
    look(one)


def test_page_is_complete_without_scripts(window, clerk):
    one = window(clerk, java_script_enabled=False)
    one.go(f"{page_address('payments')}?period=30")
    expect(one.page.locator("canvas")).to_have_count(0)
    expect(one.page.locator("#figure-payment_success_rate + div .aa-number")).to_contain_text("%")
    expect(one.page.locator("#figure-payment_success_rate ~ details tbody tr")).to_have_count(30)
    one.page.get_by_label("Period").select_option("7")
    one.press("Show")
    expect(one.page.locator("#figure-payment_success_rate ~ details tbody tr")).to_have_count(7)


def test_empty_period_and_errors_are_accessible(window, clerk):
    one = window(clerk)
    for query in ("period=free&from=2020-01-01&to=2020-01-02", "period=free&from=2030-01-01&to=2020-01-01"):
        one.go(f"{page_address('payments')}?{query}")
        look(one)


def buy(window: Callable[..., Window], bowl: Product) -> None:
    """Declined; declined and then paid; paid with 3-D Secure; left before paying."""
    for email, cards in (("lost", [DECLINED]), ("recovered", [DECLINED, VISA]), ("asked", [THREE_D])):
        one = window()
        order = one.order_by_card(bowl, email=f"{email}@example.test")
        for card in cards:
            one.type_card(card)
            if card == DECLINED:
                expect(one.page.locator(".notice.bad")).to_be_visible()
        if email == "asked":
            bank = one.page.frame_locator("dialog iframe, iframe[title*='3']").last
            bank.get_by_role("button", name="Complete").click()
        if email != "lost":
            one.page.wait_for_url(f"**{order.access_token}/")
    left = window()
    left.add(bowl)
    left.follow("Checkout")
    left.page.locator("#id_email").wait_for()


def test_what_happened_is_on_the_open_page_after_counting(window, clerk, bowl):
    watcher = window(clerk)
    watcher.page.clock.install()
    watcher.go(f"{page_address('checkout')}?period=today")
    buy(window, bowl)
    outcomes = ["declined", "declined", "succeeded", "succeeded"]
    attempts = PaymentAttempt.objects.filter(outcome__in=outcomes).order_by("outcome")
    wait_for(lambda: list(attempts.values_list("outcome", flat=True)) == outcomes)
    count_today()

    watcher.page.clock.run_for(16_000)

    funnel = watcher.page.locator("#figure-funnel ~ details")
    expect(funnel.locator("tr", has_text="First item in the cart").locator("td").first).to_have_text("4")
    expect(funnel.locator("tr", has_text="Placed").locator("td").first).to_have_text("3")
    watcher.go(f"{page_address('payments')}?period=today")
    for figure, number, out_of in (
        ("attempt_success_rate", "2", "4"),
        ("recovered_rate", "1", "1"),
        ("three_d_secure_rate", "1", "4"),
    ):
        cells = watcher.page.locator(f"#figure-{figure} ~ details td")
        expect(cells.nth(1)).to_have_text(number)
        expect(cells.nth(2)).to_have_text(out_of)
    reasons = watcher.page.locator("#figure-failure_reasons ~ details tbody tr")
    expect(reasons).to_have_text(["Insufficient funds 2"], use_inner_text=True)
