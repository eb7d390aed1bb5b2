"""An order whose prices include tax, by hand: two artisans, shipping taxed as the goods, tax remitted by the shop.

All is taxed at 19 %, commission at 20 %. All amounts in cents.

                     A: bowl        B: 3 scarves   order
goods                11900          10710          22610
shipping             313            282            595
total                12213          10992          23205
tax in goods         1900           1710           3610
tax in shipping      50             45             95
rate, of net prices  10 %           12.5 %, on shipping
commission           1000           1125 + 30      2155
tax on commission    200            225 + 6        431
net                  9063           7851           16914
One scarf refunded:  3570, of it net 2550, commission 375, tax on it 75, sales tax 570.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.catalog.models import CommissionRate
from orders.quoting import quote_products
from orders.tests.factories import place, places_of
from payments.gateway.operations import breakdown
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.lifecycle.start import payment_start
from payments.methods import PaymentMethod
from payments.models import Earning
from payments.providers.paypal.orders import adds_up, breakdown_of
from payments.refunds.staff import refund_open
from payments.tests.factories import reread, unit_selection
from payments.tests.periodic import process_due
from payments.tests.test_worked_example import booked, of_artisans

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def paid(store, bowl, scarf, shopper, paypal):
    store.prices_include_tax, store.tax_rate_ppm, store.shipping_tax = True, 190_000, "goods"
    store.shipping_minor, store.commission_tax_ppm, store.tax_remitter = 595, 200_000, "shop"
    store.save()
    places_of(store)
    rates = {
        bowl: {"rate_ppm": 100_000},
        scarf: {"rate_ppm": 125_000, "on_shipping": True},
    }
    for product, rate in rates.items():
        since = timezone.now() - timedelta(days=1)
        CommissionRate.objects.create(artisan=product.artisan, currency="USD", valid_from=since, **rate)
    for product, price in ((bowl, 11_900), (scarf, 3570)):
        product.price_minor = price
        product.save()
    offer = quote_products([(bowl, 1), (scarf, 3)], store=store)
    placed = place({bowl: 1, scarf: 3}, user=shopper, quote=offer)
    payment = payment_start(placed, method=PaymentMethod.PAYPAL, store=store)
    payment_ensure_at_provider(payment)
    paypal.approve(reread(payment))
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def test_ledger_earnings_and_refunds_agree_with_the_table(paid, paypal, bowl, scarf, staff):
    order = paid.order
    assert sum(paypal.cents("capture.completed")) == 23205
    assert (order.total_minor, order.tax_minor, order.tax_added.minor) == (23205, 3705, 0)
    accounts = {"provider": 23205, "seller_pending": -16914, "commission": -2155, "fee_tax": -431}
    assert booked() == {**accounts, "sales_tax": -3705}
    assert of_artisans(bowl, scarf) == [9063, 7851]
    assert sorted(Earning.objects.values_list("net_minor", flat=True)) == [7851, 9063]

    line = order.lines.get(product=scarf)
    refund_open(payment_id=paid.pk, items=unit_selection((line, 1)), reason="torn", actor=staff)
    process_due()

    assert sum(paypal.cents("refund.completed")) == 3570
    accounts = {"provider": 19635, "seller_pending": -14364, "commission": -1780, "fee_tax": -356}
    assert booked() == {**accounts, "sales_tax": -3135}

    rest = unit_selection((line, 2), (order.lines.get(product=bowl), 1), shipping=True)
    refund_open(payment_id=paid.pk, items=rest, reason="torn", actor=staff)
    process_due()

    assert sum(paypal.cents("refund.completed")) == 23205
    assert booked() == {}


def test_providers_are_shown_the_prices_and_no_tax_besides(paid):
    parts = breakdown(paid.order)

    assert adds_up(parts, paid.order.total)
    assert breakdown_of(parts)["item_total"]["value"] == "226.10"
    assert not parts.tax


def test_page_of_the_order_says_that_prices_include_tax(paid, client):
    page = client.get(f"/shop/orders/{paid.order.access_token}/").content.decode()

    assert "Including tax" in page
