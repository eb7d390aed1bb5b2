"""What artisans earn with an order, and what refunds, cancellations and returns take back of it."""

from dataclasses import replace
from random import Random
from uuid import UUID

import pytest
from django.db.models import Sum

from artisans.catalog.models import Artisan
from artisans.core.errors import DomainError
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import LedgerPosting
from orders.models import StoreRules
from orders.services.parcels import parcel_deliver, parcel_ship
from orders.statuses import PARCELS_ENDED, CashHolder
from payments.bookkeeping.earnings import earnings_release
from payments.bookkeeping.ledger import find_differences
from payments.bookkeeping.refund_amounts import RefundLineInput, RefundSelection
from payments.bookkeeping.refunds import refund_finish
from payments.lifecycle.cancel_and_expire import parcel_cannot_deliver
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Bearer, Earning, PaymentRefund, RefundShare, ReversalReason
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus, RemoteRefund, RemoteRefundStatus
from payments.refunds.staff import refund_open
from payments.tests.factories import (
    apply_card_captures,
    give_back,
    record,
    remote_refund_of,
    reread,
    start,
    unit_selection,
    usd,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "card_shop")]


@pytest.fixture
def rates(bowl, scarf):
    Artisan.objects.filter(pk=bowl.artisan_id).update(commission_ppm=100_000)
    Artisan.objects.filter(pk=scarf.artisan_id).update(commission_ppm=50_000)


@pytest.fixture
def paid(rates, bowl, scarf, shopper):
    """136.65 by card: the bowl's parcel of 98.31 (its goods 85.45, 10 %), the scarf's of 38.34 (goods 33.33, 5 %)."""
    return apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1, scarf: 1}, user=shopper))


def parcel(payment, product):
    return payment.order.parcels.get(artisan=product.artisan)


def booked(payment, kind: AccountKind, product=None) -> int:
    """The credit balance of an account from this order's entries."""
    postings = LedgerPosting.objects.filter(entry__order_id=payment.order_id, account__kind=kind)
    if product is not None:
        postings = postings.filter(account__artisan=product.artisan)
    return -(postings.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def done(payment, staff, **arguments) -> PaymentRefund:
    """Staff refund, and the provider has executed it."""
    refund = refund_open(payment_id=payment.pk, reason="Chipped.", actor=staff, **arguments)
    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund))
    reread(payment)
    return refund


def test_a_paid_order_is_earned(paid, bowl, scarf):
    pending = AccountKind.SELLER_PENDING
    assert booked(paid, pending, bowl) == 9831 - 855
    assert booked(paid, pending, scarf) == 3834 - 167
    assert booked(paid, AccountKind.COMMISSION) == 855 + 167
    assert booked(paid, AccountKind.ORDER) == 0
    assert {row.artisan_id: row.net_minor for row in Earning.objects.all()} == {
        bowl.artisan_id: 8976,
        scarf.artisan_id: 3667,
    }


def test_an_order_released_before_it_is_paid_earns_nothing_until_the_money_is_recorded(
    rates, bowl, staff, shopper
):
    cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    record(cash, "50.00", actor=staff)
    assert not Earning.objects.exists()
    assert booked(cash, AccountKind.ORDER) == 5000

    record(cash, "49.99", actor=staff)

    assert booked(cash, AccountKind.SELLER_PENDING, bowl) == Earning.objects.get().net_minor == 9999 - 855


def test_cash_for_one_parcel_earns_it_without_waiting_for_the_other(rates, bowl, scarf, staff, shopper):
    cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)
    record(cash, "98.31", actor=staff, parcel_id=parcel(cash, bowl).pk, holder=CashHolder.SHOP)
    assert booked(cash, AccountKind.SELLER_PENDING, bowl) == 8976
    assert booked(cash, AccountKind.SELLER_PENDING, scarf) == booked(cash, AccountKind.ORDER) == 0


def test_an_artisan_who_holds_the_cash_owes_the_commission_at_once(rates, bowl, scarf, staff, shopper):
    cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)
    own = parcel(cash, bowl).pk
    receipt = record(cash, "98.31", actor=staff, parcel_id=own, holder=CashHolder.ARTISAN)
    assert booked(cash, AccountKind.SELLER_AVAILABLE, bowl) == -855
    assert Earning.objects.get(parcel=own).status == "released"

    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.MISTAKE, actor=staff)

    assert booked(cash, AccountKind.SELLER_AVAILABLE, bowl) == booked(cash, AccountKind.COMMISSION) == 0


