import errno

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan, Product, StockMove
from artisans.catalog.products import TakenOffSale, product_archive, product_publish
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory, ProductFactory
from artisans.catalog.tests.pictures import png
from artisans.core.admin.pages import admin_page_url
from artisans.notifications.models import Notification
from orders.tests.factories import place
from tests.html import edit, page

pytestmark = pytest.mark.django_db


def form(**changes: object) -> dict[str, object]:
    known = Artisan.objects.first() or ArtisanFactory.create()
    return {
        "name": "Blue jug",
        "slug": "blue-jug",
        "artisan": known.pk,
        "category": CategoryFactory.create().pk,
        "is_active": "on",
        "price": "85.45",
        "currency": "USD",
        "weight_g": "0",
        "in_stock": "4",
    } | changes


def test_product_is_added_with_a_decimal_price(catalog_client):
    answer = catalog_client.post("/admin/catalog/product/add/", form())

    assert answer.status_code == 302
    product = Product.objects.get(slug="blue-jug")
    assert (product.price_minor, product.stock) == (8545, 4)
    assert StockMove.objects.get(product=product).quantity == 4


def test_price_in_yen_has_no_decimals(catalog_client):
    shown = page(catalog_client.post("/admin/catalog/product/add/", form(currency="JPY")))
    assert "JPY has 0 decimals" in shown.text

    catalog_client.post("/admin/catalog/product/add/", form(currency="JPY", price="8500"))
    assert Product.objects.get().price_minor == 8500


@pytest.mark.parametrize("price", ["", "0", "0.00", "-1", "1e3", "12,50", "1.234", "free"])
def test_wrong_prices_are_refused(catalog_client, price):
    answer = catalog_client.post("/admin/catalog/product/add/", form(price=price))

    assert answer.status_code == 200
    assert Product.objects.count() == 0


def test_stock_is_not_changed_by_the_form(catalog_client, bowl):
    shown = page(catalog_client.get(admin_page_url(bowl)))
    assert shown.one("input", name="price").attrs["value"] == "85.45"
    assert shown.all("input", name="stock") + shown.all("input", name="in_stock") == []

    changed = {"price": "90", "stock": "99", "in_stock": "99"}
    assert edit(catalog_client, bowl, **changed).status_code == 302

    bowl.refresh_from_db()
    assert (bowl.price_minor, bowl.stock) == (9000, 10)


def test_stock_is_counted_on_a_separate_page(catalog_client, bowl):
    address = admin_page_url(bowl, "count")
    assert page(catalog_client.get(address)).one("input", name="counted").attrs["value"] == "10"

    seen = page(catalog_client.get(address)).one("main").one("form").fields()

    refused = page(catalog_client.post(address, seen | {"counted": "7", "reason": " "}))
    assert "This field is required" in refused.text
    result = page(catalog_client.post(address, seen | {"counted": "7", "reason": "three broke"}, follow=True))

    assert "7 units of Moss bowl are now available." in result.text
    bowl.refresh_from_db()
    assert bowl.stock == 7
    assert AuditEntry.objects.get(action="stock.adjust").actor_name == "keeper@example.test"


def test_counting_needs_the_permission(browser, staff, bowl):
    assert (
        browser(staff).post(admin_page_url(bowl, "count"), {"counted": "0", "reason": "x"}).status_code == 403
    )


def test_tax_on_commission_is_set_and_the_former_commission_is_not(browser, admin_user, bowl):
    catalog_client, artisan = browser(admin_user), bowl.artisan
    typed = {"fee_tax_treatment": "outside", "commission": "12.5", "commission_ppm": "125000"}

    assert edit(catalog_client, artisan, **typed).status_code == 302

    artisan.refresh_from_db()
    assert (artisan.fee_tax_treatment, artisan.commission_ppm) == ("outside", 0)


def test_products_and_artisans_are_deactivated_not_deleted(browser, admin_user, bowl):
    for row in (bowl, bowl.artisan):
        assert browser(admin_user).post(admin_page_url(row, "delete"), {"post": "yes"}).status_code == 403


def count_form(catalog_client, bowl: Product) -> dict[str, str]:
    return page(catalog_client.get(admin_page_url(bowl, "count"))).one("main").one("form").fields() | {
        "reason": "counted"
    }


@pytest.mark.parametrize(
    ("counted", "sold", "left"), [(10, 1, 9), (7, 1, 6), (12, 3, 9), (1, 1, 0), (10, 0, 10)]
)
def test_count_applies_its_difference_when_units_were_sold_meanwhile(
    catalog_client, bowl, counted, sold, left
):
    form = count_form(catalog_client, bowl)
    if sold:
        place({bowl: sold})

    answer = page(
        catalog_client.post(admin_page_url(bowl, "count"), form | {"counted": str(counted)}, follow=True)
    )

    bowl.refresh_from_db()
    assert bowl.stock == left
    moves = StockMove.objects.filter(product=bowl, kind="adjust").values_list("quantity", flat=True)
    assert list(moves) == ([counted - 10] if counted != 10 else [])
    sentence = f"after you opened this page. Your count of {counted} was compared with the 10 shown to you."
    assert (sentence in answer.text) is bool(sold)


