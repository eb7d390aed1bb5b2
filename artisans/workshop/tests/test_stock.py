"""An artisan's pages of stock: counting, conflicts and history."""

import csv
from io import StringIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.audit.models import AuditEntry
from artisans.catalog.low_stock import low, threshold_set
from artisans.catalog.models import Product, StockMove
from artisans.catalog.services import stock_adjust
from artisans.catalog.tests.factories import ProductFactory
from artisans.catalog.variants import VariantInput, variants_change
from orders.services.closing import order_close
from orders.statuses import OrderStatus
from orders.tests.factories import place
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

STOCK = "/shop/artisan/stock/"


@pytest.fixture
def jug(seller) -> Product:
    return ProductFactory.create(artisan=seller.artisan, name="Jug", stock=3, sku="JUG-1")


def form_of(client, address=STOCK):
    return page(client.get(address)).one("main").all("form", method="post")[0].fields()


def stock_of(*products: Product) -> list[int]:
    return [Product.objects.get(pk=product.pk).stock for product in products]


def test_several_products_are_counted_at_once_and_each_row_says_what_came_of_it(
    browser, seller, staff, bowl, jug
):
    client = browser(seller)
    plate = ProductFactory.create(artisan=seller.artisan, name="Plate", stock=4)
    cup = ProductFactory.create(artisan=seller.artisan, name="Cup", stock=4)
    pot = ProductFactory.create(artisan=seller.artisan, name="Pot", stock=4)
    form = form_of(client) | {"cause": "damaged", "reason": "fell <down>"}
    form["product"] = [str(product.pk) for product in (bowl, jug, plate, cup, pot)]
    place({bowl: 2})
    place({pot: 3})
    stock_adjust(product_id=jug.pk, counted=9, reason="staff", actor=staff)
    typed = {bowl: "9", jug: "2", plate: "4", cup: "two", pot: "2"}
    form |= {f"counted-{product.pk}": text for product, text in typed.items()}

    answer = page(client.post(STOCK, form))

    assert stock_of(bowl, jug, plate, cup, pot) == [7, 9, 4, 4, 1]
    again = answer.one("main").all("form", method="post")[0].fields()
    shown = {product: again[f"counted-{product.pk}"] for product in typed}
    assert shown == {bowl: "", jug: "2", plate: "", cup: "two", pot: "2"}
    for sentence in (
        "Jug: The stock has been counted since it was shown to you: it is now 9. Nothing was changed.",
        "Cup: Enter a whole number from 0 to 1,000,000.",
        "Pot: 4 were shown to you, but 3 have been sold since: the remaining 1 cannot be reduced by 2.",
    ):
        assert sentence in answer.text
    assert (again["cause"], again["reason"]) == ("damaged", "fell <down>")
    assert AuditEntry.objects.filter(action="stock.adjust", actor=seller).count() == 1

    client.post(STOCK, again | {f"counted-{cup.pk}": "2", "product": form["product"]})
    assert stock_of(bowl, jug, plate, cup, pot) == [7, 2, 4, 2, 2]


def test_a_form_sent_twice_counts_once_and_says_so(browser, seller, jug):
    client = browser(seller)
    form = form_of(client) | {f"counted-{jug.pk}": "7", "cause": "made"}

    for text in ("1 product was changed.", "0 products were changed. 1 already correct."):
        answer = page(client.post(STOCK, form, follow=True))
        assert text in answer.text

    assert stock_of(jug) == [7]
    assert StockMove.objects.get(product=jug).cause == "made"


def test_a_row_that_is_refused_keeps_the_stock_that_its_number_was_compared_with(browser, seller, jug):
    """What is sold before it is corrected stays sold."""
    client = browser(seller)
    form = form_of(client) | {"cause": "damaged"}
    place({jug: 1})

    refused = page(client.post(STOCK, form | {f"counted-{jug.pk}": "two"}))
    again = refused.one("main").all("form", method="post")[0].fields()
    client.post(STOCK, again | {f"counted-{jug.pk}": "2"})

    assert stock_of(jug) == [1]  # three, less one sold and one broken


