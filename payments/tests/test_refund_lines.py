"""Refunds by units: exact to the last cent, and restocked exactly once."""

import random

import pytest
from django.db import transaction

from artisans.catalog.models import Product, StockMove, StockMoveKind
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.errors import InvalidInput
from orders.models import OrderLine
from orders.services.parcels import parcel_ship
from payments.bookkeeping.refund_amounts import RefundLineInput, RefundSelection, line_value
from payments.errors import (
    NothingToRestock,
    RefundExceedsReceived,
    RefundMismatch,
    UnitsAlreadyRefunded,
)
from payments.gateway.payments import payment_sync
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.models import Payment, PaymentRefund, RefundLine
from payments.refunds.staff import refund_open, refund_retry, refund_send
from payments.tests.factories import paid_by_card, refund, reread, start, unit_selection, usd
from tests import rows
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture(scope="module", autouse=True)
def shared_mug(module_db) -> Product:
    """9.99 each: the tax of seven units, 6.99, does not divide evenly."""
    rows.store()
    return ProductFactory.create(artisan=rows.seller().artisan, name="Tide mug", price_minor=999, stock=10)


@pytest.fixture(scope="module", autouse=True)
def shared_paid(module_db, module_stripe, shared_mug) -> Payment:
    """Seven mugs and two bowls: 69.93 + 6.99, 170.90 + 17.09, shipping 5.99."""
    return paid_by_card(module_stripe, {shared_mug: 7, rows.bowl(): 2}, user=rows.shopper())


@pytest.fixture
def mug(shared_mug):
    return Product.objects.get(pk=shared_mug.pk)


@pytest.fixture
def paid(shared_paid, stripe):
    return Payment.objects.get(pk=shared_paid.pk)


@pytest.fixture
def mugs(paid, mug):
    return paid.order.lines.get(product=mug)


@pytest.fixture
def bowls(paid, bowl):
    return paid.order.lines.get(product=bowl)


def stock(product) -> int:
    return Product.objects.values_list("stock", flat=True).get(pk=product.pk)


def sync(payment):
    payment_sync(payment.pk, cause="test")
    return reread(payment)


# ---- money -------------------------------------------------------------------------------------------------


def test_units_are_refunded_at_price_and_tax_and_the_last_gets_the_remainder(paid, mugs, staff, stripe):
    parts = [refund(paid, items=unit_selection((mugs, 1)), actor=staff).amount_minor for _ in range(7)]

    assert sum(parts) == mugs.line_total_minor + mugs.tax_minor == 7692
    assert max(parts) - min(parts) <= 1
    assert stripe.refunded() == parts


def test_all_lines_and_shipping_sum_to_the_whole_order(paid, mugs, bowls, staff):
    refund(paid, items=unit_selection((mugs, 3), shipping=True), actor=staff)
    refund(paid, items=unit_selection((mugs, 4), (bowls, 2)), actor=staff)

    assert (paid.status, paid.refunded) == ("REFUNDED", paid.order.total)


@pytest.mark.parametrize("seed", range(12))
def test_any_split_of_any_line_adds_up(seed):
    """For any price, tax and sequence of refunds, some of them failed: the parts sum to the whole line."""
    dice = random.Random(seed)  # noqa: S311  # the same splits in every run
    quantity = dice.randint(1, 40)
    line = OrderLine(
        currency="USD",
        unit_price_minor=dice.randint(1, 5000),
        quantity=quantity,
        tax_minor=dice.randint(0, 9999),
    )
    line.line_total_minor = line.unit_price_minor * quantity
    live: list[tuple[int, int]] = []
    while (done := sum(count for count, _ in live)) < quantity:
        count = dice.randint(1, quantity - done)
        live.append((count, max(0, line_value(line, done + count).minor - sum(minor for _, minor in live))))
        if dice.random() < 0.3:
            live.pop(dice.randrange(len(live)))

    assert sum(minor for _, minor in live) == line.line_total_minor + line.tax_minor
    assert all(minor >= 0 for _, minor in live)


def test_shipping_is_refunded_once(paid, staff):
    assert refund(paid, items=unit_selection(shipping=True), actor=staff).amount == usd("5.99")

    with pytest.raises(InvalidInput), transaction.atomic():
        refund(paid, items=unit_selection(shipping=True), actor=staff)


