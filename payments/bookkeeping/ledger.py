"""Payments in the ledger: what captures, receipts, refunds and lost disputes require, booked in their transaction.

What artisans earn is in earnings.py.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core.compiled import compiled
from artisans.core.errors import InvalidInput
from artisans.core.queue import run_each
from artisans.ledger.accounts import AccountKey, AccountKind, Leg, transfer
from artisans.ledger.invariants import find_errors
from artisans.ledger.models import EntryKind, LedgerEntry, LedgerPeriod
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import FACT_SOURCES, Fact, difference, fact_book, first_day_to_close
from orders.models import Order
from orders.statuses import CashHolder
from payments.bookkeeping.earnings import earnings_facts, order_earnings_book
from payments.bookkeeping.month_close import month_close
from payments.methods import PaymentMethod
from payments.models import (
    Capture,
    Dispute,
    DisputeTransition,
    PaidFrom,
    Payment,
    PaymentRefund,
    Receipt,
    ReceiptReversal,
)
from payments.selectors import payment_lock, taken_for_disputes
from payments.statuses import RefundStatus

CHUNK = 500
RECENT = timedelta(hours=2)
Report = Callable[[int], None]  # called with the number of payments read so far


def order_account(payment: Payment) -> AccountKey:
    return AccountKey(AccountKind.ORDER, payment.currency)


def provider_account(payment: Payment) -> AccountKey:
    return AccountKey(AccountKind.PROVIDER, payment.currency, payment.payment_provider)


def disputed_account(payment: Payment) -> AccountKey:
    return AccountKey(AccountKind.DISPUTED, payment.currency, payment.payment_provider)


def bank_account(payment: Payment) -> AccountKey:
    return AccountKey(AccountKind.BANK, payment.currency)


def receipt_account(payment: Payment, receipt: Receipt) -> AccountKey:
    """Who has the money: the bank, the shop, a courier, or the artisan of the parcel, who then owes it.

    Cash without a holder was recorded by release 0.1.0; the bank feed has transfers only.
    """
    if receipt.holder == CashHolder.ARTISAN and receipt.parcel:
        artisan_id = receipt.parcel.artisan_id
        return AccountKey(AccountKind.SELLER_AVAILABLE, payment.currency, artisan=artisan_id)
    if receipt.holder == CashHolder.COURIER:
        return AccountKey(AccountKind.COURIER_CASH, payment.currency)
    is_cash = payment.payment_method == PaymentMethod.CASH_ON_DELIVERY and receipt.actor_id is not None
    return AccountKey(AccountKind.CASH, payment.currency) if is_cash else bank_account(payment)


def start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def capture_fact(payment: Payment, capture: Capture) -> Fact:
    return Fact(
        id=capture.pk,
        kind=EntryKind.CAPTURE,
        legs=transfer(capture.amount_minor, debit=provider_account(payment), credit=order_account(payment)),
        happened_at=capture.created_at,
        order_id=payment.order_id,
    )


def receipt_fact(payment: Payment, receipt: Receipt, *, reversed_at: datetime | None = None) -> Fact:
    """`reversed_at`: when it was reversed, if it was. A receipt is booked on its value date."""
    account = receipt_account(payment, receipt)
    legs = transfer(receipt.amount_minor, debit=account, credit=order_account(payment))
    return Fact(
        id=receipt.pk,
        kind=EntryKind.RECEIPT_REVERSED if reversed_at else EntryKind.RECEIPT,
        legs=[] if reversed_at else legs,
        happened_at=reversed_at or start_of(receipt.value_date),
        order_id=payment.order_id,
        parcel_id=receipt.parcel_id,
    )


def refund_account(payment: Payment, refund: PaymentRefund) -> AccountKey:
    """Whose money it was: an artisan who handed it back owes that much less."""
    if payment.is_remote:
        return provider_account(payment)
    if refund.paid_from == PaidFrom.ARTISAN:
        return AccountKey(AccountKind.SELLER_AVAILABLE, payment.currency, artisan=refund.paid_by_id)
    is_cash = refund.paid_from == PaidFrom.CASH
    return AccountKey(AccountKind.CASH, payment.currency) if is_cash else bank_account(payment)


def refund_fact(payment: Payment, refund: PaymentRefund) -> Fact:
    """An offline refund was paid by staff or an artisan, and is booked on its value date."""
    is_completed = refund.status == RefundStatus.COMPLETED
    account = refund_account(payment, refund)
    legs = transfer(refund.amount_minor, debit=order_account(payment), credit=account)
    value_date = refund.value_date if is_completed else None
    return Fact(
        id=refund.pk,
        kind=EntryKind.REFUND if is_completed else EntryKind.REFUND_FAILED,
        legs=legs if is_completed else [],
        happened_at=start_of(value_date) if value_date else refund.processed_at or refund.updated_at,
        order_id=payment.order_id,
    )


def disputes_fact(payment: Payment, *, at: datetime | None = None, taken: int | None = None) -> Fact:
    """All lost disputes of a payment, as far as they are deducted from what refunds left of it.

    `taken`: what the provider took for disputes, as far as its movements are read; the ledger moved that to *disputed*
    then. `at`: when the last dispute changed; now if it is just changing.
    """
    minor = payment.disputed_minor
    taken = taken_for_disputes([payment.pk]).get(payment.pk, 0) if taken is None else taken
    from_disputed = min(minor, max(taken, 0))
    legs = [
        Leg(order_account(payment), minor),
        Leg(disputed_account(payment), -from_disputed),
        Leg(provider_account(payment), from_disputed - minor),
    ]
    return Fact(
        id=payment.pk,
        kind=EntryKind.DISPUTE_LOST if minor else EntryKind.DISPUTE_WON,
        legs=[leg for leg in legs if leg.minor],
        happened_at=at or timezone.now(),
        order_id=payment.order_id,
    )


# ---- filling ---------------------------------------------------------------------------------------------------


def facts_of(payments: Iterable[Payment]) -> list[Fact]:
    """All facts of these payments but their movements at the provider, in five queries."""
    by_key = {payment.pk: payment for payment in payments}
    keys = list(by_key)
    changed_at = dict(disputes_changed(keys))  # the last one of each payment
    taken = taken_for_disputes(keys)
    found = [
        disputes_fact(row, at=changed_at.get(row.pk, row.updated_at), taken=taken.get(row.pk, 0))
        for row in by_key.values()
    ]
    found += (capture_fact(by_key[row.payment_id], row) for row in captures_of(keys))
    for row in receipts_of(keys):
        reversal = getattr(row, "reversal", None)
        found.append(receipt_fact(by_key[row.payment_id], row, reversed_at=reversal and reversal.created_at))
    found += (refund_fact(by_key[row.payment_id], row) for row in refunds_of(keys))
    return found


@compiled
def disputes_changed(payments: list[UUID]) -> QuerySet[DisputeTransition, tuple[UUID, datetime]]:
    changes = DisputeTransition.objects.filter(dispute__payment__any=payments).order_by("id")
    return changes.values_list("dispute__payment", "at")


@compiled
def captures_of(payments: list[UUID]) -> QuerySet[Capture]:
    return Capture.objects.filter(payment__any=payments).order_by()


@compiled
def receipts_of(payments: list[UUID]) -> QuerySet[Receipt]:
    return Receipt.objects.filter(payment__any=payments).select_related("reversal", "parcel").order_by()


@compiled
def refunds_of(payments: list[UUID]) -> QuerySet[PaymentRefund]:
    return PaymentRefund.objects.filter(payment__any=payments).order_by()


@compiled
def orders_by_id(orders: list[UUID]) -> QuerySet[Order]:
    return Order.objects.filter(pk__any=orders).order_by()


def unbooked(payments: Iterable[Payment]) -> list[Fact]:
    """Facts of these payments and their orders whose postings differ from what they require."""
    payments = list(payments)
    orders = orders_by_id(list({payment.order_id for payment in payments}))
    facts = [*facts_of(payments), *earnings_facts(orders)]
    booked = legs_by_entry(fact.id for fact in facts)
    return [fact for fact in facts if difference(fact.legs, legs_of(booked[fact.id]))]


@transaction.atomic
def payment_book(payment_id: UUID) -> int:
    """Book what is missing in the ledger for a payment and its order; returns the number of entries."""
    payment, order = payment_lock(payment_id)
    facts = [fact for fact in unbooked([payment]) if fact.id != order.pk]
    entries = [*map(fact_book, facts), order_earnings_book(order, is_late=True)]
    return sum(entry is not None for entry in entries)


def payments_with_recent_money() -> QuerySet[Payment]:
    """Those that received or gave back money within two hours."""
    since = timezone.now() - RECENT
    rows: tuple[tuple[QuerySet[Any], str], ...] = (
        (Capture.objects.filter(created_at__gte=since), "payment"),
        (Receipt.objects.filter(created_at__gte=since), "payment"),
        (ReceiptReversal.objects.filter(created_at__gte=since), "receipt__payment"),
        (PaymentRefund.objects.filter(processed_at__gte=since), "payment"),
        (Dispute.objects.filter(updated_at__gte=since), "payment"),
    )
    found = {key for found, path in rows for key in found.order_by().values_list(path, flat=True)}
    return Payment.objects.filter(pk__in=found)


def ledger_fill(payments: QuerySet[Payment], *, report: Report = lambda done: None) -> int:
    """Book what is missing for these payments; returns the number of entries. Safe to repeat.

    A payment that cannot be booked is logged and does not stop the others.
    """
    count = 0
    for chunk in chunks(payments, report):
        orders = {fact.order_id for fact in unbooked(chunk)}
        due = [payment.pk for payment in chunk if payment.order_id in orders]
        count += sum(run_each(due, payment_book, event="ledger_fill_failed"))
    return count


def ledger_fill_sources() -> int:
    """Book what is missing for facts that are no payment's; returns the number of entries."""
    count = 0
    for source in FACT_SOURCES:
        due = [fact.id for fact in source.unbooked()]
        count += sum(entry is not None for entry in run_each(due, source.book, event="ledger_fill_failed"))
    return count