def test_what_a_form_lacks_changes_nothing(browser, seller, other_seller, jug, scarf):
    client = browser(seller)
    form = form_of(client) | {f"counted-{jug.pk}": "7", "cause": "made"}
    key = f"seen-{jug.pk}"

    for broken, text in (
        ({"cause": "x"}, "Select a valid choice"),
        ({"reason": "x" * 201}, "at most 200 characters"),
        ({key: "x"}, "did not say which stock it showed"),
        ({f"counted-{jug.pk}": "1000001"}, "Enter a whole number"),
        ({f"counted-{jug.pk}": " "}, "No number was entered"),
    ):
        answer = page(client.post(STOCK, form | broken, follow=True))
        assert text in answer.text
        assert stock_of(jug) == [3]
    for product in (scarf.pk, "x"):
        assert client.post(STOCK, form | {"product": str(product)}).status_code == 404
    assert stock_of(scarf) == [10]


def test_list_is_filtered_and_searched_and_takes_a_constant_number_of_queries(browser, seller, jug, scarf):
    client = browser(seller)
    ProductFactory.create(artisan=seller.artisan, name="Empty vase", stock=0)
    parent = ProductFactory.create(
        artisan=seller.artisan, name="Bowl of many sizes", option_1="Size", stock=0
    )

    assert "Empty vase" in page(client.get(STOCK)).text
    for hidden in (scarf.name, parent.name):
        assert hidden not in page(client.get(STOCK)).text
    sold_out = page(client.get(f"{STOCK}?show=sold_out")).text
    assert ("Empty vase" in sold_out, "Jug" in sold_out) == (True, False)
    for q in ("jug", "JUG-"):
        found = page(client.get(f"{STOCK}?q={q}")).text
        assert ("Empty vase" in found, "Jug" in found) == (False, True)
    assert "Nothing here" in page(client.get(f"{STOCK}?q=%00zzz")).text

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(STOCK)
        return len(found)

    before = queries()
    ProductFactory.create_batch(5, artisan=seller.artisan)
    assert queries() == before


def test_units_that_return_to_a_product_with_variants_are_seen_and_counted(browser, api, seller, jug):
    """They were ordered before it had options."""
    client, own = browser(seller), {"artisan": seller.artisan, "product_id": jug.pk, "actor": seller}
    order = place({jug: 2}).order
    variants_change(option_names=["Size"], variants=[VariantInput(("Small",), 2000)], **own)
    assert stock_of(jug) == [0]  # the unit that was left
    assert jug.sku not in page(client.get(STOCK)).one("main").text

    order_close(order, OrderStatus.EXPIRED, cause="not paid in time")
    variants_change(option_names=["Size"], variants=[VariantInput(("Large",), 3000)], **own)

    assert stock_of(jug) == [2]
    assert "Sold as its variants now" in page(client.get(STOCK)).text
    assert str(jug.pk) in b"".join(client.get(f"{STOCK}export.csv").streaming_content).decode()
    assert str(jug.pk) in [row["id"] for row in api(seller).get("/artisan/stock/").json()["results"]]
    small = Product.objects.get(parent=jug, option_1="Small")
    form = form_of(client) | {f"counted-{jug.pk}": "0", f"counted-{small.pk}": "2", "cause": "counted"}
    form["product"] = [str(jug.pk), str(small.pk)]
    for _ in range(2):  # the second time it is no longer listed
        assert client.post(STOCK, form).status_code == 302
    assert stock_of(jug, small) == [0, 2]
    address = f"{STOCK}{jug.pk}/"
    assert "sold as variants" in page(client.get(address)).text
    assert api(seller).get(f"/artisan/stock/{jug.pk}/history").status_code == 200


