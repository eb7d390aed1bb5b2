"""Purchases in Chromium: with and without scripts, by keyboard alone, and with everything that comes in between."""

import re

import pytest
from django.db.models import F
from playwright.sync_api import Route, expect

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.notifications.models import Notification
from carts.models import Cart, CartStatus
from orders.models import Order
from orders.statuses import OrderPaymentStatus, OrderStatus
from payments.methods import PaymentMethod
from tests.checkout_client import DETAILS_FORM
from tests.live.browser import PHONE
from tests.live.runner import Shop, wait_for
from tests.live.users import order_page

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]
DEMO_PASSWORD = "demo-alley-1"


@pytest.fixture(scope="module")
def shop(postgres_only, demo_shop) -> Shop:
    return demo_shop


@pytest.fixture
def bowl(shop) -> Product:
    """The founding example: 99.99 in all."""
    return Product.objects.get(price_minor=8545)


@pytest.fixture
def scarf(shop, bowl) -> Product:
    """Of another artisan."""
    return (
        Product.objects.filter(stock=500, price_minor__lt=5000)
        .exclude(artisan=bowl.artisan)
        .order_by("slug")[0]
    )


def test_a_guest_pays_by_transfer(window, bowl, scarf):
    one = window()
    button = one.fill_checkout(bowl, scarf, email="guest.one@example.test")
    label = button.inner_text()
    order = one.place()
    assert label == f"Order and pay ${order.total.amount} by bank transfer"
    assert one.heading() == "Thank you for your order"
    text = one.text()
    for result in (
        order.order_number,
        f"${order.total.amount}",
        "DE89 3704",
        "2 parcels",
        "Awaiting transfer",
    ):
        assert result in text
    assert (order.email, order.user, order.lines.count()) == ("guest.one@example.test", None, 2)
    assert one.page.locator("#cart-count").inner_text() == "0"


def test_guest_pays_by_transfer_without_javascript(window, bowl, scarf):
    one = window(java_script_enabled=False)
    one.fill_checkout(bowl, scarf, email="guest.two@example.test")
    order = one.place()
    assert order.order_number in one.text()
    assert (order.status, order.lines.count()) == (OrderStatus.PENDING, 2)


def test_without_scripts_the_cart_changes_too(window, bowl):
    one = window(java_script_enabled=False)
    one.add(bowl)
    one.page.get_by_label("Quantity").fill("3")
    one.press("Update")
    assert "$287.98" in one.text()
    one.press("Remove")
    assert one.heading() == "Your cart is empty"
    one.press("Undo")
    assert one.page.get_by_label("Quantity").input_value() == "3"


def test_user_pays_cash_on_delivery(window, bowl):
    one = window()
    one.add(bowl)
    one.follow("Sign in")
    one.page.locator("[name=login]").fill("shopper@demo.test")
    one.page.locator("[name=password]").fill(DEMO_PASSWORD)
    one.press("Sign in")
    one.page.wait_for_url("**/account/orders/")
    one.go("/shop/cart/").follow("Checkout")
    assert one.page.get_by_label("Email address").input_value() == "shopper@demo.test"
    one.details(email="shopper@demo.test", note="Please ring twice")
    one.payment("Cash on delivery")
    order = one.place()
    assert order.user == User.objects.get(email="shopper@demo.test")
    assert order.payments.get().payment_method == PaymentMethod.CASH_ON_DELIVERY
    assert "You will pay $99.99 in cash on delivery" in one.text()
    one.go("/shop/account/orders/")
    assert order.order_number in one.text()


def test_purchase_by_keyboard_alone(window, bowl):
    """Tab, Space, Enter and letters, from the shop's front page to the order; the focus is seen at every stop."""
    one = window(viewport={"width": 1280, "height": 800})
    page, keys = one.page, one.page.keyboard

    def press(name: str, role: str = "button") -> None:
        one.tab_to(page.get_by_role(role, name=name).first)
        keys.press("Enter")

    one.go(f"/?q={bowl.name.split()[0]}")
    press(bowl.name, "link")
    page.wait_for_url("**/shop/products/**")
    press("Add to cart")
    page.wait_for_url("**/shop/cart/")
    press("Checkout", "link")
    page.wait_for_url("**/checkout/details/")
    result = DETAILS_FORM | {"email": "keys@example.test"}
    for name in ("email", "phone", "name", "line1", "postal_code", "city", "region"):
        one.type_into(f"id_{name}", result[name])
    press("Continue")
    page.wait_for_url("**/checkout/payment/")
    one.tab_to(page.get_by_label("Bank transfer"))
    keys.press("Space")
    press("Continue to review")
    page.wait_for_url("**/checkout/check/")
    one.tab_to(one.place_button)
    keys.press("Enter")
    page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
    assert Order.objects.filter(email="keys@example.test").count() == 1


def test_changing_the_country_keeps_input_typed_meanwhile(window, bowl):
    """The fields of the new country arrive late, as on a slow network, while the user keeps typing."""
    one = window()
    one.add(bowl)
    one.follow("Checkout")
    late: list[Route] = []

    def hold(route: Route) -> None:  # Playwright takes no built-in function as a handler
        late.append(route)

    one.page.route("**/checkout/details/", hold)
    one.page.get_by_label("Country", exact=True).first.select_option("DE")
    one.page.locator("#id_city").press_sequentially("Lünebu")
    wait_for(lambda: one.page.wait_for_timeout(20) or late)
    late[0].continue_()
    expect(one.page.locator("label[for=id_postal_code]")).to_have_text("Postal code")
    expect(one.page.locator("#id_city")).to_be_focused()
    expect(one.page.locator("#id_city")).to_have_value("Lünebu")


