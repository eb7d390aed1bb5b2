"""Counting by file: strange files, what is to be expected of each line, applying it once, interruptions."""

import csv
import re
from io import StringIO
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from artisans.accounts.models import Role, User
from artisans.audit.models import AuditEntry
from artisans.catalog import stock_import
from artisans.catalog.models import Artisan, Product, StockImport, StockMove
from artisans.catalog.services import stock_adjust
from artisans.catalog.stock_files import MAX_ROWS, read_rows
from artisans.catalog.stock_import import (
    export_rows,
    rows_by_outcome,
    stock_import_create,
    stock_import_start,
)
from artisans.catalog.tasks import continue_stock_imports
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.csv_files import MAX_BYTES, FileRefused
from orders.tests.factories import place
from tests.html import page

IMPORTS = "/shop/artisan/stock/import/"
HEAD = "product_id,name,sku,seen_stock,last_count,counted\n"
KEY = "c2a8e7f0-6f5d-4b1c-8c39-4f1b7a9d2e10"
LINE = f"{KEY},Bowl,B-1,5,7,4\n"
with_shop = pytest.mark.usefixtures("store")


@pytest.mark.parametrize(
    "raw",
    [
        (HEAD + LINE).encode(),
        (HEAD + LINE).encode("utf-8-sig"),
        (HEAD + LINE).encode("utf-16"),
        ("\ufeff" + HEAD + LINE).encode("utf-16-be"),
        (HEAD + LINE).replace(",", ";").replace("\n", "\r\n").encode("cp1252"),
        (HEAD + LINE).replace(",", "\t").encode(),
        ("sep=;\n" + (HEAD + LINE).replace(",", ";")).encode(),
        (HEAD.upper() + LINE.replace("Bowl", "B\u00f6wl\u2028") + f"{KEY},not counted,,5,7,\n\n").encode(),
        f'counted,other,last_count,seen_stock,product_id\n4,"two\nlines",7,5, {KEY}'.encode(),
    ],
)
def test_files_of_all_spreadsheets_are_read(raw):
    [row] = read_rows(raw)
    assert (row.product, row.counted, row.seen_stock, row.last_count) == (KEY, 4, 5, 7)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The file is empty."),
        (b" \n ", "The file is empty."),
        (b"PK\x03\x04rest", "workbook"),
        (HEAD.encode() + b"\x00\x01", "not text"),
        ("\ufeffhalf".encode("utf-16-le")[:-1], "damaged"),
        (b"<html><body>no table</body>", "product_id, seen_stock, last_count, counted"),
        (b"name,counted\nBowl,4\n", "product_id, seen_stock, last_count"),
        (HEAD.replace("name", "counted").encode() + LINE.encode(), "columns once: counted."),
        (HEAD.encode(), "nothing to import"),
        (HEAD.encode() + b"x" * (MAX_BYTES + 1), "larger than 4 MB"),
        ((HEAD + "a,b,c,5,7,4\n" * 200_000).encode(), f"more than {MAX_ROWS} products"),
        ((HEAD + f'{KEY},"' + "x" * 200_000).encode(), "Line 2 cannot be read"),
    ],
)
def test_strange_files_are_refused_with_a_reason(raw, sentence):
    with pytest.raises(FileRefused) as refused:
        read_rows(raw)
    assert sentence in refused.value.detail


def filled(artisan, counts) -> str:
    """The export with these numbers, by product."""
    file = StringIO()
    writer = csv.writer(file)
    numbers = {str(product.pk): text for product, text in counts.items()}
    for cells in export_rows(artisan):
        number = numbers.get(str(cells[0]))
        writer.writerow([*cells[:-1], number] if number is not None else cells)
    return file.getvalue()


def upload(client, text, **changed):
    file = SimpleUploadedFile("Count <1>.csv", text.encode())
    return client.post(IMPORTS, {"file": file, "cause": "counted", "reason": "shelf"} | changed, follow=True)


