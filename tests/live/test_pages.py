"""Every page in every state: no axe violations, nothing wider than 320 px, no blocked content and no errors."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.members import member_invite
from artisans.catalog.models import MemberRole, Product
from artisans.catalog.products import product_create, product_publish
from artisans.catalog.variants import VariantInput, variants_change
from artisans.core.money import Money
from artisans.core.security.tokens import hash_secret, invitation_token, mailbox_token, new_secret
from artisans.notifications.services import notifications_send_due
from carts.checkout import Assertions, order_create
from carts.models import Cart, CartItem
from carts.services import new_item
from orders.models import Order
from orders.problems import LineRequest
from orders.selectors import store_rules
from orders.services.parcels import parcel_ship
from orders.tests.factories import ADDRESS, buyer_of
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipts import payment_reject, receipt_record
from payments.methods import PaymentMethod
from tests.live.browser import PHONE, Window
from tests.live.runner import Shop
from tests.live.users import order_page

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]
Scene = Callable[[Window], object]


@pytest.fixture(scope="module")
def shop(postgres_only, demo_shop) -> Shop:
    return demo_shop


def person(name: str) -> User:
    return User.objects.get(email=f"{name}@demo.test")


def teapot() -> Product:
    """Of the artisan with a login; there are always enough."""
    return Product.objects.get(price_minor=8545)


# ---- orders in all states --------------------------------------------------------------------------------------


def make(method: PaymentMethod = PaymentMethod.BANK_TRANSFER, user: User | None = None) -> Order:
    product = teapot()
    with override_settings(MAX_OPEN_ORDERS=1000):
        done = order_create(
            line_requests=[LineRequest(product.pk, product.pk, 1, None)],
            buyer=buyer_of(user, note="Please ring twice", network=""),
            method=method,
            assertions=Assertions(),
            store=store_rules(),
        )
    return done.placed.order


def receive(order: Order, minor: int) -> Order:
    receipt_record(
        payment_id=order.payments.get().pk,
        money=IncomingMoney(Money(minor, "USD"), timezone.localdate(), f"TX {order.order_number}"),
        actor=person("staff"),
        beyond_due=True,
    )
    return order


def rejected() -> Order:
    order = make()
    payment_reject(
        payment_id=order.payments.get().pk, reason="The money did not arrive.", actor=person("staff")
    )
    return order


def expired() -> Order:
    order = make()
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert order_expire(order_id=order.pk)
    return order


def cancelled() -> Order:
    return order_cancel(order_id=make(user=person("shopper")).pk, reason="", actor=person("shopper"))


def shipped() -> Order:
    order = make()
    receive(order, order.total_minor)
    parcel_ship(parcel_id=order.parcels.get().pk, carrier="DHL", tracking="JD014", actor=person("artisan"))
    return order


def old() -> Order:
    order = make()
    Order.objects.filter(pk=order.pk).update(created_at=timezone.now() - timedelta(days=31))
    return order


def paid_with(extra: int) -> Order:
    order = make()
    return receive(order, order.total_minor + extra)


ORDERS: dict[str, tuple[Callable[[], Order], str]] = {
    "awaiting transfer": (make, "Awaiting transfer"),
    "awaiting check": (lambda: make(PaymentMethod.CHECK), "Awaiting check"),
    "cash on delivery": (lambda: make(PaymentMethod.CASH_ON_DELIVERY, person("shopper")), "Pay on delivery"),
    "part paid": (lambda: receive(make(), 1000), "Partly paid"),
    "paid": (lambda: paid_with(0), "Paid"),
    "paid too much": (lambda: paid_with(500), "Paid"),
    "rejected": (rejected, "Payment failed"),
    "expired": (expired, "Expired"),
    "cancelled": (cancelled, "Cancelled"),
    "shipped": (shipped, "Shipped"),
    "old and masked": (old, "Awaiting transfer"),
}


# ---- scenes ----------------------------------------------------------------------------------------------------


def path(address: str) -> Scene:
    return lambda one: one.go(address)


def product(stock: int) -> Scene:
    return lambda one: one.go(f"/shop/products/{Product.objects.filter(stock=stock, option_1='')[0].slug}/")


def jug() -> Product:
    """Of the artisan with a login, in two sizes, one of which is sold out."""
    seller, pot = person("artisan"), teapot()
    if made := Product.objects.filter(name="Jug", parent=None).first():
        return made
    values = {"name": "Jug", "category": pot.category, "price_minor": 2000}
    made = product_create(artisan=pot.artisan, actor=seller, currency="USD", values=values)
    rows = [VariantInput(("Small",), 2000, counted=3), VariantInput(("Large",), 3000)]
    variants_change(
        artisan=pot.artisan, product_id=made.pk, actor=seller, option_names=["Size"], variants=rows
    )
    return product_publish(artisan=pot.artisan, product_id=made.pk, actor=seller)


def jug_of_choice(place: int) -> Scene:
    return lambda one: one.go(f"/shop/products/{jug().choices[place].slug}/")


def own_jug(page: str = "") -> Scene:
    return lambda one: one.go(f"/shop/artisan/products/{jug().pk}/{page}")


def variants_wrong(one: Window) -> None:
    own_jug("variants/")(one)
    one.page.locator("[name=variant-2-option_1]").fill("Small")
    one.page.locator("[name=variant-2-price]").fill("1.00")
    one.page.locator("main form button").last.click()
    one.page.wait_for_load_state()


def stock_wrong(one: Window) -> None:
    one.go("/shop/artisan/stock/")
    one.page.locator(".counts input[inputmode=numeric]").first.fill("many")
    one.page.get_by_role("button", name="Update stock").click()
    one.page.wait_for_load_state()
    assert "Enter a whole number" in one.text()


def stock_file_checked(one: Window) -> None:
    one.go("/shop/artisan/stock/import/")
    head, lines = "product_id,name,seen_stock,last_count,counted", ["x,Bowl,1,0,2", f"{teapot().pk},,9,0,8"]
    file = {"name": "counted.csv", "mimeType": "text/csv", "buffer": "\n".join([head, *lines]).encode()}
    one.page.locator("input[type=file]").set_input_files([file])  # type: ignore[list-item]  # as the protocol has it
    one.page.get_by_role("button", name="Check the file").click()
    one.page.wait_for_load_state()
    assert "is not the id of one of your products" in one.text()


def page_of_order(make_order: Callable[[], Order], more: str = "", *, says: str) -> Scene:
    def scene(one: Window) -> None:
        one.go(order_page(make_order()) + more)
        assert says in one.text()

    return scene


DETAILS = {"email": "guest@example.test", "shipping": ADDRESS, "billing": ADDRESS, "billing_same": True}


def cart(one: Window, address: str = "/shop/cart/", **draft: object) -> None:
    """A guest's cart with products of two artisans and a checkout draft, then the page."""
    token = new_secret()
    made = Cart.objects.create(token_hash=hash_secret(token), currency="USD", draft=draft)
    other = Product.objects.exclude(artisan=teapot().artisan).filter(stock=500).order_by("slug")[0]
    CartItem.objects.bulk_create([new_item(made, teapot(), 1), new_item(made, other, 2)])
    one.page.context.add_cookies([{"name": "cart", "value": token, "url": one.url}])
    one.go(address)