def test_amount_that_differs_from_the_units_is_refused(paid, mugs, staff):
    with pytest.raises(RefundMismatch, match=r"total 10\.99 USD, not 11\.00"), transaction.atomic():
        refund(paid, "11", items=unit_selection((mugs, 1)), actor=staff)

    assert refund(paid, "10.99", items=unit_selection((mugs, 1)), actor=staff).status == "COMPLETED"


def test_more_units_than_are_left_are_refused(paid, mugs, staff):
    refund(paid, items=unit_selection((mugs, 5)), actor=staff)

    with pytest.raises(UnitsAlreadyRefunded, match="Only 2") as refused, transaction.atomic():
        refund(paid, items=unit_selection((mugs, 3)), actor=staff)

    assert refused.value.extra == {"left": 2}
    assert PaymentRefund.objects.count() == 1


def test_units_worth_more_than_the_remaining_payment_are_refused(paid, bowls, staff):
    refund(paid, "200", actor=staff)

    with pytest.raises(RefundExceedsReceived), transaction.atomic():
        refund(paid, items=unit_selection((bowls, 1)), actor=staff)


def test_invalid_units_are_refused(paid, mugs, staff, shopper, scarf):
    foreign = start(items={scarf: 1}, user=shopper).order.lines.get()
    for wrong in (
        unit_selection((foreign, 1)),
        unit_selection((mugs, 1), (mugs, 1)),
        RefundSelection((RefundLineInput(mugs.pk, 0),)),
        RefundSelection(restock=True),
        RefundSelection(),
    ):
        with pytest.raises(InvalidInput), transaction.atomic():
            refund(paid, items=wrong, actor=staff)
    assert not PaymentRefund.objects.exists()


def test_failed_refund_releases_its_units(paid, mugs, staff, stripe):
    stripe.post("settings", refunds="refuse")
    failed = refund(paid, items=unit_selection((mugs, 7), shipping=True, restock=True), actor=staff)
    sync(paid)
    mugs.refresh_from_db()
    assert (mugs.refundable_quantity, stock(mugs.product)) == (7, 3)
    stripe.post("settings", refunds="succeed")

    again = refund_send(refund_retry(refund_id=failed.pk, actor=staff))

    assert (again.status, again.amount_minor, again.restock) == ("COMPLETED", 7692 + 599, True)
    assert stock(mugs.product) == 10


# ---- units -------------------------------------------------------------------------------------------------


def test_units_are_restocked_once_when_the_refund_succeeds(paid, mugs, staff, mug):
    opened = refund_open(
        payment_id=paid.pk, reason="sent back", actor=staff, items=unit_selection((mugs, 2), restock=True)
    )
    assert stock(mug) == 3

    refund_send(opened)
    sync(paid)
    sync(paid)

    assert stock(mug) == 5
    [move] = StockMove.objects.filter(kind=StockMoveKind.RESTOCK)
    assert (move.quantity, move.refund_line) == (2, RefundLine.objects.get().pk)


def test_units_are_not_restocked_unless_requested(paid, mugs, staff, mug):
    refund(paid, items=unit_selection((mugs, 2)), actor=staff)

    assert stock(mug) == 3


def test_cancelling_later_restocks_the_rest(paid, mugs, bowls, staff, mug, bowl):
    before = stock(bowl)
    refund(paid, items=unit_selection((mugs, 2), restock=True), actor=staff)
    refund(paid, items=unit_selection((mugs, 1)), actor=staff)

    order_cancel(order_id=paid.order_id, reason="no", actor=staff)

    assert (stock(mug), stock(bowl)) == (10, before + 2)


def test_completely_restocked_line_is_not_returned_again(paid, mugs, staff, mug):
    refund(paid, items=unit_selection((mugs, 7), restock=True), actor=staff)

    order_cancel(order_id=paid.order_id, reason="no", actor=staff)

    assert stock(mug) == 10


def test_cancelled_order_has_nothing_to_restock(paid, mugs, staff, mug):
    order_cancel(order_id=paid.order_id, reason="no", actor=staff)

    with pytest.raises(NothingToRestock), transaction.atomic():
        refund(paid, items=unit_selection((mugs, 1), restock=True), actor=staff)
    refund(paid, items=unit_selection((mugs, 1)), actor=staff)

    assert stock(mug) == 10


