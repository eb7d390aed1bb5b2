"""An artisan's first day in Chromium, on a phone: from the application to the first parcel."""

from typing import Any, NamedTuple

import pytest
from PIL import Image

from artisans.accounts.models import User
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.models import Artisan, PictureState, ProductPicture
from artisans.catalog.tests.pictures import encoded
from orders.models import Order
from tests.live.browser import PHONE, Window
from tests.live.runner import Shop, wait_for
from tests.live.users import order_page

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]


@pytest.fixture(scope="module")
def shop(postgres_only, demo_shop) -> Shop:
    """With the worker, which prepares pictures."""
    demo_shop.worker.start()
    return demo_shop


class Phone(NamedTuple):
    """A window of 320 px, read page by page."""

    one: Window
    has_scripts: bool

    def read(self, *texts: str) -> None:
        """The page that is open says this, fits, and axe, which is a script, finds nothing in it."""
        self.one.page.wait_for_load_state()
        shown = self.one.text()
        assert [text for text in texts if text not in shown] == [], shown
        assert self.one.overflow() == ""
        if self.has_scripts:
            assert self.one.violations() == []

    def go(self, path: str, *texts: str) -> None:
        self.one.go(path)
        self.read(*texts)

    def follow(self, name: str, *texts: str) -> None:
        with self.one.page.expect_navigation():
            self.one.page.get_by_role("main").get_by_role("link", name=name).first.click()
        self.read(*texts)

    def send(self, button: str, *texts: str, **values: str) -> None:
        """Fill fields by their names, press the button, and read the page that comes."""
        for name, value in values.items():
            self.one.page.locator(f"[name={name}]").first.fill(value)
        with self.one.page.expect_navigation():
            self.one.page.get_by_role("main").get_by_role("button", name=button).first.click()
        self.read(*texts)


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])
def test_first_day_of_an_artisan(window, has_scripts):
    def phone(user: User | None = None) -> Phone:
        return Phone(window(user, viewport=PHONE, java_script_enabled=has_scripts), has_scripts)

    applicant, name = UserFactory.create(), f"Fern and Ash {has_scripts}"
    artisan, staff = phone(applicant), window(User.objects.get(email="admin@demo.test"))

    apply(artisan, name)
    prepare_products(artisan)
    submit(artisan)
    approve(staff, name)
    publish_products(artisan)
    order = buy(phone(), Artisan.objects.get(user=applicant))
    staff.record_money(order)
    ship(artisan, order)

    phone().go(
        order_page(order), "UPS", "FedEx", "1 × Basket (Large) will not be delivered", "We will refund $66.00"
    )


def apply(artisan: Phone, name: str) -> None:
    artisan.one.go("/").follow("Sell with us")
    artisan.one.page.wait_for_url("**/sell/")
    artisan.read("Begin your application")
    artisan.send("Continue", "Your application", "To do", name=name, craft="Weaver", town="Astoria")
    artisan.follow("Describe your workshop")
    artisan.send("Save", "Saved.", "Done", story="Willow, by hand.", contact_email="fern@example.test")


def prepare_products(artisan: Phone) -> None:
    """Three; the last in two sizes and with two pictures."""
    artisan.follow("Prepare your first products", "No products yet")
    for name, price, stock in (("Bowl", "20.00", "5"), ("Tray", "30.00", "1"), ("Basket", "40.00", "0")):
        artisan.go("/shop/artisan/products/new/")
        artisan.one.page.get_by_label("Category").select_option(index=1)
        artisan.send("Save as a draft", name, "State: Draft", name=name, price=price, stock=stock)
    assert artisan.one.page.get_by_role("button", name="Publish").count() == 0
    artisan.follow("Variants", "Variants of Basket")
    small = {"variant-0-option_1": "Small", "variant-0-price": "40.00", "variant-0-stock": "2"}
    large = {"variant-1-option_1": "Large", "variant-1-price": "60.00", "variant-1-stock": "30"}
    artisan.send("Save variants", "Small", "Large", option_1="Size", **small, **large)
    artisan.follow("Pictures", "No pictures yet")
    artisan.one.page.locator("input[type=file]").set_input_files([picture("olive"), picture("tan")])
    artisan.send("Upload", "2 pictures were uploaded")
    wait_for(lambda: not ProductPicture.objects.filter(state=PictureState.UPLOADED).exists())
    artisan.one.page.reload()
    artisan.send("Save text of picture 1", "The text was saved.", alt="A basket of green willow")
    artisan.send("Move back picture 1", "The picture is now number 2.")
    artisan.follow("Preview", "Preview. Buyers do not see this page.", "from $40.00")


def picture(colour: str) -> Any:
    """A file, as Playwright takes it."""
    content = encoded(Image.new("RGB", (640, 480), colour))
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": content}


def submit(artisan: Phone) -> None:
    artisan.go("/shop/sell/application/", "3 drafts")
    artisan.follow("Accept the terms for artisans", "Version 1")
    artisan.send("I accept these terms", "Your application")
    artisan.send("Send the application", "Sent. We will email you", text="I weave willow.")


def approve(staff: Window, name: str) -> None:
    staff.go("/admin/catalog/application/").follow(name)
    staff.follow("Approve")
    staff.press("Approve")
    staff.page.get_by_text(f"{name} can now sell.").wait_for()


def publish_products(artisan: Phone) -> None:
    artisan.go("/shop/sell/application/", "Approved")
    artisan.follow("Your products", "Bowl", "Tray", "Basket", "Draft")
    for name in ("Bowl", "Tray", "Basket"):
        artisan.one.go("/shop/artisan/products/")
        artisan.follow(name, "State: Draft")
        artisan.send("Publish", "State: Published")


def buy(buyer: Phone, artisan: Artisan) -> Order:
    """Three large baskets and a bowl."""
    workshop = f"/shop/artisans/{artisan.slug}/"
    buyer.go(workshop, "Willow, by hand.", "Tray")
    buyer.follow("Basket", "Choose options first: Size.")
    buyer.follow("Large", "$60.00")
    assert buyer.one.page.get_by_alt_text("A basket of green willow").count()
    buyer.send("Add to cart", "Basket (Large)", quantity="3")
    buyer.one.go(workshop)
    buyer.follow("Bowl", "$20.00")
    buyer.send("Add to cart", "Bowl", quantity="1")
    buyer.follow("Checkout")
    buyer.one.details()
    buyer.one.payment("Bank transfer")
    return buyer.one.place()


def ship(artisan: Phone, order: Order) -> None:
    """In two shipments; the third basket cannot be delivered."""
    lines = order.parcels.get().lines
    basket, bowl = (f"units-{lines.get(product_name__startswith=name).pk}" for name in ("Basket", "Bowl"))
    ups = {"carrier": "UPS", "tracking": "1Z999AA10123456784"}
    fedex = {"carrier": "FedEx", "tracking": "123456789012"}

    artisan.go("/shop/artisan/parcels/", "3 × Basket (Large), 1 × Bowl")
    artisan.follow(f"Order {order.order_number}", "Items to pack")
    artisan.send("Start preparing", "Ship this parcel")
    artisan.send("Mark as shipped", "Shipped with UPS", "Ship the rest", **ups, **{basket: "1", bowl: "1"})
    artisan.send("Mark as shipped", "Shipped with FedEx", "3 of 4 units shipped", **fedex, **{basket: "1"})
    artisan.follow("Cannot deliver some items", "Items that you cannot deliver")
    artisan.one.page.get_by_label("No, they are broken or lost").check()
    artisan.send("Cancel these items", "The items were cancelled.", reason="It broke.", **{basket: "1"})