def test_refund_of_units_takes_back_the_lines_own_part(paid, bowl, scarf, staff):
    done(paid, staff, items=unit_selection((paid.order.lines.get(product=bowl), 1)))
    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == 431  # its shipping
    assert booked(paid, AccountKind.SELLER_PENDING, scarf) == 3667
    assert booked(paid, AccountKind.COMMISSION) == 167
    assert Earning.objects.get(artisan=bowl.artisan).returned_minor == 8976 - 431


def test_goodwill_is_shared_by_what_is_left_and_a_later_return_costs_the_shop(paid, bowl, scarf, staff):
    done(paid, staff, amount=usd("20.00"))
    shares = {row.parcel.artisan_id: row.goodwill_minor for row in RefundShare.objects.all()}
    assert shares == {bowl.artisan_id: 1439, scarf.artisan_id: 561}
    assert booked(paid, AccountKind.GOODWILL) == 0

    parcel_cannot_deliver(
        parcel_id=parcel(paid, scarf).pk, reason="The loom broke.", actor=scarf.artisan.user
    )

    assert reread(paid).order.refund_due == usd("38.34")
    assert booked(paid, AccountKind.ORDER) == 3834
    assert booked(paid, AccountKind.SELLER_PENDING, scarf) == 0
    assert booked(paid, AccountKind.GOODWILL) == -561


def test_what_the_shop_bears_leaves_earnings_as_they_are(paid, bowl, staff):
    before = booked(paid, AccountKind.SELLER_PENDING, bowl)
    line = paid.order.lines.get(product=bowl)
    done(paid, staff, items=unit_selection((line, 1)), borne_by=Bearer.SHOP)
    done(paid, staff, amount=usd("5.00"), borne_by=Bearer.SHOP)
    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == before
    assert booked(paid, AccountKind.GOODWILL) == -9400 - 500


def test_the_shop_keeps_its_commission_if_the_rule_says_so(paid, bowl, staff, store):
    store.commission_on_refund = "kept"
    store.save()
    done(paid, staff, items=unit_selection((paid.order.lines.get(product=bowl), 1)))
    assert booked(paid, AccountKind.COMMISSION) == 855 + 167 - (
        9400 - 8545
    )  # more than the artisan's part went back
    store.commission_on_refund = "returned"
    store.save()
    done(paid, staff, items=unit_selection(shipping=True))
    assert booked(paid, AccountKind.COMMISSION) == 855 + 167 - (9400 - 8545)


def test_a_refund_in_progress_is_promised_and_takes_nothing_yet(paid, bowl, staff):
    refund = refund_open(payment_id=paid.pk, reason="Chipped.", actor=staff, amount=usd("13.67"))
    earning = Earning.objects.get(artisan=bowl.artisan)
    assert (earning.returned_minor, earning.promised_minor) == (0, 898)
    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == 8976

    refund_finish(refund_id=refund.pk, remote=None, refusal="refused")

    earning.refresh_from_db()
    assert (earning.returned_minor, earning.promised_minor) == (0, 0)


def test_a_refund_that_fails_after_the_release_goes_to_what_is_available(paid, bowl, staff):
    refund = done(paid, staff, amount=usd("13.67"))
    parcels = [row.pk for row in paid.order.parcels.all()]
    assert earnings_release(order_id=paid.order_id, parcel_ids=parcels) == 2
    assert earnings_release(order_id=paid.order_id, parcel_ids=parcels) == 0
    assert booked(paid, AccountKind.SELLER_PENDING) == 0
    assert booked(paid, AccountKind.SELLER_AVAILABLE, bowl) == 8976 - 898

    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund, RemoteRefundStatus.FAILED))

    assert booked(paid, AccountKind.SELLER_AVAILABLE, bowl) == 8976
    assert booked(paid, AccountKind.ORDER) == 1367 - 1367


def test_a_returned_parcel_takes_its_earning_back_from_what_is_available(paid, bowl, scarf):
    user, pk = bowl.artisan.user, parcel(paid, bowl).pk
    parcel_ship(parcel_id=pk, carrier="DHL", tracking="1", actor=user)
    parcel_deliver(parcel_id=pk, actor=user)
    earnings_release(order_id=paid.order_id, parcel_ids=[pk])
    parcel_return(parcel_id=pk, actor=user, restock=True)
    assert (
        booked(paid, AccountKind.SELLER_AVAILABLE, bowl)
        == booked(paid, AccountKind.SELLER_PENDING, bowl)
        == 0
    )
    assert booked(paid, AccountKind.ORDER) == reread(paid).order.refund_due.minor == 9831


