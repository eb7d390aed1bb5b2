import pytest
from django.contrib.auth.models import Group

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan, Product, StockMove
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory
from artisans.core.admin import page_of
from tests.html import page

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper(browser):
    user = UserFactory.create(email="keeper@example.test", role=Role.STAFF)
    user.groups.set(Group.objects.filter(name="Catalogue desk"))
    return browser(user)


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
        "in_stock": "4",
    } | changes


def test_a_product_is_added_with_its_price_as_people_write_it(keeper):
    answer = keeper.post("/admin/catalog/product/add/", form())

    assert answer.status_code == 302
    product = Product.objects.get(slug="blue-jug")
    assert (product.price_minor, product.stock) == (8545, 4)
    assert StockMove.objects.get(product=product).quantity == 4


def test_a_price_in_yen_has_no_decimals(keeper):
    shown = page(keeper.post("/admin/catalog/product/add/", form(currency="JPY")))
    assert "JPY has 0 decimals" in shown.text

    keeper.post("/admin/catalog/product/add/", form(currency="JPY", price="8500"))
    assert Product.objects.get().price_minor == 8500


@pytest.mark.parametrize("price", ["", "0", "0.00", "-1", "1e3", "12,50", "1.234", "free"])
def test_wrong_prices_are_refused(keeper, price):
    answer = keeper.post("/admin/catalog/product/add/", form(price=price))

    assert answer.status_code == 200
    assert Product.objects.count() == 0


def test_stock_is_not_changed_by_the_form(keeper, bowl):
    shown = page(keeper.get(page_of(bowl)))
    assert shown.one("input", name="price").attrs["value"] == "85.45"
    assert shown.all("input", name="stock") + shown.all("input", name="in_stock") == []

    changed = form(
        name="Moss bowl", slug="moss-bowl", artisan=bowl.artisan_id, price="90", stock="99", in_stock="99"
    )
    assert keeper.post(page_of(bowl), changed).status_code == 302

    bowl.refresh_from_db()
    assert (bowl.price_minor, bowl.stock) == (9000, 10)


def test_stock_is_counted_on_a_page_of_its_own(keeper, bowl):
    address = page_of(bowl, "count")
    assert page(keeper.get(address)).one("input", name="counted").attrs["value"] == "10"

    refused = page(keeper.post(address, {"counted": "7", "reason": " "}))
    assert "This field is required" in refused.text
    told = page(keeper.post(address, {"counted": "7", "reason": "three broke"}, follow=True))

    assert "7 pieces of Moss bowl can be sold now." in told.text
    bowl.refresh_from_db()
    assert bowl.stock == 7
    assert AuditEntry.objects.get(action="stock.adjust").actor_name == "keeper@example.test"


def test_counting_needs_the_job(browser, staff, bowl):
    assert browser(staff).post(page_of(bowl, "count"), {"counted": "0", "reason": "x"}).status_code == 403


def test_commission_is_a_percentage(keeper, bowl):
    artisan = bowl.artisan
    data = {
        "name": artisan.name,
        "slug": artisan.slug,
        "email": artisan.email,
        "craft": "Potter",
        "town": "Astoria",
    }

    assert keeper.post(page_of(artisan), data | {"commission": "12.5", "is_active": "on"}).status_code == 302
    artisan.refresh_from_db()
    assert artisan.commission_ppm == 125_000
    assert page(keeper.get(page_of(artisan))).one("input", name="commission").attrs["value"] == "12.5"
    assert keeper.post(page_of(artisan), data | {"commission": "101"}).status_code == 200


def test_goods_and_sellers_are_switched_off_not_deleted(browser, admin_user, bowl):
    for row in (bowl, bowl.artisan):
        assert browser(admin_user).post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