def stock_of(*products: Product) -> list[int]:
    return [Product.objects.get(pk=product.pk).stock for product in products]


def run() -> None:
    continue_stock_imports()


@pytest.mark.django_db
@with_shop
def test_a_file_is_exported_checked_applied_once_and_the_same_file_again_changes_nothing(
    browser, seller, staff, bowl, scarf
):
    jug, pot, cup = (
        ProductFactory.create(artisan=seller.artisan, name=name, stock=4) for name in ("=Jug", "Pot", "Cup")
    )
    client = browser(seller)
    exported = b"".join(client.get("/shop/artisan/stock/export.csv").streaming_content).decode("utf-8-sig")
    assert f"{jug.pk},'=Jug,,4,0," in exported
    assert str(scarf.pk) not in exported
    text = filled(seller.artisan, {bowl: 7, jug: 9, pot: 4, cup: "many"}) + f"{scarf.pk},,,10,0,5\n"
    text += f"{bowl.pk},,,10,0,5\n{uuid4()},,,1,x,5\nGlass,,,1,1,1\n"
    place({bowl: 2})
    stock_adjust(product_id=jug.pk, counted=2, reason="staff", actor=staff)

    checked = upload(client, text)

    shown = page(checked).text
    address = checked.redirect_chain[-1][0]
    for sentence in (
        "Count <1>.csv",
        "Nothing was changed yet.",
        "Will be changed (1)",
        "Will not be changed (1)",
        "Refused (5)",
        "The stock has been counted since it was shown to you: it is now 2.",
        "“many” in the column “counted” is not a whole number",
        f"“{scarf.pk}” is not the id of one of your products.",
        "counts the same product.",
        "“Glass” is not the id of one of your products.",
    ):
        assert sentence in shown
    assert stock_of(bowl, jug, pot, cup, scarf) == [8, 2, 4, 4, 10]

    for _ in range(2):
        waiting = page(client.post(address, follow=True))
    assert re.search(r"5 of 8 lines are done\..*Will be changed \(1\)", waiting.text)
    run()
    assert "Counted (1)" in page(client.get(address)).text
    assert "Applied on" in page(client.get(address)).text
    assert "Unchanged (1)" in page(client.get(f"{address}?show=unchanged")).text
    assert stock_of(bowl, jug, pot, cup, scarf) == [5, 2, 4, 4, 10]  # two were sold, and stay sold
    assert AuditEntry.objects.filter(action="stock.import").count() == 1

    again = upload(client, text)
    assert "Counted before (1)" in page(again).text
    client.post(again.redirect_chain[-1][0])
    run()
    assert stock_of(bowl, jug, pot, cup, scarf) == [5, 2, 4, 4, 10]
    move = StockMove.objects.get(product=bowl, kind="adjust")
    assert (move.quantity, move.cause, move.reason, move.actor) == (-3, "counted", "shelf", seller)
    assert "Count <1>.csv" in page(client.get(IMPORTS)).text


@pytest.mark.django_db
@with_shop
def test_a_form_without_a_good_file_keeps_what_was_typed(browser, seller):
    client = browser(seller)
    for changed, sentence in (
        ({"file": ""}, "This field is required."),
        ({"file": SimpleUploadedFile("x.csv", b"")}, "The file is empty."),
        ({"cause": "x"}, "Select a valid choice"),
    ):
        answer = page(upload(client, HEAD + LINE, **changed))
        assert sentence in answer.text
        assert answer.one("main").one("form", method="post").fields()["reason"] == "shelf"
    assert not StockImport.objects.exists()
    answer = page(upload(client, HEAD + LINE))
    assert "No line can be applied." in answer.text


@pytest.mark.django_db
@with_shop
def test_other_artisans_do_not_find_it(browser, seller, other_seller, bowl):
    address = upload(browser(seller), filled(seller.artisan, {bowl: 7})).redirect_chain[-1][0]
    client = browser(other_seller)
    assert client.get(address).status_code == client.post(address).status_code == 404
    assert "Count <1>.csv" not in page(client.get(IMPORTS)).text