@pytest.mark.parametrize("with_scripts", [True, False])
def test_back_after_placing_shows_the_order(window, bowl, with_scripts):
    email = f"back.{with_scripts}@example.test".lower()
    one = window(java_script_enabled=with_scripts)
    one.fill_checkout(bowl, email=email)
    order = one.place()
    for steps in (1, 2):
        for _ in range(steps):
            one.page.go_back()
        assert one.path == order_page(order)
        assert Order.objects.filter(email=email).count() == 1
        one.go(order_page(order))
    assert order.order_number in one.text()


def test_a_double_click_orders_once(window, bowl):
    one = window(java_script_enabled=False)
    one.fill_checkout(bowl, email="double@example.test").dblclick()
    one.page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
    assert Order.objects.filter(email="double@example.test").count() == 1


def test_a_price_that_changed_is_shown_before_it_is_paid(window, scarf):
    one = window()
    button = one.fill_checkout(scarf, email="price@example.test")
    old = scarf.price
    Product.objects.filter(pk=scarf.pk).update(price_minor=F("price_minor") + 250)
    scarf.refresh_from_db()
    button.click()
    notice = one.page.locator("#problems")
    expect(notice).to_contain_text(scarf.name)
    expect(notice).to_contain_text(old.amount)
    expect(notice).to_contain_text(scarf.price.amount)
    assert not Order.objects.filter(email="price@example.test").exists()
    one.press("Accept the change")
    expect(one.place_button).to_be_visible()
    assert one.path == "/shop/checkout/check/"
    label = one.place_button.inner_text()
    order = one.place()
    assert order.lines.get().unit_price == scarf.price
    assert f"${order.total.amount}" in label


def test_sold_out_item_can_be_removed(window, bowl, scarf):
    one = window()
    button = one.fill_checkout(bowl, scarf, email="soldout@example.test")
    Product.objects.filter(pk=scarf.pk).update(stock=0)
    try:
        button.click()
        expect(one.page.locator("#problems")).to_contain_text(f"{scarf.name} is sold out")
        one.press("Accept the change")
        order = one.place()
        assert [line.product for line in order.lines.all()] == [bowl]
    finally:
        Product.objects.filter(pk=scarf.pk).update(stock=500)


def test_with_scripts_the_cart_changes_in_place(window, bowl, scarf):
    one = window()
    one.add(scarf)
    one.add(bowl)
    one.page.evaluate("window.stillHere = true")
    total = one.page.locator("#cart-total")
    line = one.page.locator("article.line", has_text=bowl.name)
    before = total.inner_text()
    line.get_by_label("Quantity").fill("2")
    expect(total).not_to_have_text(before)
    expect(one.page.locator("#cart-count")).to_have_text("3")
    expect(one.page.locator("#live")).to_contain_text(f"Total: {total.inner_text()}")
    line.get_by_role("button", name="Remove").click()
    expect(line).to_have_count(0)
    one.press("Undo")
    expect(line).to_have_count(1)
    assert one.page.evaluate("window.stillHere")
    assert Cart.objects.filter(status=CartStatus.OPEN).latest("updated_at").items.count() == 2


def test_guest_with_a_lost_session_continues(window, bowl):
    one = window()
    button = one.fill_checkout(bowl, email="lost@example.test")
    one.page.context.clear_cookies(name="session")
    button.click()
    one.page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
    assert Order.objects.get(email="lost@example.test").total.amount == "99.99"


def test_user_with_a_lost_session_continues_after_signing_in(window, bowl):
    user = User.objects.create_user("lost.user@example.test", DEMO_PASSWORD, name="Lou")
    one = window(user)
    button = one.fill_checkout(bowl, email=user.email)
    one.page.context.clear_cookies(name="session")
    button.click()
    one.page.wait_for_load_state()
    assert not Order.objects.filter(email=user.email).exists()
    one.page.context.add_cookies(window(user).page.context.cookies())
    one.go("/shop/checkout/")
    assert one.path == "/shop/checkout/check/"
    assert one.place().user == user


def test_staff_record_the_money_and_the_order_turns_paid(window, bowl):
    buyer = window()
    buyer.fill_checkout(bowl, email="paid@example.test")
    order = buyer.place()
    assert "Awaiting transfer" in buyer.text()
    staff_client = window(User.objects.get(email="staff@demo.test"))
    staff_client.record_money(order)
    buyer.page.reload()
    assert "Your order is paid" in buyer.text()
    order.refresh_from_db()
    assert (order.status, order.payment_status) == (OrderStatus.CONFIRMED, OrderPaymentStatus.PAID)
    assert Notification.objects.filter(recipient=order.email, kind="payment_received").count() == 1


def test_the_link_opens_the_order_anywhere(window, bowl):
    one = window()
    one.fill_checkout(bowl, email="link@example.test")
    order = one.place()
    other = window(java_script_enabled=False)
    other.go(order_page(order))
    text = other.text()
    for result in (order.order_number, "$99.99", "DE89 3704", bowl.name, DETAILS_FORM["line1"]):
        assert result in text
    assert "password" not in text.lower()


def test_a_purchase_in_yen_on_a_phone(window, bowl):
    one = window(viewport=PHONE, java_script_enabled=False)
    one.go("/")
    one.page.locator("summary", has_text="USD").click()
    assert not one.overflow()
    one.press("JPY")
    assert "¥" in one.text()
    assert "$" not in one.text()
    button = one.fill_checkout(bowl, email="guest.yen@example.test")
    label = button.inner_text()
    assert not one.overflow()
    order = one.place()
    assert label == f"Order and pay ¥{order.total.minor:,} by bank transfer"
    assert (order.currency, order.subtotal) == ("JPY", bowl.price_in("JPY"))
    assert f"¥{order.total.minor:,}" in one.text()
    assert not one.overflow()
