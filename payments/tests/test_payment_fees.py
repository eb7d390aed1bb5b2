"""What artisans bear of the fees that providers keep: shared when a fee is known, and kept when the rest goes back."""

from collections import Counter
from dataclasses import replace

import pytest
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from artisans.core.money import Money
from artisans.ledger.accounts import AccountKind
from artisans.ledger.explanations import explain
from artisans.ledger.models import EntryKind, LedgerEntry, LedgerPosting
from artisans.ledger.selectors import entries_of_order
from orders.models import StoreRules
from payments.bookkeeping.earnings import earnings_release
from payments.bookkeeping.ledger import find_differences, ledger_fill
from payments.bookkeeping.movements import movements_explain, movements_record
from payments.bookkeeping.payments import payment_move
from payments.lifecycle.cancel_and_expire import order_cancel_locked, parcel_cannot_deliver
from payments.methods import PaymentMethod
from payments.models import Capture, Earning, Payment, ProviderMovement
from payments.providers.contract import (
    MovementKind,
    RemoteDispute,
    RemoteDisputeStatus,
    RemoteMovement,
)
from payments.refunds.staff import refund_open
from payments.statuses import PaymentStatus
from payments.tests.factories import apply_card_captures, remote_refund_of, start, usd
from tests.append_only import rewriting
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "card_shop")]

PENDING, AVAILABLE = AccountKind.SELLER_PENDING, AccountKind.SELLER_AVAILABLE


@pytest.fixture
def borne(store):
    """Artisans bear the fees, with 20 % tax."""
    StoreRules.objects.update(payment_fee_bearer="artisan", commission_tax_ppm=200_000)


@pytest.fixture
def payment(borne, bowl, scarf, shopper) -> Payment:
    """136.65: the bowl's parcel of 98.31, and the scarf's of 38.34. Without commission, all of it is the artisans'."""
    return start(PaymentMethod.CREDIT_CARD, {bowl: 1, scarf: 1}, user=shopper)


def parcel(payment, product):
    return payment.order.parcels.get(artisan=product.artisan)


