"""Artisans are emailed about low stock: once, for several products in one email, and again only after it rose."""

import pytest
from django.utils import timezone

from artisans.catalog.low_stock import RECENT
from artisans.catalog.models import Product, StockMove, StockWatch
from artisans.catalog.services import stock_adjust
from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.models import Notification
from artisans.workshop.tasks import tell_low_stock
from orders.tests.factories import place
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

STOCK = "/shop/artisan/stock/"


def emailed() -> list[list[tuple[str, int]]]:
    """Run the task; the products of each email that it wrote."""
    before = set(Notification.objects.values_list("pk", flat=True))
    tell_low_stock()
    written = Notification.objects.filter(kind="stock_low").exclude(pk__in=before)
    return [[(row["name"], row["stock"]) for row in mail.context["products"]] for mail in written]


def test_one_email_for_a_burst_of_orders_and_another_only_when_sold_out_or_after_it_rose(seller, staff, bowl):
    jug = ProductFactory.create(artisan=seller.artisan, name="Jug", stock=3)
    ProductFactory.create(artisan=seller.artisan, name="Never sold", stock=1)
    draft = ProductFactory.create(artisan=seller.artisan, name="Draft", stock=4)
    stock_adjust(product_id=draft.pk, counted=1, reason="x", actor=staff)
    Product.objects.filter(pk=draft.pk).update(is_active=False)
    assert emailed() == []
    for _ in range(4):
        place({bowl: 2})
    place({jug: 2})

    assert emailed() == [[("Jug", 1), ("Moss bowl", 2)]]
    assert Notification.objects.get(kind="stock_low").recipient == seller.artisan.email
    place({bowl: 1})
    assert emailed() == []
    place({jug: 1})
    assert emailed() == [[("Jug", 0)]]
    stock_adjust(product_id=jug.pk, counted=2, reason="x", actor=staff)  # still low
    assert emailed() == []
    place({jug: 2})
    assert emailed() == [[("Jug", 0)]]
    stock_adjust(product_id=jug.pk, counted=5, reason="x", actor=staff)
    assert emailed() == []
    place({jug: 4})
    assert emailed() == [[("Jug", 1)]]


def test_artisans_set_a_threshold_for_a_product_and_see_those_below(browser, seller, other_seller, bowl):
    client, address = browser(seller), f"{STOCK}{bowl.pk}/"
    form = page(client.get(address)).one("main").all("form", method="post")[-1].fields()
    for wrong in ("-1", "x", "1000001"):
        answer = page(client.post(address, form | {"threshold": wrong}))
        assert answer.one("main").all("form", method="post")[-1].fields()["threshold"] == wrong
    assert not StockWatch.objects.exists()
    assert browser(other_seller).post(address, form | {"threshold": "9"}).status_code == 404

    client.post(address, form | {"threshold": "9"})
    place({bowl: 1})

    assert emailed() == [[("Moss bowl", 9)]]
    assert bowl.name in page(client.get(f"{STOCK}?show=low")).text
    client.post(address, form | {"threshold": "0"})
    assert bowl.name not in page(client.get(f"{STOCK}?show=low")).text
    assert emailed() == []


def test_what_fell_long_ago_is_no_news(bowl, monkeypatch):
    """Such as in a shop that was upgraded."""
    place({bowl: 9})
    monkeypatch.setattr("artisans.catalog.low_stock.RECENT", -RECENT)
    assert emailed() == []
    monkeypatch.undo()
    assert StockMove.objects.latest("at").at < timezone.now()
    assert emailed() == [[("Moss bowl", 1)]]


def test_nothing_counts_as_emailed_when_the_email_was_not_written(bowl, monkeypatch):
    place({bowl: 9})
    with monkeypatch.context() as patch:
        patch.setattr("artisans.workshop.tasks.notifications_enqueue", lambda *_: 1 / 0)
        assert emailed() == []
    assert emailed() == [[("Moss bowl", 1)]]
