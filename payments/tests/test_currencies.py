"""Payments, refunds and disputes in currencies of every kind, kept or converted by the provider: exact everywhere."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import ProductPrice
from artisans.catalog.services import products_lock
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.ledger.explanations import explain
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import balances
from artisans.notifications.models import Notification
from artisans.notifications.rendering import render
from artisans.regions.models import ShopCurrency
from artisans.shipping.models import ShippingMethod
from orders.models import Order
from orders.pricing import TaxTerms
from orders.quoting import home, offer_products
from orders.selectors import store_rules
from orders.services.placing import PlacedOrder, order_place
from orders.statuses import ParcelDecision
from orders.tests.factories import buyer_of, place, quoted
from payments.bookkeeping import movements
from payments.bookkeeping.ledger import find_ledger_errors
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.lifecycle.saved_methods import method_save
from payments.lifecycle.start import payment_start
from payments.mails import PaymentMail
from payments.methods import PaymentMethod
from payments.models import Payment, ProviderMovement, ReconciliationRun
from payments.providers.contract import Refused
from payments.providers.stripe.config import StripeConfig
from payments.providers.stripe.money import limits as stripe_limits
from payments.reconciliation.runs import reconcile
from payments.tests.factories import refund, reread, unit_selection
from payments.tests.stripe_helpers import build_create_request
from tests.checkout_client import CheckoutClient
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

TOTALS = {"USD": "100.00", "JPY": "10000", "KWD": "100.000", "HUF": "10000.00"}
STEPS = {"USD": "0.01", "JPY": "1", "KWD": "0.010", "HUF": "1.00"}
TAKEN = [
    *(("stripe", currency) for currency in ("USD", "JPY", "KWD")),
    *(("paypal", currency) for currency in ("USD", "JPY", "HUF")),
]
# A rate of the purchase and of each of three refunds or disputes; 1 of the currency in USD.
RATES = {"JPY": (".0066", ".0067", ".0065", ".0068"), "KWD": ("3.25", "3.3", "3.2", "3.4")}
RATES["HUF"] = (".0027", ".0028", ".0026", ".0029")
CONVERTED = [("stripe", "JPY"), ("stripe", "KWD"), ("paypal", "JPY"), ("paypal", "HUF")]


@pytest.fixture(autouse=True)
def books_match():
    yield
    assert list(find_ledger_errors()) == []


@pytest.fixture
def buy(request: pytest.FixtureRequest, shopper: User) -> Callable[[str, str], Payment]:
    """Buy and pay for one thing: 90 % its price, 9 % tax, 1 % shipping."""

    def pay(name: str, currency: str) -> Payment:
        sandbox, total = provider(request, name), Money.parse(TOTALS[currency], currency)
        product = ProductFactory.create(currency=currency, price_minor=total.minor * 9 // 10)
        placed = order_place(
            quote=quoted({product: 1}, shipping=total.minor // 100),
            products=products_lock([product.pk]),
            buyer=buyer_of(shopper),
            store=store_rules(),
            expires_at=timezone.now() + timedelta(minutes=30),
        )
        payment = pay_at(sandbox, name, placed)
        assert payment.amount == total
        return payment

    return pay


def pay_at(sandbox: Any, name: str, placed: PlacedOrder) -> Payment:
    method = PaymentMethod.CREDIT_CARD if name == "stripe" else PaymentMethod.PAYPAL
    payment = payment_start(placed, method=method, store=store_rules())
    payment_ensure_at_provider(payment)
    sandbox.pay(payment) if name == "stripe" else sandbox.approve(payment)
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def provider(request: pytest.FixtureRequest, name: str) -> Any:
    return request.getfixturevalue(name)


def settle_at(sandbox: Any, name: str, rate: str) -> None:
    currency = "usd" if name == "stripe" else "USD"
    sandbox.post(f"{name}/settings", settlement={"currency": currency, "rate": rate})


def open_dispute(sandbox: Any, name: str, payment: Payment) -> str:
    capture_id = payment.captures.get().provider_capture_id
    about = {"payment_intent": payment.provider_payment_id} if name == "stripe" else {"capture": capture_id}
    opened = sandbox.post(f"{name}/dispute", **about)
    payment_sync(payment.pk, cause="test")
    return str(opened.get("id") or opened["dispute_id"])


def close_dispute(sandbox: Any, name: str, payment: Payment, opened: str, *, outcome: str) -> None:
    sandbox.post(f"{name}/close_dispute", dispute=opened, outcome=outcome)
    payment_sync(payment.pk, cause="test")
    reread(payment)


def night(sandbox: Any, name: str) -> ReconciliationRun:
    if name == "stripe":
        sandbox.run_jobs()
    run = reconcile(name, until=timezone.now() + timedelta(minutes=1))
    assert run.differences == []
    for row in run.balances:  # what the provider shows is what the ledger has, in each currency
        assert (row["gap"], row["ledger_gap"], row["ledger"]) == (0, 0, row["provider"]), row
    return run


def sums() -> dict[tuple[str, str], int]:
    found = Counter[tuple[str, str]]()
    for account, amount in balances():
        found[account.kind, account.currency] += amount.minor
    return {key: minor for key, minor in found.items() if minor}


def thirds(total: Money, step: str) -> list[Money]:
    """Three amounts, one of them of one step, that add up to the total."""
    least = Money.parse(step, total.currency)
    third = Money(total.minor // 3 // least.minor * least.minor, total.currency)
    return [least, third, total - third - least]


@pytest.mark.parametrize(("name", "currency"), TAKEN)
def test_payment_is_given_back_in_steps_to_the_last_unit(
    request, buy, staff, shopper, api, browser, name, currency
):
    sandbox, payment = provider(request, name), buy(name, currency)
    left = payment.amount
    for amount in thirds(payment.amount, STEPS[currency]):
        done = refund(payment, amount.amount, actor=staff)
        left -= amount

        assert done.amount == amount
        body = api(shopper).get(f"/payments/{payment.pk}").json()
        assert body["refunded_amount"] == (payment.amount - left).amount
        assert body["currency"] == currency
        mail = Notification.objects.filter(kind=PaymentMail.REFUND_COMPLETED).latest("created_at")
        assert show(amount) in render(mail).text
    shown = page(browser(shopper).get(reverse("payments:order", args=[payment.order.access_token]))).text
    assert show(payment.amount) in shown
    assert left.minor == 0

    night(sandbox, name)

    fees = sum(row.fee_minor for row in ProviderMovement.objects.all())
    assert sums() == {("provider", currency): -fees, ("provider_fee", currency): fees}


@pytest.mark.parametrize("name", ["stripe", "paypal"])
def test_order_under_reverse_charge_is_given_back_without_tax(request, shopper, staff, name):
    """A thing with 10 % tax in its price of 11.00, and shipping for 5.00 with 20 % in it: 14.17 without."""
    sandbox, product = provider(request, name), ProductFactory.create(price_minor=1100)
    terms = TaxTerms(prices_include_tax=True, is_reverse_charge=True, shipping_rate_ppm=200_000)
    placed = place({product: 1}, user=shopper, quote=quoted({product: 1}, shipping=500, terms=terms))
    payment = pay_at(sandbox, name, placed)
    parcel, line = placed.order.parcels.get(), placed.order.lines.get()
    assert (placed.order.tax.minor, parcel.shipping_tax_minor, payment.amount.amount) == (0, 0, "14.17")

    goods = refund(payment, items=unit_selection((line, 1)), actor=staff)
    rest = refund(payment, "4.17", actor=staff)

    assert (goods.amount.amount, rest.amount.amount) == ("10.00", "4.17")
    assert (payment.refunded_minor, goods.status, rest.status) == (1417, "COMPLETED", "COMPLETED")
    night(sandbox, name)


@pytest.mark.parametrize(
    ("name", "amounts"),
    [  # price, shipping, and the total with 10 % tax
        ("stripe", ("25.500 KWD", "2.000 KWD", "30.050 KWD")),
        ("paypal", ("8500.00 HUF", "900.00 HUF", "10250.00 HUF")),
    ],
)
def test_buyer_orders_on_the_pages_in_the_currency_and_gets_a_part_back(
    request, browser, shopper, staff, bowl, name, amounts
):
    price, shipping, total = (Money.parse(*amount.split()) for amount in amounts)
    sandbox, currency = provider(request, name), total.currency
    step = Money.parse(STEPS[currency], currency)
    ShopCurrency.objects.create(code=currency, step_minor=step.minor, price_step_minor=step.minor)
    ProductPrice.objects.create(product=bowl, currency=currency, price_minor=price.minor)
    ShippingMethod.objects.get().rates.create(currency=currency, price_minor=shipping.minor)
    User.objects.filter(pk=shopper.pk).update(currency=currency)
    method = "paypal"
    if name == "stripe":
        method = f"saved:{method_save(user=shopper, provider=name, token='pm_card_visa').pk}"

    walk = CheckoutClient(browser(shopper))
    walk.press(walk.fill_checkout(method, bowl))
    order = Order.objects.get()
    payment = order.payments.get()
    if name == "paypal":
        sandbox.approve(payment)
        payment_sync(payment.pk, cause="test")
    refund(payment, step.amount, actor=staff)
    opened = open_dispute(sandbox, name, payment)
    close_dispute(sandbox, name, payment, opened, outcome="lost")

    order.refresh_from_db()
    assert (order.total, order.step_minor) == (total, step.minor)
    assert (payment.refunded_minor, payment.disputed_minor) == (step.minor, order.total_minor - step.minor)
    night(sandbox, name)


def test_one_of_two_parcels_that_share_a_shipping_charge_is_cancelled_and_given_back(
    request, shopper, staff, bowl, scarf
):
    """1990 forints for goods of 10,000 and 20,000: 663 and 1327."""
    sandbox = provider(request, "paypal")
    ShopCurrency.objects.create(code="HUF", step_minor=100, price_step_minor=100)
    for product, minor in ((bowl, 1_000_000), (scarf, 2_000_000)):
        ProductPrice.objects.create(product=product, currency="HUF", price_minor=minor)
    ShippingMethod.objects.get().rates.create(currency="HUF", price_minor=199_000)
    items, store = {bowl: 1, scarf: 1}, store_rules()
    offer = offer_products(items.items(), store=store, destination=home(store), currency="HUF")
    payment = pay_at(sandbox, "paypal", place(items, user=shopper, quote=offer.quote))
    parcel = payment.order.parcels.get(artisan=bowl.artisan)

    done = refund(payment, parcel.total.amount, actor=staff, parcels={parcel.pk: ParcelDecision.CANCEL})

    assert (done.amount, done.status) == (Money(1_000_000 + 100_000 + 66_300, "HUF"), "COMPLETED")
    assert payment.order.shipping_minor == 199_000
    night(sandbox, "paypal")


@pytest.mark.parametrize(
    ("name", "amount", "text"),
    [
        ("stripe", Money(5_001, "KWD"), "Stripe refunds only multiples of KWD0.010."),
        ("paypal", Money(100_050, "HUF"), "PayPal refunds only multiples of HUF1.00."),
    ],
)
def test_refund_that_the_provider_cannot_make_exactly_is_refused_before_it_is_sent(
    request, buy, staff, name, amount, text
):
    payment = buy(name, amount.currency)

    with pytest.raises(InvalidInput, match=re.escape(text)):
        refund(payment, amount.amount, actor=staff)
    assert not payment.refunds.exists()


@pytest.mark.parametrize(("name", "currency"), TAKEN)
def test_lost_dispute_takes_what_a_refund_left(request, buy, staff, name, currency):
    sandbox, payment = provider(request, name), buy(name, currency)
    step = Money.parse(STEPS[currency], currency)
    refund(payment, step.amount, actor=staff)

    opened = open_dispute(sandbox, name, payment)
    close_dispute(sandbox, name, payment, opened, outcome="lost")

    assert payment.disputed_minor == payment.amount_minor - step.minor
    night(sandbox, name)
    fees = sum(row.fee_minor for row in ProviderMovement.objects.all())
    assert sums().pop(("provider", currency)) == -fees
    assert {key for key, _currency in sums()} <= {"provider", "provider_fee", "dispute_fee"}


@pytest.mark.parametrize(
    ("name", "currency", "is_read_late"),
    [*((*taken, False) for taken in CONVERTED), ("stripe", "KWD", True), ("paypal", "HUF", True)],
)
def test_converted_payment_that_is_given_back_leaves_only_what_the_rates_cost(
    request, buy, staff, name, currency, is_read_late
):
    sandbox, rates = provider(request, name), RATES[currency]
    settle_at(sandbox, name, rates[0])
    payment = buy(name, currency)
    for rate, amount in zip(rates[1:], thirds(payment.amount, STEPS[currency]), strict=True):
        if not is_read_late:
            night(sandbox, name)
        elif name == "stripe":
            sandbox.run_jobs()
        settle_at(sandbox, name, rate)
        refund(payment, amount.amount, actor=staff)

    night(sandbox, name)

    rows = list(ProviderMovement.objects.all())
    usd = sum(row.net_minor for row in rows if row.currency == "USD")
    found = sums()
    assert found["provider", "USD"] == usd
    assert not [key for key in found if key[0] == "order"]
    if name == "stripe":  # the fee is kept in USD, so all of the payment was converted, and back
        fees = sum(row.fee_minor for row in rows)
        assert found == {("provider", "USD"): usd, ("provider_fee", "USD"): fees, ("fx", "USD"): -usd - fees}


def test_exchange_difference_by_hand(request, buy, staff, stripe):
    """100.000 KWD at 3.25; 40.000 back at 3.30, 60.000 at 3.20."""
    settle_at(stripe, "stripe", "3.25")
    payment = buy("stripe", "KWD")
    stripe.run_jobs()
    settle_at(stripe, "stripe", "3.3")
    refund(payment, "40.000", actor=staff)
    night(stripe, "stripe")

    fee = 973  # 2.9 % of 325.00, and 0.30
    assert sums() == {
        ("seller_pending", "KWD"): -60_000,
        ("provider", "USD"): 32_500 - fee - 13_200,
        ("provider_fee", "USD"): fee,
        ("fx_position", "KWD"): 60_000,
        ("fx_position", "USD"): -19_500,
        ("fx", "USD"): 200,
    }
    settle_at(stripe, "stripe", "3.2")
    refund(payment, "60.000", actor=staff)
    night(stripe, "stripe")

    assert sums() == {
        ("provider", "USD"): 100 - fee,
        ("provider_fee", "USD"): fee,
        ("fx", "USD"): -100,
    }
    entries = LedgerEntry.objects.filter(kind__in=[EntryKind.CONVERSION, EntryKind.FX_REALISED])
    lost, gained = "giving the money back cost more", "giving the money back cost less"
    assert {row.sentence for row in explain(list(entries))} == {
        "Stripe exchanged KWD100.000 for $325.00. The fee was $9.73.",
        "Stripe exchanged $132.00 for KWD40.000.",
        f"$2.00 was lost by the exchange rate: {lost} than it had brought.",
        "Stripe exchanged $192.00 for KWD60.000.",
        f"$3.00 was gained by the exchange rate: {gained} than it had brought.",
    }


# What the change of the exchange rate since the purchase cost, worked out by hand: the fourth rate applied when the
# money was taken, the second when it came back. For yen (0.0068 - 0.0066) x 10000, or (0.0068 - 0.0067) x 10000.
LOSSES = {"JPY": ("2.00", "1.00"), "HUF": ("2.00", "1.00"), "KWD": ("15.00", "10.00")}


@pytest.mark.parametrize(("name", "currency"), CONVERTED)
@pytest.mark.parametrize("is_lost", [True, False])
def test_dispute_of_a_converted_payment_costs_the_difference_once_it_is_decided(
    request, buy, name, currency, is_lost
):
    sandbox, rates = provider(request, name), RATES[currency]
    settle_at(sandbox, name, rates[0])
    payment = buy(name, currency)
    night(sandbox, name)
    settle_at(sandbox, name, rates[3])
    opened = open_dispute(sandbox, name, payment)
    night(sandbox, name)
    assert ("fx", "USD") not in sums()
    assert sums()["disputed", currency] == payment.amount_minor

    settle_at(sandbox, name, rates[1])
    close_dispute(sandbox, name, payment, opened, outcome="lost" if is_lost else "won")
    night(sandbox, name)

    assert ("disputed", currency) not in sums()
    lost, won = LOSSES[currency]
    assert sums()["fx", "USD"] == Money.parse(lost if is_lost else won, "USD").minor


@pytest.mark.parametrize("is_before", [True, False])
def test_dispute_that_is_decided_while_the_ledger_is_checked_is_no_difference(
    request, buy, stripe, monkeypatch, is_before
):
    """Before or after the check has read what was booked."""
    settle_at(stripe, "stripe", "3.25")
    payment = buy("stripe", "KWD")
    stripe.run_jobs()
    settle_at(stripe, "stripe", "3.4")
    opened = open_dispute(stripe, "stripe", payment)
    night(stripe, "stripe")
    legs_by_entry = movements.legs_by_entry

    def lose_meanwhile(facts: Any) -> Any:
        monkeypatch.setattr(movements, "legs_by_entry", legs_by_entry)
        keys = list(facts)
        before = legs_by_entry(keys)
        close_dispute(stripe, "stripe", payment, opened, outcome="lost")
        return legs_by_entry(keys) if is_before else before

    monkeypatch.setattr(movements, "legs_by_entry", lose_meanwhile)

    assert list(movements.movements_unbooked()) == []
    assert sums()["fx", "USD"] == 1500


def test_least_amount_of_a_converted_charge_is_what_the_provider_takes(adapter, sandbox):
    """At the shop's rates and a tenth more, so that the provider never hears of a smaller one."""
    settle_at(sandbox, "stripe", ".0066")
    config = StripeConfig(settlement_currencies=("USD",))
    limits = stripe_limits(
        config, "credit_card", "JPY", lambda amount, to: Money(amount.minor * 100 // 66, to)
    )

    assert limits is not None
    assert limits.least == 83
    assert adapter.create(build_create_request(amount=Money(limits.least, "JPY"))).amount.minor == 83
    with pytest.raises(Refused) as refused:
        adapter.create(build_create_request("create-2", Money(74, "JPY")))
    assert refused.value.code == "amount_too_small"
