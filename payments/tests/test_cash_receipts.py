"""Cash on delivery by parcel: what may be recorded, who holds it, and what the ledger says."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction

from artisans.core.errors import Conflict, InvalidInput
from artisans.core.money import Money
from artisans.ledger.models import LedgerEntry, LedgerPosting
from artisans.ledger.selectors import balances
from orders.models import Parcel, StoreRules
from orders.services.parcels import parcel_report_cash, parcel_ship
from orders.statuses import CashHolder
from payments.bookkeeping.ledger import find_ledger_errors
from payments.errors import AlreadyRecorded, OwnCashReport
from payments.lifecycle.cancel_and_expire import parcel_cannot_deliver
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Earning, Payment, Receipt, ReversalReason
from payments.selectors import receipts_naming_parcels
from payments.tests.factories import record, reread, start, usd
from tests.append_only import rewriting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ARTISAN, SHOP, COURIER = CashHolder.ARTISAN, CashHolder.SHOP, CashHolder.COURIER


@pytest.fixture
def cash(bowl, scarf, shopper) -> Payment:
    """Two parcels: a bowl and a scarf, from different artisans."""
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)


def parcels_of(payment: Payment) -> list[Parcel]:
    return list(payment.order.parcels.select_related("artisan__user", "order").order_by("number"))


def collect(payment: Payment, parcel: Parcel, amount: Money | None = None, **changes: Any) -> Receipt:
    """Staff record the cash of a parcel, all of it unless an amount is given."""
    return record(payment, amount or parcel.total, parcel_id=parcel.pk, **changes)


def sums() -> dict[str, int]:
    """What receipts and their reversals left on each account."""
    rows = LedgerPosting.objects.filter(entry__kind__startswith="receipt").select_related("account__artisan")
    found: Counter[str] = Counter()
    for row in rows.order_by():
        found[f"{row.account.kind} {row.account.artisan or ''}".strip()] += row.amount_minor
    return dict(found)


@contextmanager
def refused(error: type[Exception], match: str | None = None) -> Iterator[None]:
    """The refusal undoes its transaction, as that of a request."""
    with pytest.raises(error, match=match), transaction.atomic():
        yield


def test_each_holder_has_an_account(cash, staff):
    first, second = parcels_of(cash)

    collect(cash, first, actor=staff, holder=ARTISAN)
    collect(cash, second, actor=staff, holder=COURIER)

    total = first.total_minor + second.total_minor
    assert sums() == {
        f"seller_available {first.artisan}": first.total_minor,  # owes it to the shop
        "courier_cash": second.total_minor,
        "order": -total,
    }
    entries = LedgerEntry.objects.filter(kind="receipt")
    assert set(entries.values_list("parcel_id", flat=True)) == {first.pk, second.pk}
    assert receipts_naming_parcels(cash.order) == {
        first.pk: first.total_minor,
        second.pk: second.total_minor,
    }
    assert (cash.status, cash.order.payment_status) == ("COMPLETED", "PAID")
    assert list(find_ledger_errors()) == []
    owed = {row.account.artisan: row.amount.minor for row in balances() if row.account.artisan}
    net = Earning.objects.get(parcel=first).net_minor
    assert owed[first.artisan] == first.total_minor - net  # the artisan owes the commission


@pytest.mark.parametrize("holder", CashHolder)
def test_default_holder_is_the_one_of_the_store_rules(cash, staff, holder):
    StoreRules.objects.update(cash_holder=holder)
    first, second = parcels_of(cash)
    assert collect(cash, first, actor=staff).holder == holder
    assert collect(cash, second, actor=staff, holder=COURIER).holder == COURIER


def test_cash_for_the_whole_order_names_no_parcel(cash, staff):
    receipt = record(cash, cash.amount, actor=staff)
    assert (receipt.parcel, receipt.holder) == (None, SHOP)
    assert sums() == {"cash": cash.amount_minor, "order": -cash.amount_minor}
    assert receipts_naming_parcels(cash.order) == {}


def test_receipts_of_the_release_before_are_cash_of_the_shop(cash, staff):
    receipt = record(cash, cash.amount, actor=staff)
    with rewriting():
        Receipt.objects.update(holder="")
    assert list(find_ledger_errors()) == []
    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.MISTAKE, actor=staff)
    assert set(sums().values()) == {0}


def test_one_artisan_reports_the_other_parcel_is_refused_at_the_door(cash, staff):
    """No cash is due for what was refused, and the order is paid by the other parcel."""
    kept, refused_one = parcels_of(cash)
    for parcel in (kept, refused_one):
        parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=parcel.artisan.user)
    parcel_report_cash(parcel_id=kept.pk, actor=kept.artisan.user)
    collect(cash, kept, actor=staff, holder=ARTISAN)
    assert (cash.status, cash.order.payment_status) == ("PENDING", "PARTIALLY_PAID")

    parcel_return(
        parcel_id=refused_one.pk, actor=refused_one.artisan.user, restock=True, reason="refused at the door"
    )

    assert (reread(cash).status, cash.order.payment_status) == ("COMPLETED", "PAID")
    assert sums() == {f"seller_available {kept.artisan}": kept.total_minor, "order": -kept.total_minor}
    with refused(Conflict, "was cancelled or returned, so no cash is due"):
        collect(cash, refused_one, actor=staff)


def test_cash_cannot_be_recorded_for_a_cancelled_parcel(cash, staff, seller):
    parcel = next(row for row in parcels_of(cash) if row.artisan.user == seller)
    parcel_cannot_deliver(parcel_id=parcel.pk, actor=seller, reason="kiln broke")

    with refused(Conflict, "was cancelled or returned"):
        collect(cash, parcel, actor=staff)
    assert not Receipt.objects.exists()


def test_cash_of_a_parcel_is_recorded_once(cash, staff, admin_user):
    parcel = parcels_of(cash)[0]
    collect(cash, parcel, actor=staff)

    with refused(AlreadyRecorded, f"The cash for parcel {parcel} was already recorded: .* by {staff.email}"):
        collect(cash, parcel, actor=admin_user, seen_minor=0)

    assert receipts_naming_parcels(cash.order) == {parcel.pk: parcel.total_minor}


def test_less_than_owed_leaves_the_rest_outstanding(cash, staff):
    parcel, other = parcels_of(cash)
    collect(cash, parcel, usd("10.00"), actor=staff)

    parcel = Parcel.objects.get(pk=parcel.pk)
    assert parcel.cash_due == parcel.total - usd("10.00")
    assert cash.order.payment_status == "PARTIALLY_PAID"
    with refused(InvalidInput, "outstanding for parcel"):
        collect(cash, parcel, actor=staff)
    collect(cash, parcel, parcel.cash_due, actor=staff)
    collect(cash, other, actor=staff)
    assert (cash.status, cash.order.payment_status) == ("COMPLETED", "PAID")


@pytest.mark.parametrize("beyond_due", [True, False])
def test_more_than_owed_is_refused(cash, staff, beyond_due):
    parcel = parcels_of(cash)[0]
    with refused(InvalidInput, f"Only .* is outstanding for parcel {parcel}"):
        collect(cash, parcel, parcel.total + usd("0.01"), actor=staff, beyond_due=beyond_due)


def test_cash_for_the_whole_order_leaves_only_the_rest_for_parcels(cash, staff):
    first, second = parcels_of(cash)
    record(cash, first.total, actor=staff)

    collect(cash, second, actor=staff)
    with refused(AlreadyRecorded, "Nothing is outstanding"):
        collect(cash, first, actor=staff)
    assert cash.order.payment_status == "PAID"


def test_who_reported_the_cash_does_not_record_it(cash, staff, admin_user):
    first, second = parcels_of(cash)
    Parcel.objects.filter(pk=first.pk).update(cash_reported_by=admin_user)
    for parcel_id in (first.pk, None):
        with refused(OwnCashReport):
            record(cash, "1.00", actor=admin_user, parcel_id=parcel_id)
    collect(cash, second, actor=admin_user)
    collect(cash, first, actor=staff)


def test_who_acts_for_the_artisan_does_not_record_its_cash(cash, admin_user):
    parcel = parcels_of(cash)[0]
    parcel.artisan.user = admin_user
    parcel.artisan.save()
    with refused(OwnCashReport):
        collect(cash, parcel, actor=admin_user)


def test_report_names_its_artisan(cash):
    parcel = parcels_of(cash)[0]
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=parcel.artisan.user)
    reported = parcel_report_cash(parcel_id=parcel.pk, actor=parcel.artisan.user)
    assert reported.cash_reported_by == parcel.artisan.user


def test_recorded_cash_is_neither_collected_nor_reported(cash, staff):
    parcel = parcels_of(cash)[0]
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=parcel.artisan.user)
    collect(cash, parcel, actor=staff)
    assert Parcel.objects.get(pk=parcel.pk).cash_to_collect is None
    with refused(Conflict, "was already recorded"):
        parcel_report_cash(parcel_id=parcel.pk, actor=parcel.artisan.user)


@pytest.mark.parametrize("holder", [ARTISAN, COURIER])
def test_artisan_and_courier_hold_the_cash_of_parcels_only(cash, staff, holder):
    with refused(InvalidInput, "Choose the parcel"):
        record(cash, "1.00", actor=staff, holder=holder)


def test_only_cash_on_delivery_is_recorded_for_a_parcel(shopper, staff):
    payment = start(PaymentMethod.CHECK, user=shopper)
    parcel = parcels_of(payment)[0]
    for changes in ({"parcel_id": parcel.pk}, {"holder": SHOP}):
        with refused(InvalidInput, "Only cash on delivery"):
            record(payment, "1.00", actor=staff, **changes)
    receipt = record(payment, "1.00", actor=staff)
    assert (receipt.parcel, receipt.holder) == (None, "")


def test_parcel_of_another_order_is_refused(cash, bowl, stranger, staff):
    other = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=stranger)
    with refused(InvalidInput, "does not belong to the order"):
        collect(cash, parcels_of(other)[0], actor=staff)


def test_cash_in_another_currency_is_refused(cash, staff):
    parcel = parcels_of(cash)[0]
    with refused(InvalidInput, "received in USD"):
        collect(cash, parcel, Money(parcel.total_minor, "EUR"), actor=staff)


@pytest.mark.parametrize("holder", CashHolder)
def test_reversal_mirrors_the_receipt_and_frees_the_parcel(cash, staff, holder):
    parcel = parcels_of(cash)[0]
    receipt = collect(cash, parcel, actor=staff, holder=holder)

    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.MISTAKE, actor=staff)

    assert set(sums().values()) == {0}
    assert receipts_naming_parcels(cash.order) == {}
    assert Parcel.objects.get(pk=parcel.pk).cash_due == parcel.total
    again = collect(reread(cash), parcel, actor=staff, holder=COURIER)
    assert sums() | {"courier_cash": parcel.total_minor} == sums()
    assert again.holder == COURIER
    assert list(find_ledger_errors()) == []