def chunks(payments: QuerySet[Payment], report: Report) -> Iterator[list[Payment]]:
    """All payments in order of their keys."""
    done = 0
    rows = payments.order_by("pk")
    chunk = list(rows[:CHUNK])
    while chunk:
        yield chunk
        done += len(chunk)
        report(done)
        if len(chunk) < CHUNK:
            return
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:CHUNK])


# ---- checking --------------------------------------------------------------------------------------------------


class LedgerError(Exception):
    """The ledger differs from the captures, receipts, refunds and disputes, so many times."""


def find_ledger_errors(*, report: Report = lambda done: None) -> Iterator[str]:
    """One sentence for each rule of the ledger that is violated, and for each difference from the payments."""
    yield from find_errors()
    yield from find_differences(report=report)


def find_differences(*, report: Report = lambda done: None) -> Iterator[str]:
    """One sentence for each difference between the ledger and what should be in it."""
    for (key,) in keys_without_fact():
        yield _("%(entry)s was booked for something that does not exist.") % {"entry": key}
    for chunk in chunks(Payment.objects.all(), report):
        suspects = {fact.order_id for fact in unbooked(chunk)}
        for payment in chunk:
            if payment.order_id in suspects:
                yield from payment_errors(payment.pk)
    for source in FACT_SOURCES:
        for fact in source.unbooked():
            yield _("%(kind)s %(fact)s differs from the ledger.") % {"kind": fact.kind.label, "fact": fact.id}