def imported(artisan, text, actor) -> StockImport:
    rows = read_rows(text.encode())
    return stock_import_create(
        artisan=artisan, rows=rows, file_name="x.csv", cause="counted", reason="", actor=actor
    )


class Killed(BaseException):
    """The worker dies."""


@pytest.mark.django_db
@with_shop
def test_an_import_that_was_interrupted_continues_and_applies_each_row_once(seller, bowl, monkeypatch):
    monkeypatch.setattr(stock_import, "BATCH", 2)
    products = [bowl, *(ProductFactory.create(artisan=seller.artisan, stock=10) for _ in range(5))]
    made = imported(seller.artisan, filled(seller.artisan, dict.fromkeys(products, 7)), seller)
    stock_import_start(import_id=made.pk, actor=seller)
    applied, saved = stock_import.apply_rows, []

    def die_in_the_second_batch(*args):
        applied(*args)  # its rows are counted, and not yet marked as done
        saved.append(args)
        if len(saved) == 2:
            raise Killed

    monkeypatch.setattr(stock_import, "apply_rows", die_in_the_second_batch)
    with pytest.raises(Killed):
        run()
    assert (made.rows.filter(is_done=True).count(), StockMove.objects.count()) == (2, 2)
    place({products[0]: 1, products[-1]: 1})

    run()

    made.refresh_from_db()
    assert made.finished_at
    assert rows_by_outcome(made) == {"counted": 6}
    assert stock_of(*products) == [6, 7, 7, 7, 7, 6]
    assert StockMove.objects.filter(kind="adjust").count() == 6


@pytest.mark.django_db
@with_shop
@pytest.mark.parametrize("lost", ["workshop", "role"])
def test_nothing_is_applied_for_a_person_who_no_longer_acts_for_the_workshop(seller, bowl, lost):
    made = imported(seller.artisan, filled(seller.artisan, {bowl: 7}), seller)
    stock_import_start(import_id=made.pk, actor=seller)
    if lost == "workshop":
        Artisan.objects.filter(user=seller).update(user=None)
    else:
        User.objects.filter(pk=seller.pk).update(role=Role.SHOPPER)

    run()

    row = made.rows.get()
    assert (row.outcome, row.problem, stock_of(bowl)) == ("refused", "no_access", [10])


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.usefixtures("store", "broken_books")  # the products have no search documents
def test_five_thousand_lines_with_thirty_faults(seller, bowl, django_assert_max_num_queries):
    products = [
        Product(
            artisan=seller.artisan,
            category=bowl.category,
            slug=f"p-{n}",
            name=f"P {n}",
            price_minor=100,
            stock=9,
        )
        for n in range(5000)
    ]
    Product.objects.bulk_create(products)
    lines = [f"{product.pk},{product.name},,9,0,8" for product in products]
    for n in range(10):
        lines[n * 300] = f"{uuid4()},,,9,0,8"
        lines[n * 300 + 1] = f"{products[n * 300 + 1].pk},,,9,0,8.5"
        lines[n * 300 + 2] = f"{products[n * 300 + 3].pk},,,9,0,8"
    with django_assert_max_num_queries(100):
        made = imported(seller.artisan, HEAD + "\n".join(lines), seller)
    assert rows_by_outcome(made) == {"counted": 4970, "refused": 30}
    stock_import_start(import_id=made.pk, actor=seller)

    run()

    assert rows_by_outcome(made) == {"counted": 4970, "refused": 30}
    own = Product.objects.filter(artisan=seller.artisan)
    assert (own.filter(stock=8).count(), own.filter(stock=9).count()) == (4970, 30)
    assert set(made.rows.filter(outcome="refused").values_list("problem", flat=True)) == {
        "unknown_product",
        "not_a_number",
        "counted_twice",
    }