def test_order_cancelled_during_a_refund_restocks_every_unit_once(paid, mugs, staff, mug):
    opened = refund_open(
        payment_id=paid.pk, reason="sent back", actor=staff, items=unit_selection((mugs, 2), restock=True)
    )
    order_cancel(order_id=paid.order_id, reason="no", actor=staff)

    assert refund_send(opened).status == "COMPLETED"

    assert stock(mug) == 10


def test_repeated_refund_does_not_restock_twice(stripe, shopper, staff, mug):
    """The refund fails after it succeeded; its units were restocked, and the second refund is for the same units."""
    payment = paid_by_card(stripe, {mug: 3}, user=shopper, card="refundFail")
    line = payment.order.lines.get()
    failed = refund(payment, items=unit_selection((line, 1), restock=True), actor=staff)
    assert stock(mug) == mug.stock - 2
    stripe.run_jobs()
    sync(payment)

    again = refund_send(refund_retry(refund_id=failed.pk, actor=staff))

    assert (again.status, again.restock, stock(mug)) == ("COMPLETED", True, mug.stock - 2)
    line.refresh_from_db()
    assert line.refundable_quantity == 2


def test_artisan_is_mailed_what_to_leave_out_of_a_parcel(paid, mugs, staff, seller, mails, browser, shopper):
    refund(paid, items=unit_selection((mugs, 2), restock=True), actor=staff)

    mail = mails(seller.email)[-1]
    assert "some items removed" in mail.subject
    assert "2 x Tide mug" in mail.body
    parcel = paid.order.parcels.get()
    shown = browser(seller).get(f"/shop/artisan/parcels/{parcel.pk}/").content.decode()
    assert "Leave out 2" in shown
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="1", actor=seller)
    assert "5 x Tide mug" in mails(shopper.email)[-1].body
    slip = browser(seller).get("/shop/artisan/parcels/slips/", {"parcel": parcel.pk})
    assert page(slip).one(class_="packing-slip").one("ul").text == "5 × Tide mug 2 × Moss bowl"


def test_units_that_were_refunded_while_the_page_was_open_are_refused(
    paid, mugs, bowls, staff, seller, browser
):
    """Also if so little is left that the page would not ask for units any more."""
    parcel, client = paid.order.parcels.get(), browser(seller)
    address = f"/shop/artisan/parcels/{parcel.pk}/"

    def ship(of_mugs: int, of_bowls: int):
        units = {f"units-{mugs.pk}": of_mugs, f"units-{bowls.pk}": of_bowls}
        return client.post(address, {"ship": "1", "carrier": "USPS", "seen": "0"} | units)

    refund(paid, items=unit_selection((bowls, 2), restock=True), actor=staff)
    refused = page(ship(7, 2))
    assert "You entered 2 × Moss bowl, but 0 are left to ship." in refused.one(class_="error-summary").text
    assert refused.one(id=f"id_units-{bowls.pk}").attrs["value"] == "2"
    refund(paid, items=unit_selection((mugs, 6), restock=True), actor=staff)
    assert "You entered 1 × Moss bowl, but 0 are left to ship." in page(ship(1, 1)).text
    assert not parcel.shipments.exists()

    assert ship(1, 0).status_code == 302

    parcel.refresh_from_db()
    assert parcel.status == "SHIPPED"
    assert list(parcel.shipments.values_list("lines__line", "lines__quantity")) == [(mugs.pk, 1)]


def test_refund_of_returned_units_does_not_notify_the_artisan(paid, mugs, staff, seller, mails):
    parcel_ship(parcel_id=paid.order.parcels.get().pk, carrier="", tracking="", actor=seller)
    count = len(mails(seller.email))

    refund(paid, items=unit_selection((mugs, 2), restock=True), actor=staff)

    assert len(mails(seller.email)) == count
    assert stock(mugs.product) == 5


def test_parcel_is_shipped_once_the_rest_of_it_was_refunded_and_restocked(paid, mugs, bowls, staff, seller):
    parcel = paid.order.parcels.get()
    units = {mugs.pk: 5, bowls.pk: 2}
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", units=units, actor=seller)

    refund(paid, items=unit_selection((mugs, 1), restock=True), actor=staff)
    parcel.refresh_from_db()
    assert parcel.status == "PACKED", "one mug is left"
    refund(paid, items=unit_selection((mugs, 1), restock=True), actor=staff)

    parcel.refresh_from_db()
    assert (parcel.status, parcel.order.status) == ("SHIPPED", "SHIPPED")