@compiled
def keys_without_fact() -> QuerySet[LedgerEntry, tuple[str]]:
    """Of the entries for something that does not exist."""
    tables: list[QuerySet[Any]] = [
        model._default_manager.all() for model in (Capture, Receipt, PaymentRefund, Payment, Order)
    ]
    known = Q()
    for rows in (*tables, *(source.rows() for source in FACT_SOURCES)):
        known |= Q(Exists(rows.filter(pk=OuterRef("fact_id"))))
    return LedgerEntry.objects.exclude(known).order_by().values_list("key")


@transaction.atomic
def payment_errors(payment_id: UUID) -> list[str]:
    """Under the payment's lock, because its rows and postings are read one after the other."""
    payment, order = payment_lock(payment_id)
    text = _("%(kind)s %(fact)s of order %(order)s differs between the payment and the ledger.")
    return [
        text % {"kind": fact.kind.label, "fact": fact.id, "order": order.order_number}
        for fact in unbooked([payment])
    ]


def ledger_close_month(*, closed_by: User, note: str = "") -> LedgerPeriod:
    """Compare the ledger with all payments, and close the oldest open month if it matches them.

    Errors: those of `month_close`; InvalidInput if the ledger has errors.
    """
    first_day = first_day_to_close()
    ledger_fill(Payment.objects.all())
    ledger_fill_sources()
    if errors := list(islice(find_ledger_errors(), 1)):
        raise InvalidInput(
            _("The month cannot be closed before the ledger is correct: %(error)s") % {"error": errors[0]}
        )
    return month_close(closed_by=closed_by, note=note, first_day=first_day, is_compared=True)