def cart_with_one_removed(one: Window) -> None:
    cart(one)
    one.press("Remove")
    one.page.get_by_role("button", name="Undo").wait_for()


@contextmanager
def sold_out() -> Iterator[None]:
    """While all teapots are sold out."""
    before = teapot().stock
    Product.objects.filter(pk=teapot().pk).update(stock=0)
    try:
        yield
    finally:
        Product.objects.filter(pk=teapot().pk).update(stock=before)


def cart_with_problems(one: Window) -> None:
    with sold_out():
        cart(one)
        one.page.locator("#problems").wait_for()


def details(one: Window) -> None:
    cart(one, "/shop/checkout/details/")


def details_wrong(one: Window) -> None:
    details(one)
    one.page.get_by_label("Email address").fill("nobody")
    one.page.locator("#id_billing_same").uncheck()
    one.press("Continue")
    one.page.locator(".error-summary").wait_for()
    assert one.page.title().startswith("Error: ")


def details_abroad(one: Window) -> None:
    details(one)
    one.page.get_by_label("Country", exact=True).first.select_option("JP")
    one.page.locator("label[for=id_region]", has_text="Prefecture").wait_for()


def payment(one: Window) -> None:
    cart(one, "/shop/checkout/payment/", **DETAILS, note="")


def payment_wrong(one: Window) -> None:
    payment(one)
    one.press("Continue to review")
    one.page.locator(".error-summary").wait_for()


