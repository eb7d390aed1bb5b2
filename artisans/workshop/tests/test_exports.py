"""Artisans' lists as files: the rows of the page, their own only, money for owners only."""

import csv
from io import StringIO

import pytest

from artisans.audit.models import AuditEntry
from artisans.exports.models import Export
from artisans.exports.services import export_make
from artisans.workshop.export_lists import LISTS
from artisans.workshop.exports import PAGES
from orders.models import Parcel
from payments.models import Earning
from payments.tests.factories import record, start
from tests import rows
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def sold(seller, bowl, scarf, staff):
    """A paid order with a parcel of the seller and one of someone else."""
    payment = start(items={bowl: 2, scarf: 1})
    record(payment, payment.amount.amount, actor=staff, reference="STMT-1")
    return payment.order


def exported(client, name: str, query: str = "") -> list[dict[str, str]]:
    address = f"/shop/artisan/exports/{name}/{query}"
    columns = [box.attrs["value"] for box in page(client.get(address)).all("input", name="columns")]
    answer = client.post(address, {"file_format": "csv", "columns": columns})
    assert answer.status_code == 200, answer.content
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text, newline="")))


def test_each_list_has_its_page_and_its_rows(browser, seller, bowl, sold):
    client = browser(seller)
    assert LISTS.keys() == PAGES.keys()
    own = Parcel.objects.get(order=sold, artisan=seller.artisan)
    earning = Earning.objects.get(parcel=own)

    parcels = exported(client, "parcels")
    assert [row["ID"] for row in parcels] == [str(own.pk)]
    assert parcels[0]["Total"] == own.total.amount
    assert parcels[0]["Your share"] == own.share.amount
    [earned] = exported(client, "earnings")
    assert (earned["ID"], earned["Your share"]) == (str(earning.pk), earning.net.amount)
    [line] = exported(client, "lines", "?account=pending")
    assert (line["Amount"], line["Balance"]) == (earning.net.amount, earning.net.amount)
    [stock] = exported(client, "stock")
    assert (stock["ID"], stock["In stock"]) == (str(bowl.pk), str(type(bowl).objects.get(pk=bowl.pk).stock))
    assert [row["ID"] for row in exported(client, "products")] == [str(bowl.pk)]
    assert exported(client, "products", "?q=nothing-like-it") == []
    assert exported(client, "parcels", "?filter=delivered") == []
    assert AuditEntry.objects.filter(action="list.export", actor=seller).count() == 7


def test_helpers_export_no_money_and_others_nothing(browser, seller, shopper, sold):
    helper, stranger = browser(rows.helper()), browser(shopper)
    for name, found in LISTS.items():
        address = f"/shop/artisan/exports/{name}/"
        assert helper.get(address).status_code == (404 if found.is_for_owners else 200), name
        assert stranger.get(address).status_code == 404
        assert stranger.post(address, {"file_format": "csv", "columns": ["id"]}).status_code == 404
    assert "Your share" not in exported(helper, "parcels")[0]
    assert browser(seller).get("/shop/artisan/exports/nonsense/").status_code == 404


def test_links_lead_to_the_export_of_what_is_shown(browser, seller, sold):
    client = browser(seller)
    shown = page(client.get("/shop/artisan/parcels/?filter=all"))
    [link] = [a.attrs["href"] for a in shown.all("a") if "/exports/" in a.attrs.get("href", "")]
    assert "filter=all" in link
    assert client.get(link).status_code == 200


def test_a_large_list_is_fetched_by_its_owner_only(browser, seller, shopper, sold, monkeypatch):
    monkeypatch.setattr("artisans.exports.pages.AT_ONCE", 0)
    client = browser(seller)
    answer = client.post("/shop/artisan/exports/parcels/", {"file_format": "xlsx", "columns": ["id"]})
    export = Export.objects.get()
    assert answer["Location"] == f"/shop/exports/{export.pk}/"
    assert "being prepared" in client.get(answer["Location"]).content.decode()
    assert client.get(f"/shop/exports/{export.pk}/file/").status_code == 404
    export_make(export.pk)
    assert "Download" in client.get(answer["Location"]).content.decode()
    file = client.get(f"/shop/exports/{export.pk}/file/")
    assert b"".join(file.streaming_content).startswith(b"PK")
    for path in ("", "file/"):
        assert browser(shopper).get(f"/shop/exports/{export.pk}/{path}").status_code == 404
    seller.artisan.user = rows.stranger()
    seller.artisan.save(update_fields=["user"])
    assert client.get(f"/shop/exports/{export.pk}/file/").status_code == 404, "no workshop any more"