def test_count_is_refused_with_an_explanation_when_stock_would_become_negative(catalog_client, bowl):
    form = count_form(catalog_client, bowl) | {"counted": "4"}
    place({bowl: 7})

    answer = page(catalog_client.post(admin_page_url(bowl, "count"), form))

    assert "10 were shown to you, but 7 have been sold since" in answer.text
    bowl.refresh_from_db()
    assert bowl.stock == 3
    again = answer.one("main").one("form").fields()
    assert (again["counted"], again["seen_stock"]) == ("4", "3")
    catalog_client.post(admin_page_url(bowl, "count"), again)
    bowl.refresh_from_db()
    assert bowl.stock == 4


def test_count_is_applied_once_when_sent_twice_or_a_colleague_counted_first(catalog_client, bowl):
    form = count_form(catalog_client, bowl) | {"counted": "7"}
    catalog_client.post(admin_page_url(bowl, "count"), form)

    again = page(catalog_client.post(admin_page_url(bowl, "count"), form))

    assert "The stock has been counted since it was shown to you: it is now 7" in again.text
    bowl.refresh_from_db()
    assert bowl.stock == 7
    assert StockMove.objects.filter(product=bowl).count() == 1


@pytest.mark.parametrize("seen", [{}, {"seen_stock": "x"}, {"seen_stock": "-1", "last_count_shown": "0"}])
def test_count_is_refused_without_the_displayed_stock(catalog_client, bowl, seen):
    answer = page(
        catalog_client.post(admin_page_url(bowl, "count"), {"counted": "3", "reason": "counted"} | seen)
    )

    assert "nothing was saved" in answer.text
    bowl.refresh_from_db()
    assert bowl.stock == 10


def test_upload_to_a_full_disk_changes_nothing(browser, admin_user, monkeypatch):
    def fail(*args: object, **kwargs: object):
        raise OSError(errno.ENOSPC, "No space left on device")

    artisan = ArtisanFactory.create()
    monkeypatch.setattr(default_storage, "save", fail)
    image = SimpleUploadedFile("jug.png", png(), "image/png")

    answer = browser(admin_user).post(admin_page_url(artisan, "portrait"), {"portrait": image})

    assert "cannot be stored at the moment. Nothing was saved" in page(answer).text
    artisan.refresh_from_db()
    assert not artisan.portrait


def test_product_that_staff_take_off_sale_is_published_again_only_when_they_allow_it(
    catalog_client, browser, seller, bowl
):
    own, artisan = {"artisan": seller.artisan, "product_id": bowl.pk, "actor": seller}, browser(seller)
    address = admin_page_url(bowl, "off-sale")
    assert "This field is required." in page(catalog_client.post(address, {"reason": " "})).text
    catalog_client.post(address, {"reason": "The picture shows another bowl."})

    catalog_client.post(address, {"reason": "The picture shows another bowl."})

    mail = Notification.objects.get(kind="product_taken_off")
    assert (mail.recipient, mail.context["reason"]) == (
        seller.artisan.email,
        "The picture shows another bowl.",
    )
    bowl.refresh_from_db()
    assert (bowl.is_active, bowl.state) == (False, "taken_off")
    for prepare in (Product.refresh_from_db, lambda _product: product_archive(**own)):
        prepare(bowl)
        with pytest.raises(TakenOffSale, match="The picture shows another bowl."):
            product_publish(**own)
    shown = page(artisan.get(f"/shop/artisan/products/{bowl.pk}/"))
    assert "The picture shows another bowl." in shown.text
    change = page(catalog_client.get(admin_page_url(bowl)))
    assert change.all("input", name="is_active") == []
    catalog_client.post(admin_page_url(bowl, "allow-sale"))
    assert product_publish(**own).is_active


def test_currency_of_a_product_with_options_stays(catalog_client, bowl):
    """The prices of its variants would keep their minor units."""
    jug = ProductFactory.create(option_1="Size", stock=0, artisan=bowl.artisan)
    ProductFactory.create(parent=jug, option_1="S", artisan=bowl.artisan, category=jug.category)
    shown = page(catalog_client.get(admin_page_url(jug)))

    assert shown.all("select", name="currency") + shown.all("input", name="currency") == []
    edit(catalog_client, jug, currency="JPY")
    assert {row.currency for row in Product.objects.all()} == {"USD"}