def check(one: Window) -> None:
    cart(one, "/shop/checkout/check/", **DETAILS, note="At the red door", method="bank_transfer")
    one.place_button.wait_for()


def check_with_problems(one: Window) -> None:
    check(one)
    with sold_out():
        one.place_button.click()
        one.page.locator("#problems").wait_for()


def find(number: str) -> Scene:
    def scene(one: Window) -> None:
        one.go("/shop/orders/find/")
        one.page.locator("[name=order_number]").fill(number or make().order_number)
        one.page.locator("[name=email]").fill("guest@example.test")
        one.page.locator("main form button").last.click()
        one.page.wait_for_load_state()

    return scene


def send_empty(address: str) -> Scene:
    def scene(one: Window) -> None:
        one.go(address)
        one.page.locator("main form button").last.click()
        one.page.wait_for_load_state()

    return scene


def cancel(one: Window) -> None:
    one.go(f"/shop/account/orders/{make(user=person('shopper')).pk}/cancel/")


def own_order(one: Window) -> None:
    one.go(order_page(make(user=person("shopper"))))
    one.page.get_by_role("link", name="Cancel order").wait_for()


def history(one: Window) -> None:
    make(user=person("shopper"))
    one.go("/shop/account/orders/")


def invitation(one: Window) -> None:
    artisan = teapot().artisan
    owner = artisan.user or person("artisan")
    invited = member_invite(artisan=artisan, actor=owner, email="new@demo.test", role=MemberRole.HELPER)
    one.go(f"/shop/artisan/invitations/{invitation_token(invited.pk, invited.version)}/")


def parcels(one: Window) -> None:
    paid_with(0)
    one.go("/shop/artisan/parcels/")


def parcel(make_order: Callable[[], Order]) -> Scene:
    return lambda one: one.go(f"/shop/artisan/parcels/{make_order().parcels.get().pk}/")


def mails(one: Window) -> None:
    make()
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.filebased.EmailBackend", EMAIL_FILE_PATH=f"{one.folder}/mail"
    ):
        assert notifications_send_due()
    one.go("/demo/mail/")


def mail(one: Window) -> None:
    mails(one)
    one.page.locator("main a[href^='/demo/mail/']").first.click()
    one.page.wait_for_url("**/demo/mail/*/")


def error(status: str) -> Scene:
    """The page as it is shown when it happens; most of these do not happen to a browser that behaves."""

    def scene(one: Window) -> None:
        body = render_to_string(f"{status}.html", {"request_id": "0123456789abcdef"})
        one.page.route("**/error", lambda route: route.fulfill(body=body, content_type="text/html"))
        one.go("/error")

    return scene