def test_money_that_the_bank_takes_back_is_earned_again_when_it_is_paid_again(rates, bowl, staff, shopper):
    check = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    receipt = record(check, "99.99", actor=staff, reference="check 1")
    earnings_release(order_id=check.order_id, parcel_ids=[parcel(check, bowl).pk])

    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)

    assert booked(check, AccountKind.SELLER_AVAILABLE, bowl) == booked(check, AccountKind.ORDER) == 0
    assert Earning.objects.get().status == "cancelled"

    record(reread(check), "99.99", actor=staff, reference="transfer 1")

    assert Earning.objects.get().status == "pending"
    assert booked(check, AccountKind.SELLER_PENDING, bowl) == 9999 - 855


def test_goodwill_and_then_the_goods_leave_nothing_of_an_earning_and_no_debt_of_the_order(paid, bowl, staff):
    done(paid, staff, amount=usd("33.00"))
    done(paid, staff, items=unit_selection((paid.order.lines.get(product=bowl), 1)))
    assert booked(paid, AccountKind.ORDER) == reread(paid).order.refund_due.minor == 0
    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == 0
    assert booked(paid, AccountKind.GOODWILL) == -1943


def test_cash_that_went_back_is_taken_from_the_parcel_that_it_was_for(rates, bowl, scarf, staff, shopper):
    cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)
    record(cash, "98.31", actor=staff, parcel_id=parcel(cash, bowl).pk, holder=CashHolder.SHOP)
    give_back(cash, "20.00", actor=staff)
    assert booked(cash, AccountKind.ORDER) == 0
    assert 8976 - 2000 < booked(cash, AccountKind.SELLER_PENDING, bowl) < 8976


# ---- refunds and disputes at the provider --------------------------------------------------------------------------


def dispute(payment, minor: int, status: RemoteDisputeStatus) -> None:
    apply_card_captures(payment, disputes=(RemoteDispute("dp_1", usd(f"{minor / 100:.2f}"), status),))


def test_a_lost_dispute_is_shared_and_given_back_if_it_is_won_after_all(paid, bowl, scarf):
    dispute(paid, 1367, RemoteDisputeStatus.LOST)
    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == 8976 - 898
    assert booked(paid, AccountKind.SELLER_PENDING, scarf) == 3667 - 367
    dispute(paid, 1367, RemoteDisputeStatus.WON)
    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == 8976


def test_a_refund_at_the_provider_counts_first_for_what_is_cancelled_later(paid, bowl, scarf):
    remote = RemoteRefund("re_1", usd("20.00"), RemoteRefundStatus.SUCCEEDED)
    apply_card_captures(paid, refunds=(remote,))
    assert booked(paid, AccountKind.SELLER_PENDING, bowl) < 8976

    parcel_cannot_deliver(
        parcel_id=parcel(paid, scarf).pk, reason="The loom broke.", actor=scarf.artisan.user
    )

    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == 8976
    assert booked(paid, AccountKind.ORDER) == reread(paid).order.refund_due.minor == 3834 - 2000


def columns(name: str) -> dict[UUID, int]:
    return dict(Earning.objects.values_list("parcel", name))


def test_a_refund_from_the_providers_dashboard_is_promised_while_it_is_in_progress(paid):
    """It names nothing."""
    refund = RemoteRefund("re_1", usd("40.00"), RemoteRefundStatus.PENDING)
    apply_card_captures(paid, refunds=(refund,))
    promised = columns("promised_minor")
    assert all(promised.values())

    apply_card_captures(paid, refunds=(replace(refund, status=RemoteRefundStatus.SUCCEEDED),))

    assert columns("returned_minor") == promised


def test_what_is_promised_after_a_lost_dispute_is_what_the_refund_takes(paid, bowl, staff):
    dispute(paid, 2000, RemoteDisputeStatus.LOST)
    before = columns("returned_minor")
    units = unit_selection((paid.order.lines.get(product=bowl), 1))
    refund = refund_open(payment_id=paid.pk, reason="Chipped.", actor=staff, items=units)
    promised = columns("promised_minor")

    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund))

    taken = {key: minor - before[key] for key, minor in columns("returned_minor").items()}
    assert taken[parcel(paid, bowl).pk] > 0
    assert promised == {key: max(0, minor) for key, minor in taken.items()}


# ---- random lives --------------------------------------------------------------------------------------------------