def test_history_says_who_what_why_and_the_stock_after_it(browser, seller, staff, jug, monkeypatch):
    monkeypatch.setattr("artisans.workshop.stock.PER_PAGE", 2)
    client, address = browser(seller), f"{STOCK}{Product.objects.get(name='Jug').pk}/"
    assert "has never changed" in page(client.get(address)).text
    client.post(
        address, form_of(client, address) | {f"counted-{jug.pk}": "8", "cause": "made", "reason": "=1+1"}
    )
    order = place({jug: 2})
    stock_adjust(product_id=jug.pk, counted=5, reason="staff looked", actor=staff)

    client.get(address)  # shows the message
    first = page(client.get(address))
    rows = [row.text for row in first.one("main").all("ul", class_="rows-list")[-1].all("li")]
    second = page(client.get(address + first.one("a", rel="next").attrs["href"]))
    downloaded = b"".join(client.get(f"{address}history.csv").streaming_content).decode("utf-8-sig")

    assert "staff looked The shop Quantity -1 Stock 5" in rows[0]
    assert f"order {order.order.order_number} Quantity -2 Stock 6" in rows[1]
    assert "New items made" in second.text
    assert "=1+1 You Quantity +5 Stock 8" in second.text
    back = second.one("a", rel="prev").attrs["href"]
    assert page(client.get(address + back)).text == first.text
    table = list(csv.reader(StringIO(downloaded)))
    assert [row[1:] for row in table] == [
        ["What", "Note", "Who", "Quantity", "Stock"],
        ["New items made", "'=1+1", "You", "5", "8"],
        ["Ordered", f"order {order.order.order_number}", "", "-2", "6"],
        ["Stock count", "staff looked", "The shop", "-1", "5"],
    ]
    for query in ("before=x", f"after={'9' * 40}"):
        assert "staff looked" in page(client.get(f"{address}?{query}")).text


def test_another_artisan_does_not_find_it(browser, other_seller, jug):
    client = browser(other_seller)
    for address in (f"{STOCK}{jug.pk}/", f"{STOCK}{jug.pk}/history.csv"):
        assert client.get(address).status_code == 404
    assert jug.name not in page(client.get(STOCK)).text


def test_product_that_got_options_meanwhile_keeps_what_was_typed_beside_it(browser, seller, jug):
    """It had no stock, so that nothing was counted when it got them."""
    client, own = browser(seller), {"artisan": seller.artisan, "product_id": jug.pk, "actor": seller}
    other = ProductFactory.create(artisan=seller.artisan, name="Cup", stock=0)
    stock_adjust(product_id=jug.pk, counted=0, reason="sold", actor=seller)
    form = page(client.get(STOCK)).one("main").all("form")[1].fields()
    variants_change(option_names=["Size"], variants=[VariantInput(("Small",), 2000)], **own)

    typed = {f"counted-{jug.pk}": "4", f"counted-{other.pk}": "3", "cause": "counted"}
    rows = {"product": [str(jug.pk), str(other.pk)]}
    shown = page(client.post(STOCK, {**form, **typed, **rows}))

    assert "This product is now sold as its variants." in shown.one(class_="error-summary").text
    assert shown.one("input", id=f"counted-{jug.pk}").attrs["value"] == "4"
    assert (stock_of(jug), stock_of(other)) == ([0], [3])


def test_low_stock_number_of_the_workshop_holds_for_products_without_their_own(browser, seller, jug):
    client = browser(seller)
    own = ProductFactory.create(artisan=seller.artisan, name="Cup", stock=5)
    ProductFactory.create(artisan=seller.artisan, name="Vase", stock=5)
    threshold_set(product=own, threshold=1)

    def names() -> list[str]:
        return [product.name for product in low(seller.artisan.products.order_by("name"))]

    assert names() == []
    client.post(STOCK, {"threshold": "5"})
    assert names() == [jug.name, "Vase"]
    assert "Empty: 5." in page(client.get(f"{STOCK}{own.pk}/")).text
    shown = page(client.post(STOCK, {"threshold": "x"}))
    assert shown.one("input", name="threshold").attrs["value"] == "x"
    client.post(STOCK, {"threshold": ""})
    assert names() == []