def booked(kind: AccountKind, product=None) -> int:
    """The credit balance of an account."""
    postings = LedgerPosting.objects.filter(account__kind=kind)
    if product is not None:
        postings = postings.filter(account__artisan=product.artisan)
    return -(postings.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def shares(*products) -> list[tuple[int, int]]:
    """What artisans bear of their parcels, and the tax in it."""
    found = {
        row.artisan_id: (row.payment_fee_minor, row.payment_fee_tax_minor) for row in Earning.objects.all()
    }
    return [found[product.artisan_id] for product in products]


def moved(payment: Payment, number: int, fee: Money) -> RemoteMovement:
    """The provider's movement of one of the payment's captures."""
    key = f"ch_{payment.pk.hex}_{number + 1}"
    return RemoteMovement(
        movement_id=f"txn_{key}",
        kind=MovementKind.PAYMENT,
        code="charge",
        gross=Money(payment.amount_minor // 2 + number * (payment.amount_minor % 2), fee.currency),
        fee=fee,
        occurred_at=timezone.now(),
        source_id=key,
    )


def fee_entries() -> int:
    return LedgerEntry.objects.filter(kind=EntryKind.FEE_SHARE).count()


def test_fee_known_with_the_capture_is_shared_by_the_totals_of_the_parcels(payment, bowl, scarf):
    apply_card_captures(payment, fees=(101, 100))

    # 101 are 73 and 28, 100 are 72 and 28.
    assert shares(bowl, scarf) == [(145 + 29, 29), (56 + 11, 11)]
    assert (booked(PENDING, bowl), booked(PENDING, scarf)) == (9831 - 174, 3834 - 67)
    assert (booked(AccountKind.FEE_RECOVERED), booked(AccountKind.FEE_TAX)) == (201, 40)
    kinds = Counter(LedgerEntry.objects.values_list("kind", flat=True))
    assert kinds == {"capture": 2, "sale": 1, "fee_share": 1}

    apply_card_captures(payment, fees=(101, 100))

    assert LedgerEntry.objects.count() == 4


def test_fee_known_from_a_movement_is_shared_with_it_once(payment, bowl, scarf):
    apply_card_captures(payment)
    assert shares(bowl, scarf) == [(0, 0), (0, 0)]
    first, second = moved(payment, 0, usd("1.01")), moved(payment, 1, usd("1.00"))

    movements_record("stripe", [first])
    assert booked(AccountKind.FEE_RECOVERED) == 101
    movements_record("stripe", [first, second])
    movements_record("stripe", [second, first])

    assert shares(bowl, scarf) == [(174, 29), (67, 11)]
    assert -booked(AccountKind.PROVIDER_FEE) == booked(AccountKind.FEE_RECOVERED) == 201
    assert fee_entries() == 2


def test_fee_of_a_movement_that_was_read_before_its_capture(payment, bowl, scarf):
    movements_record("stripe", [moved(payment, 0, usd("1.01"))])
    apply_card_captures(payment)

    movements_explain("stripe")

    assert booked(AccountKind.FEE_RECOVERED) == 101
    assert fee_entries() == 1


def test_movement_corrects_what_the_provider_said_and_one_in_another_currency_is_the_shops(
    payment, bowl, scarf
):
    apply_card_captures(payment, fees=(101, None))

    movements_record("stripe", [moved(payment, 0, usd("0.90")), moved(payment, 1, Money(100, "EUR"))])

    assert booked(AccountKind.FEE_RECOVERED) == 90
    assert shares(bowl, scarf) == [(65 + 13, 13), (25 + 5, 5)]
    assert fee_entries() == 2


def test_released_earnings_have_borne_the_fee_and_a_later_one_reduces_what_is_available(payment, bowl, scarf):
    apply_card_captures(payment, fees=(101, None))
    earnings_release(order_id=payment.order_id, parcel_ids=[parcel(payment, bowl).pk])
    assert (booked(PENDING, bowl), booked(AVAILABLE, bowl)) == (0, 9831 - 73 - 15)

    movements_record("stripe", [moved(payment, 1, usd("1.00"))])

    assert (booked(PENDING, bowl), booked(AVAILABLE, bowl)) == (0, 9831 - 174)
    assert (booked(PENDING, scarf), booked(AVAILABLE, scarf)) == (3834 - 67, 0)


def test_artisans_keep_bearing_the_fee_of_what_went_back(payment, bowl, scarf):
    apply_card_captures(payment, fees=(101, 100))
    parcel_cannot_deliver(
        parcel_id=parcel(payment, scarf).pk, reason="The loom broke.", actor=scarf.artisan.user
    )
    assert (booked(PENDING, scarf), booked(AVAILABLE, scarf)) == (0, -67)
    cancelled = parcel(payment, scarf)
    assert cancelled.earning.remaining == Money(-67, "USD")
    assert cancelled.earnings(cancelled.lines.all()).share == Money(-67, "USD")

    for status, left in ((RemoteDisputeStatus.LOST, 0), (RemoteDisputeStatus.WON, 9831)):
        remote = RemoteDispute("dp_1", usd("136.65"), status)
        apply_card_captures(payment, disputes=(remote,))
        assert (booked(PENDING, bowl), booked(AVAILABLE, bowl)) == ((left - 174, 0) if left else (0, -174))
    assert booked(AccountKind.FEE_RECOVERED) == 201


@pytest.mark.parametrize("kind", [MovementKind.REFUND, MovementKind.FEE])
def test_artisans_get_their_part_of_a_fee_that_the_provider_gives_back(
    payment, bowl, scarf, kind, admin_user
):
    apply_card_captures(payment, fees=(101, 100))
    sent = refund_open(payment_id=payment.pk, reason="chipped", actor=admin_user, amount=usd("10.00"))
    apply_card_captures(payment, refunds=(remote_refund_of(sent),), fees=(101, 100))
    sent.refresh_from_db()
    gross = Money(-1000 if kind == MovementKind.REFUND else 0, "USD")
    known = {"source_id": str(sent.provider_refund_id)} if kind == MovementKind.REFUND else {}

    def movement(number: int, fee: int, **changes) -> RemoteMovement:
        return replace(
            moved(payment, 0, Money(fee, "USD")),
            movement_id=f"txn_{number}",
            **{"kind": kind, "gross": gross, "capture_id": f"ch_{payment.pk.hex}_1", "source_id": "", **known}
            | changes,
        )

    movements_record("stripe", [movement(1, -51)])

    # 101 less 51 are 50: 36 and 14; the tax on it falls too.
    assert shares(bowl, scarf) == [(108 + 22, 22), (42 + 8, 8)]
    assert booked(AccountKind.FEE_RECOVERED) == 150
    assert list(find_differences()) == []
    if kind == MovementKind.REFUND:  # it fails, and the fee is taken again; what a refund costs is the shop's
        movements_record(
            "stripe", [movement(2, 51, kind=MovementKind.REFUND_FAILED, gross=Money(1000, "USD"))]
        )
        movements_record("stripe", [movement(3, 20)])

        assert booked(AccountKind.FEE_RECOVERED) == 201


def test_returned_fee_whose_capture_is_not_known_yet_reaches_the_artisans_later(payment, bowl, scarf):
    returned = replace(
        moved(payment, 0, usd("0.00")),
        kind=MovementKind.FEE,
        gross=usd("0.00"),
        fee=Money(-51, "USD"),
        source_id="txn_of_the_fee",
        capture_id=f"ch_{payment.pk.hex}_1",
    )
    movements_record("stripe", [returned])
    assert ProviderMovement.objects.get().explained_by == ""
    apply_card_captures(payment, fees=(101, 100))
    assert booked(AccountKind.FEE_RECOVERED) == 201

    movements_explain("stripe")

    assert booked(AccountKind.FEE_RECOVERED) == 150
    assert shares(bowl, scarf) == [(108 + 22, 22), (42 + 8, 8)]
    assert list(find_differences()) == []


@pytest.mark.parametrize(("fee", "capture"), [(-51, ""), (51, "ch_of_nobody")])
def test_fee_that_is_about_no_capture_is_the_accounts(payment, fee, capture):
    """One that is given back without naming a capture, and one that is charged."""
    row = replace(moved(payment, 0, Money(fee, "USD")), kind=MovementKind.FEE, gross=usd("0.00"))
    movements_record("stripe", [replace(row, source_id="", capture_id=capture)])

    assert ProviderMovement.objects.get().explained_by == "account"


def test_rule_of_the_placement_counts(payment, bowl, scarf, shopper):
    StoreRules.objects.update(payment_fee_bearer="shop")
    by_shop = start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper)
    StoreRules.objects.update(payment_fee_bearer="artisan")
    apply_card_captures(by_shop, fees=(900, 900))
    assert booked(AccountKind.FEE_RECOVERED) == 0
    StoreRules.objects.update(payment_fee_bearer="shop")

    apply_card_captures(payment, fees=(101, 100))

    assert booked(AccountKind.FEE_RECOVERED) == 201


def test_shop_bears_the_fee_of_what_was_never_earned(payment, admin_user):
    payment_move(payment, PaymentStatus.CANCELLED, cause="withdrawn at the provider")
    order_cancel_locked(
        order_id=payment.order_id, reason="", actor=admin_user, parcels=None, refund=False, seen_minor=None
    )

    apply_card_captures(payment, fees=(101, 100))

    assert Capture.objects.count() == 2
    assert booked(AccountKind.FEE_RECOVERED) == booked(AVAILABLE) == 0


@pytest.mark.parametrize("fees", [(0, 1_000_000), (-5, None)])
def test_odd_fees_stop_no_payment(payment, bowl, fees):
    apply_card_captures(payment, fees=fees)

    assert Capture.objects.count() == 2
    assert Payment.objects.get().status == PaymentStatus.COMPLETED
    assert booked(PENDING, bowl) == (0 if max(fees[1] or 0, 0) else 9831)
    assert booked(AccountKind.FEE_RECOVERED) == max(fees[1] or 0, 0)


def test_missing_entries_are_found_and_filled(payment, bowl, scarf):
    apply_card_captures(payment, fees=(101, 100))
    lost = LedgerEntry.objects.filter(kind=EntryKind.FEE_SHARE)
    with rewriting():
        LedgerPosting.objects.filter(entry__in=lost).delete()
        lost.delete()
    assert len(list(find_differences())) == 1

    assert ledger_fill(Payment.objects.all()) == 1

    assert (booked(PENDING, bowl), booked(PENDING, scarf)) == (9831 - 174, 3834 - 67)
    assert fee_entries() == 1


# ---- what people see -----------------------------------------------------------------------------------------------


def test_artisans_and_staff_see_the_fee(payment, bowl, browser, api):
    own, potter = parcel(payment, bowl), bowl.artisan.user
    apply_card_captures(payment)
    address = reverse("orders:parcel", args=[own.pk])
    assert "is deducted once it is known" in page(browser(potter).get(address)).text

    movements_record("stripe", [moved(payment, 0, usd("1.01")), moved(payment, 1, usd("1.00"))])

    shown = page(browser(potter).get(address)).text
    assert "Payment fee −$1.74" in shown
    assert "Your share $96.57" in shown
    assert "$1.74 payment fee" in page(browser(potter).get("/shop/artisan/earnings/")).text
    lines = page(browser(potter).get("/shop/artisan/earnings/lines/?account=pending")).text
    assert "Payment fee" in lines
    shown = api(potter).get(f"/parcels/{own.pk}").json()
    assert (shown["payment_fee"], shown["share"]) == ("1.74", "96.57")
    [row] = api(potter).get("/earnings/").json()["results"]
    assert (row["net"], row["payment_fee"]) == ("98.31", "1.74")
    sentences = [found.sentence for found in explain(entries_of_order(payment.order_id))]
    assert any(
        "Artisans bear $2.01 of the payment fee, and the tax on it of $0.40" in text for text in sentences
    )

    parcel_cannot_deliver(parcel_id=own.pk, reason="It broke.", actor=potter)

    assert "You still bear your part of the payment fee, $1.74" in page(browser(potter).get(address)).text