def lines_of(payment, random: Random) -> RefundSelection:
    lines = [line for line in payment.order.lines.all() if line.refundable_quantity]
    chosen = random.sample(lines, random.randint(0, len(lines)))
    inputs = tuple(RefundLineInput(line.pk, random.randint(1, line.refundable_quantity)) for line in chosen)
    return RefundSelection(inputs, with_shipping=random.random() < 0.4)


def live(payment, staff, random: Random, refunds: list[PaymentRefund]) -> None:
    """One random deed; those that are refused change nothing."""
    deed = random.randrange(8)
    bearer = random.choice([Bearer.ARTISAN, Bearer.ARTISAN, Bearer.SHOP])
    alive = [row for row in payment.order.parcels.all() if row.status not in PARCELS_ENDED]
    if deed < 2:
        refunds.append(done(payment, staff, items=lines_of(payment, random), borne_by=bearer))
    elif deed < 4:
        minor = random.choice([1, 7, 333, random.randint(1, 6000)])
        refunds.append(done(payment, staff, amount=usd(f"{minor / 100:.2f}"), borne_by=bearer))
    elif deed == 4 and refunds:
        failed = remote_refund_of(random.choice(refunds), RemoteRefundStatus.FAILED)
        refund_finish(refund_id=failed.reference, remote=failed)
    elif deed == 5:
        dispute(payment, random.randint(1, 3000), random.choice(list(RemoteDisputeStatus)))
    elif deed == 6 and alive:
        chosen = random.choice(alive)
        earnings_release(order_id=payment.order_id, parcel_ids=[chosen.pk])
    elif alive:
        chosen = random.choice(alive)
        parcel_cannot_deliver(parcel_id=chosen.pk, reason="broken", actor=chosen.artisan.user)


@pytest.mark.parametrize("seed", range(12))
def test_after_any_life_the_order_holds_what_is_owed(seed, rates, bowl, scarf, shopper, staff):
    random, refunds = Random(seed), []  # noqa: S311  # the same lives in every run
    items = {bowl: random.randint(1, 3), scarf: random.randint(1, 4)}
    StoreRules.objects.update(payment_fee_bearer="artisan" if seed % 2 else "shop")
    payment = start(PaymentMethod.CREDIT_CARD, items, user=shopper)
    payment = apply_card_captures(payment, fees=(320, 299))
    for _ in range(10):
        StoreRules.objects.update(commission_on_refund=random.choice(["returned", "kept"]))
        try:
            live(payment, staff, random, refunds)
        except DomainError:
            pass
        order = reread(payment).order
        assert booked(payment, AccountKind.ORDER) == order.refund_due.minor
        assert not list(find_differences())
        for product in items:
            earning = Earning.objects.get(artisan=product.artisan)
            left = earning.remaining.minor
            pending = booked(payment, AccountKind.SELLER_PENDING, product)
            available = booked(payment, AccountKind.SELLER_AVAILABLE, product)
            is_available = earning.status == "released" or left < 0
            assert (pending, available) == ((0, left) if is_available else (left, 0))
        shown = [row.earnings(row.lines.all()) for row in order.parcels.all()]
        assert booked(payment, AccountKind.COMMISSION) == sum(row.commission.minor for row in shown)
    for row in payment.order.parcels.all():
        if row.status not in PARCELS_ENDED:
            parcel_cannot_deliver(parcel_id=row.pk, reason="broken", actor=row.artisan.user)
    order = reread(payment).order
    assert booked(payment, AccountKind.ORDER) == order.received_minor - order.refunded_minor
    for kind in (AccountKind.SELLER_PENDING, AccountKind.COMMISSION):
        assert booked(payment, kind) == 0
    borne = 619 if seed % 2 else 0  # it stays with them
    assert (
        booked(payment, AccountKind.FEE_RECOVERED) == -booked(payment, AccountKind.SELLER_AVAILABLE) == borne
    )


# ---- who bears a refund, on pages and by the API -------------------------------------------------------------------


def test_staff_choose_that_the_shop_bears_a_refund(paid, bowl, staff, browser, api):
    before = booked(paid, AccountKind.SELLER_PENDING, bowl)
    url = f"/admin/payments/payment/{paid.pk}/refund/"
    page = browser(staff).get(url)
    assert "If the shop bears it, artisans keep what they earned." in page.content.decode()
    data = {
        "mode": "amount",
        "amount": "5.00",
        "preset": "other",
        "text": "Late.",
        "seen": "0",
        "borne_by": "shop",
    }
    browser(staff).post(url, data)
    refund = PaymentRefund.objects.get()
    assert refund.borne_by == Bearer.SHOP

    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund))

    assert booked(paid, AccountKind.SELLER_PENDING, bowl) == before