GUEST: dict[str, Scene] = {
    "shop": path("/"),
    "shop, second page": path("/?page=2"),
    "shop, a kind": path("/?category=textiles&sort=price"),
    "shop, found": path("/?q=wool"),
    "shop, nothing found": path("/?q=zzz"),
    "product": product(500),
    "product, last units": product(2),
    "product, sold out": product(0),
    "product, to choose": lambda one: one.go(f"/shop/products/{jug().slug}/"),
    "product, chosen": jug_of_choice(0),
    "product, chosen and sold out": jug_of_choice(1),
    "artisans": path("/shop/artisans/"),
    "artisan": lambda one: one.go(f"/shop/artisans/{teapot().artisan.slug}/"),
    "country of delivery": path("/shop/deliver-to/"),
    "cart, empty": path("/shop/cart/"),
    "cart": cart,
    "cart, a thing removed": cart_with_one_removed,
    "cart, with problems": cart_with_problems,
    "details": details,
    "details, wrong": details_wrong,
    "details, abroad": details_abroad,
    "payment": payment,
    "payment, nothing chosen": payment_wrong,
    "check": check,
    "check, with problems": check_with_problems,
    "pay another way": page_of_order(make, "pay/", says="Pay another way"),
    "find": path("/shop/orders/find/"),
    "find, wrong": find("AAAAAAAAA"),
    "find, sent": find(""),
    "sign in": path("/shop/account/login/"),
    "sign in, wrong": send_empty("/shop/account/login/"),
    "sign up": path("/shop/account/signup/"),
    "sign up, wrong": send_empty("/shop/account/signup/"),
    "forgotten password": path("/shop/account/password/reset/"),
    "no such page": path("/nowhere/"),
    "demo mails": mails,
    "demo mail": mail,
} | {
    f"error {name}": error(name)
    for name in ("400", "403", "403_csrf", "404", "410", "413", "429", "500", "503")
}
GUEST |= {
    f"order, {name}": page_of_order(make_order, says=word) for name, (make_order, word) in ORDERS.items()
}
SHOPPER: dict[str, Scene] = {
    "own order": own_order,
    "cancel": cancel,
    "history": history,
    "sign out": path("/shop/account/logout/"),
    "e-mail addresses": path("/shop/account/email/"),
    "change password": path("/shop/account/password/change/"),
    "data": path("/shop/account/data/"),
    "erase data": path("/shop/account/data/erase/"),
}
ARTISAN: dict[str, Scene] = {
    "parcels": parcels,
    "parcels sent": path("/shop/artisan/parcels/?filter=sent"),
    "parcel to send": parcel(lambda: paid_with(0)),
    "parcel not paid": parcel(make),
    "parcel to collect cash for": parcel(lambda: make(PaymentMethod.CASH_ON_DELIVERY, person("shopper"))),
    "parcel sent": parcel(shipped),
    "own products": path("/shop/artisan/products/"),
    "own products, none found": path("/shop/artisan/products/?q=zzz&state=archived"),
    "new product": path("/shop/artisan/products/new/"),
    "new product, wrong": send_empty("/shop/artisan/products/new/"),
    "own product": own_jug(),
    "variants": own_jug("variants/"),
    "variants, another option": own_jug("variants/?options=3"),
    "variants, wrong": variants_wrong,
    "preview": own_jug("preview/"),
    "sales": path("/shop/artisan/sales/?period=year"),
    "sales, none on these days": path("/shop/artisan/sales/?period=free&from=2020-01-01&to=2020-01-02"),
    "sales, wrong": path("/shop/artisan/sales/?period=free"),
    "profile": path("/shop/artisan/profile/"),
    "team": path("/shop/artisan/team/"),
    "team, wrong": send_empty("/shop/artisan/team/"),
    "leave the team": path("/shop/artisan/team/leave/"),
    "invitation": invitation,
    "stock": path("/shop/artisan/stock/"),
    "stock, none found": path("/shop/artisan/stock/?q=zzz&show=low"),
    "stock, wrong": stock_wrong,
    "stock of a product": lambda one: one.go(f"/shop/artisan/stock/{teapot().pk}/"),
    "stock by file": path("/shop/artisan/stock/import/"),
    "stock by file, wrong": send_empty("/shop/artisan/stock/import/"),
    "stock by file, checked": stock_file_checked,
}
STATUSES = {  # all others 200
    "no such page": 404,
    "parcel not paid": 404,
    "check, with problems": 409,
    "sales, wrong": 400,
}
SCENES = [
    pytest.param(who, scene, STATUSES.get(name, 200), id=name)
    for who, scenes in (("", GUEST), ("shopper", SHOPPER), ("artisan", ARTISAN))
    for name, scene in scenes.items()
]


@pytest.mark.parametrize(("who", "scene", "status"), SCENES)
def test_page_is_accessible(shared_window, who, scene, status):
    one = shared_window(person(who) if who else None)
    scene(one)
    assert one.status == status
    assert one.violations() == []
    one.page.set_viewport_size(PHONE)
    assert one.overflow() == ""


def test_history_without_orders(window):
    one = window(User.objects.create_user("new@example.test", "correct-horse-1"))
    one.go("/shop/account/orders/")
    assert one.violations() == []


