"""The example of docs/ledger.md, worked by hand: three artisans, two rates with limits, tax remitted by the shop.

Goods are taxed at 10 %, commission at 20 %; shipping is 5.99. All amounts in cents.

                     A: bowl        B: 3 scarves   C: 2 spoons    order
goods                8545           9999           1554           20098
tax                  855            1000           155            2010
shipping             255            298            46             599
total                9655           11297          1755           22707
rate                 10 %, min 1000 12.5 %, cap 900, on shipping; 8 % + 100
commission           1000           900            224            2124
tax on commission    200            180            45             425
net                  7600           9217           1331           18148
One scarf refunded:  36.66, of it net 2983, commission 291, tax on it 59, sales tax 333.
PayPal's fee         358            418            65             841
tax on it            72             84             13             169
net less both        7170           8715           1253           17138
"""

from datetime import timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from artisans.catalog.models import CommissionRate
from artisans.catalog.tests.factories import ProductFactory
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import LedgerPosting
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.methods import PaymentMethod
from payments.models import Earning
from payments.reconciliation.runs import reconcile
from payments.refunds.staff import refund_open
from payments.tests.factories import reread, start, unit_selection
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def spoon():
    return ProductFactory.create(name="Spoon", price_minor=777)


@pytest.fixture
def bearer():
    """Who bears the fees of payment providers."""
    return "shop"


@pytest.fixture
def paid(store, bearer, bowl, scarf, spoon, shopper, paypal):
    store.commission_tax_ppm, store.tax_remitter = 200_000, "shop"
    store.payment_fee_bearer = bearer
    store.save()
    terms = {
        bowl: {"rate_ppm": 100_000, "minimum_minor": 1000},
        scarf: {"rate_ppm": 125_000, "cap_minor": 900, "on_shipping": True},
        spoon: {"rate_ppm": 80_000, "fixed_minor": 100},
    }
    for product, rate in terms.items():
        since = timezone.now() - timedelta(days=1)
        CommissionRate.objects.create(artisan=product.artisan, currency="USD", valid_from=since, **rate)
    payment = start(PaymentMethod.PAYPAL, {bowl: 1, scarf: 3, spoon: 2}, user=shopper)
    payment_ensure_at_provider(payment)
    paypal.approve(reread(payment))
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def booked() -> dict[str, int]:
    """Debit balances by kind, without those that are zero."""
    rows = LedgerPosting.objects.order_by().values_list("account__kind").annotate(Sum("amount_minor"))
    return {kind: minor for kind, minor in rows if minor}


def of_artisans(*products) -> list[int]:
    owed = LedgerPosting.objects.filter(account__kind=AccountKind.SELLER_PENDING)
    return [
        -owed.filter(account__artisan=product.artisan).aggregate(sum=Sum("amount_minor"))["sum"]
        for product in products
    ]


def test_ledger_earnings_and_provider_agree_with_the_table(paid, paypal, bowl, scarf, spoon, staff):
    assert sum(paypal.cents("capture.completed")) == 22707
    accounts = {"provider": 22707, "seller_pending": -18148, "commission": -2124, "fee_tax": -425}
    assert booked() == {**accounts, "sales_tax": -2010}
    assert of_artisans(bowl, scarf, spoon) == [7600, 9217, 1331]
    nets = dict(Earning.objects.values_list("artisan", "net_minor"))
    assert [nets[product.artisan_id] for product in (bowl, scarf, spoon)] == [7600, 9217, 1331]

    line = paid.order.lines.get(product=scarf)
    refund_open(payment_id=paid.pk, items=unit_selection((line, 1)), reason="torn", actor=staff)
    process_due()

    assert sum(paypal.cents("refund.completed")) == 3666
    accounts = {"provider": 22707 - 3666, "seller_pending": -15165, "commission": -1833, "fee_tax": -366}
    assert booked() == {**accounts, "sales_tax": -1677}
    assert of_artisans(bowl, scarf, spoon) == [7600, 6234, 1331]


@pytest.mark.parametrize("bearer", ["artisan"])
def test_artisans_bear_the_fee_that_paypal_keeps_and_a_refund_does_not_give_it_back(
    paid, bowl, scarf, spoon, staff
):
    accounts = {"provider": 22707, "seller_pending": -17138, "commission": -2124, "fee_recovered": -841}
    assert booked() == {**accounts, "fee_tax": -425 - 169, "sales_tax": -2010}
    assert of_artisans(bowl, scarf, spoon) == [7170, 8715, 1253]

    reconcile("paypal", until=timezone.now() + timedelta(minutes=1))  # the movement says the same

    assert booked() == {
        **accounts,
        "provider": 22707 - 841,
        "provider_fee": 841,
        "fee_tax": -425 - 169,
        "sales_tax": -2010,
    }
    line = paid.order.lines.get(product=scarf)
    refund_open(payment_id=paid.pk, items=unit_selection((line, 1)), reason="torn", actor=staff)
    process_due()

    assert of_artisans(bowl, scarf, spoon) == [7170, 8715 - 2983, 1253]
    assert booked()["fee_recovered"] == -841
