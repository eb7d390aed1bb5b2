"""Exports in Chromium: forms without scripts on a phone, the files, and one that waits for the worker."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, expect

from artisans.accounts.models import Role, User
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.models import Category
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory, ProductFactory
from artisans.core.admin.pages import admin_list_url
from artisans.exports.models import IS_RUNNING, Export
from artisans.exports.services import AT_ONCE, TASK
from artisans.workshop.export_lists import SOURCE
from orders.tests.factories import store_of
from payments.models import ProviderRequest
from tests.live.browser import PHONE, Window
from tests.live.conftest import empty_database
from tests.live.runner import Shop, wait_for
from tests.rows import seller

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]


@pytest.fixture(scope="module")
def shop(postgres_only, production) -> Iterator[Shop]:
    empty_database()
    store_of()
    with production() as shop:
        shop.start(worker=False)
        yield shop


@pytest.fixture(scope="module")
def admin(shop) -> User:
    return UserFactory.create(is_superuser=True, role=Role.STAFF)


@pytest.fixture(scope="module")
def artisan(shop) -> User:
    return seller()


@pytest.fixture(scope="module")
def bowls(artisan) -> Category:
    """Two products of the artisan, and one of someone else's in another category."""
    bowls = CategoryFactory.create(name="Bowls")
    for name in ("Moss bowl", "=Ash bowl"):
        ProductFactory.create(name=name, category=bowls, artisan=artisan.artisan)
    ProductFactory.create(name="Lamp", artisan=ArtisanFactory.create())
    return bowls


def file_of(one: Window, button: Locator) -> Path:
    with one.page.expect_download() as download:
        button.click()
    return Path(download.value.path())


def download(one: Window) -> Path:
    return file_of(one, one.page.get_by_role("button", name="Download"))


def csv_rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def xlsx_texts(file: Path) -> list[str]:
    """The texts of the first sheet."""
    with ZipFile(file) as book:
        return re.findall(r"<t>(.*?)</t>", book.read("xl/worksheets/sheet1.xml").decode())


def look(one: Window) -> None:
    one.page.set_viewport_size(PHONE)
    assert one.violations() == []
    assert one.overflow() == ""


def start_export(one: Window, address: str) -> None:
    """From the list to the form."""
    one.go(address)
    one.page.get_by_role("link", name="Export", exact=True).click()
    expect(one.page.locator("[name=file_format]").first).to_be_attached()


def test_staff_export_a_filtered_list_without_scripts_on_a_phone(window, admin, bowls):
    one = window(admin, java_script_enabled=False, viewport=PHONE)

    start_export(one, f"/admin/catalog/product/?category__id__exact={bowls.pk}")

    expect(one.page.get_by_text("2 rows will be exported.")).to_be_visible()
    expect(one.page.locator(".aa-facts dd")).to_have_text(["Bowls"])
    rows = csv_rows(download(one))
    assert sorted(row["Name"] for row in rows) == ["'=Ash bowl", "Moss bowl"]
    assert {(row["Price"], row["Price: currency"]) for row in rows} == {("85.45", "USD")}
    one.page.get_by_label("Excel (XLSX)").check()
    texts = xlsx_texts(download(one))
    assert {"Name", "Moss bowl", "=Ash bowl"} <= {*texts}
    assert "Lamp" not in texts


def test_artisan_exports_own_products_without_scripts_on_a_phone(window, artisan, bowls):
    one = window(artisan, java_script_enabled=False, viewport=PHONE)

    start_export(one, "/shop/artisan/products/")

    assert sorted(row["Name"] for row in csv_rows(download(one))) == ["'=Ash bowl", "Moss bowl"]


def test_forms_are_accessible(shared_window, admin, artisan, bowls):
    one = shared_window(admin)
    one.go(f"/admin/catalog/product/export/?category__id__exact={bowls.pk}")
    look(one)
    one = shared_window(artisan)
    start_export(one, "/shop/artisan/products/")
    look(one)
    for box in one.page.get_by_role("checkbox").all():
        box.uncheck()
    one.press("Download")
    expect(one.page.get_by_text("Choose at least one column.").first).to_be_visible()
    look(one)


def test_large_list_waits_for_the_worker_and_is_downloaded(window, shop, admin, artisan, bowls):
    request = {"provider": "stripe", "operation": "GET", "duration_ms": 1, "outcome": "unknown"}
    rows = [ProviderRequest(started_at=timezone.now(), **request) for _ in range(AT_ONCE + 1)]
    ProviderRequest.objects.bulk_create(rows, batch_size=5000)
    staff_page, artisan_page = window(admin), window(artisan)
    start_export(staff_page, admin_list_url(ProviderRequest))
    for box in staff_page.page.locator("main").get_by_role("checkbox").all()[1:]:
        box.uncheck()
    staff_page.press("Prepare the file")
    of_artisan = Export.objects.create(
        owner=artisan,
        list_name=f"{SOURCE}:products",
        chosen=["id", "name"],
        file_format="csv",
        is_stored=True,
    )
    artisan_page.go(f"/shop/exports/{of_artisan.pk}/")
    for one in (staff_page, artisan_page):
        expect(one.page.get_by_text("being prepared")).to_be_visible()
        look(one)

    shop.worker.start()
    shop.trigger(TASK, str(of_artisan.pk))
    wait_for(lambda: not Export.objects.filter(IS_RUNNING).exists())

    for one, count in ((staff_page, AT_ONCE + 1), (artisan_page, 2)):
        one.follow("Check again")
        button = one.page.locator("main").get_by_role("link", name="Download")
        expect(button).to_be_visible()
        look(one)
        assert len(csv_rows(file_of(one, button))) == count