def test_confirming_the_mail_address(window):
    """By GET nothing changes; one press confirms."""
    order, one = make(), window()
    one.go(f"{order_page(order)}?mailbox={mailbox_token(order.pk)}")
    assert one.violations() == []
    order.refresh_from_db()
    assert order.mailbox_confirmed_at is None
    one.press("Confirm your email address")
    one.page.get_by_text("your email address is confirmed").wait_for()
    order.refresh_from_db()
    assert order.mailbox_confirmed_at is not None


# ---- weight, colours, motion -----------------------------------------------------------------------------------

LIMIT, CHECKOUT_LIMIT = 100_000, 60_000


def test_pages_are_light(window):
    one = window()
    check(one)
    order = make()
    pages = [
        "/",
        f"/shop/products/{teapot().slug}/",
        f"/shop/artisans/{teapot().artisan.slug}/",
        order_page(order),
    ]
    pages += ["/shop/orders/find/", "/shop/account/login/"]
    steps = [
        "/shop/cart/",
        *(f"/shop/checkout/{step}/" for step in ("details", "payment", "check")),
    ]
    limits = dict.fromkeys(pages, LIMIT) | dict.fromkeys(steps, CHECKOUT_LIMIT)
    weights = {address: one.weigh(address) for address in limits}
    assert {address: bytes_ for address, bytes_ in weights.items() if bytes_ > limits[address]} == {}
    assert min(weights.values()) > 5_000, "nothing was weighed"


def test_borders_stay_with_forced_colours(window):
    one = window(forced_colors="active")
    for scene in (details_wrong, payment):
        scene(one)
        assert one.page.evaluate(WITHOUT_BORDER) == []


def test_nothing_moves_with_reduced_motion(window):
    one = window(reduced_motion="reduce")
    for scene in (path("/"), details):
        scene(one)
        assert one.page.evaluate(MOVING) == []


WITHOUT_BORDER = """() => [...document.querySelectorAll("main :is(input, select, button, .button, .choice)")]
    .filter(e => e.checkVisibility() && !["hidden", "radio", "checkbox"].includes(e.type))
    .filter(e => getComputedStyle(e).borderTopStyle === "none" || getComputedStyle(e).borderTopWidth === "0px")
    .map(e => e.tagName + "#" + e.id + "." + e.className)"""

MOVING = """() => {
    const lasts = s => (s.transitionDuration + "," + s.animationDuration).split(",").some(d => parseFloat(d) > 0.01);
    const moving = [...document.querySelectorAll("*")].filter(e => lasts(getComputedStyle(e)));
    return moving.slice(0, 5).map(e => e.tagName + "." + e.className);
}"""


# ---- admin -----------------------------------------------------------------------------------------------------


def test_admin_pages_have_no_errors(window):
    """The admin has a looser policy of its own; still nothing of it is refused and no script fails."""
    staff_client = window(person("admin"))
    order = make()
    waiting = order.payments.get()
    lists = "payments/payment payments/receipt payments/paymentrefund orders/order catalog/product catalog/artisan "
    lists += "catalog/category notifications/notification audit/auditentry accounts/user "
    lists += "privacy/erasure privacy/lockedrecord"
    pages = ["/admin/", *(f"/admin/{name}/" for name in lists.split())]
    pages += [
        "/admin/privacy/erasure/person/",
        "/admin/payments/payment/?needs=decision",
        "/admin/orders/order/?needs=return",
    ]
    pages += [f"/admin/payments/payment/{waiting.pk}/{page}/" for page in ("change", "record", "reject")]
    pages += [f"/admin/orders/order/{order.pk}/{page}/" for page in ("change", "cancel", "revoke-links")]
    pages += [f"/admin/catalog/product/{teapot().pk}/change/", "/admin/orders/storerules/1/change/"]
    for address in pages:
        staff_client.responses.clear()
        staff_client.go(address)
        assert (staff_client.responses[0].status, staff_client.path) == (200, address.partition("?")[0])
        staff_client.page.wait_for_timeout(50)
    stranger = window()
    stranger.go("/admin/")
    assert re.search("log in|sign in", stranger.text(), re.IGNORECASE)
