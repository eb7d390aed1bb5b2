"""One purchase in Chromium against the shop that `make run` starts: SQLite, one web process."""

import pytest
from django.db import connection

from artisans.accounts.models import User
from artisans.catalog.models import Product
from orders.statuses import OrderPaymentStatus
from tests.live.runner import Shop

pytestmark = [pytest.mark.browser_sqlite, pytest.mark.usefixtures("transactional_db")]


@pytest.fixture(scope="module")
def shop(database, request) -> Shop:
    if connection.vendor != "sqlite":
        pytest.skip("Unset DATABASE_URL, or run `make test`.")
    found: Shop = request.getfixturevalue("demo_shop")
    return found


def test_purchase_from_catalogue_to_recorded_receipt(window):
    """A guest pays for products of two artisans by transfer; staff record the receipt."""
    teapot = Product.objects.get(price_minor=8545)
    other = Product.objects.filter(stock=500).exclude(artisan=teapot.artisan).order_by("slug")[0]
    one = window()
    button = one.fill_checkout(teapot, other, email="guest@example.test")
    label = button.inner_text()
    order = one.place()
    assert f"${order.total.amount}" in label
    assert "Awaiting transfer" in one.text()
    window(User.objects.get(email="staff@demo.test")).record_money(order)
    one.page.reload()
    assert "Your order is paid" in one.text()
    order.refresh_from_db()
    assert order.payment_status == OrderPaymentStatus.PAID
    teapot.refresh_from_db()
    assert teapot.stock == 499
