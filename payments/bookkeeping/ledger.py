"""Payments in the ledger: what captures, receipts, refunds and lost disputes require, booked in their transaction."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.ledger.accounts import AccountKey, AccountKind, Leg, transfer
from artisans.ledger.models import EntryKind
from artisans.ledger.selectors import find_errors, legs_of_facts
from artisans.ledger.services import Fact, difference, fact_book
from payments.methods import PaymentMethod
from payments.models import Capture, Payment, PaymentRefund, Receipt, ReceiptReversal
from payments.selectors import payment_lock
from payments.statuses import RefundStatus


def money_account(payment: Payment) -> AccountKey:
    """Where the money of a payment lies."""
    if payment.is_remote:
        return AccountKey(AccountKind.PROVIDER, payment.currency, payment.payment_provider)
    is_cash = payment.payment_method == PaymentMethod.CASH_ON_DELIVERY
    return AccountKey(AccountKind.CASH if is_cash else AccountKind.BANK, payment.currency)


def order_account(payment: Payment) -> AccountKey:
    return AccountKey(AccountKind.ORDER, payment.currency)


def money_in(payment: Payment, minor: int) -> list[Leg]:
    return transfer(minor, debit=money_account(payment), credit=order_account(payment))


def capture_fact(payment: Payment, capture: Capture) -> Fact:
    return Fact(
        id=capture.pk,
        kind=EntryKind.CAPTURE,
        legs=money_in(payment, capture.amount_minor),
        happened_at=capture.created_at,
        order_id=payment.order_id,
    )


def receipt_fact(payment: Payment, receipt: Receipt, *, reversed_at: datetime | None = None) -> Fact:
    """`reversed_at`: when it was reversed, if it was. A receipt is booked on its value date."""
    value_date = timezone.make_aware(datetime.combine(receipt.value_date, time.min))
    return Fact(
        id=receipt.pk,
        kind=EntryKind.RECEIPT_REVERSED if reversed_at else EntryKind.RECEIPT,
        legs=[] if reversed_at else money_in(payment, receipt.amount_minor),
        happened_at=reversed_at or value_date,
        order_id=payment.order_id,
    )


def refund_fact(payment: Payment, refund: PaymentRefund) -> Fact:
    is_completed = refund.status == RefundStatus.COMPLETED
    legs = transfer(refund.amount_minor, debit=order_account(payment), credit=money_account(payment))
    return Fact(
        id=refund.pk,
        kind=EntryKind.REFUND if is_completed else EntryKind.REFUND_FAILED,
        legs=legs if is_completed else [],
        happened_at=refund.processed_at or refund.updated_at,
        order_id=payment.order_id,
    )


def disputes_fact(payment: Payment) -> Fact:
    """All lost disputes of a payment, as far as they are deducted from what refunds left of it."""
    disputed = AccountKey(AccountKind.DISPUTED, payment.currency)
    minor = payment.disputed_minor
    return Fact(
        id=payment.pk,
        kind=EntryKind.DISPUTE_LOST if minor else EntryKind.DISPUTE_WON,
        legs=transfer(minor, debit=order_account(payment), credit=disputed) if minor else [],
        happened_at=timezone.now(),
        order_id=payment.order_id,
    )


# ---- checking and filling --------------------------------------------------------------------------------------


def facts_of(payments: Iterable[Payment]) -> list[Fact]:
    """All facts of these payments, in three queries."""
    by_key = {payment.pk: payment for payment in payments}
    receipts = Receipt.objects.filter(payment__in=by_key).select_related("reversal").order_by()
    found = [disputes_fact(payment) for payment in by_key.values()]
    found += (
        capture_fact(by_key[row.payment_id], row)
        for row in Capture.objects.filter(payment__in=by_key).order_by()
    )
    for row in receipts:
        reversal = getattr(row, "reversal", None)
        found.append(receipt_fact(by_key[row.payment_id], row, reversed_at=reversal and reversal.created_at))
    found += (
        refund_fact(by_key[row.payment_id], row)
        for row in PaymentRefund.objects.filter(payment__in=by_key).order_by()
    )
    return found


def unbooked(payments: Iterable[Payment]) -> Iterator[Fact]:
    """Facts of these payments whose postings differ from what they require."""
    facts = facts_of(payments)
    booked = legs_of_facts(fact.id for fact in facts)
    return (fact for fact in facts if difference(fact.legs, booked.get(fact.id, [])))


@transaction.atomic
def payment_book(payment_id: UUID) -> int:
    """Book what is missing in the ledger for a payment; returns the number of entries."""
    payment, _order = payment_lock(payment_id)
    return sum(fact_book(fact) is not None for fact in list(unbooked([payment])))


CHUNK = 500
RECENT = timedelta(hours=2)
Report = Callable[[int], None]  # called with the number of payments read so far


class LedgerError(Exception):
    """The ledger differs from the captures, receipts, refunds and disputes. `args`: a list of sentences."""


def payments_with_recent_money() -> QuerySet[Payment]:
    since = timezone.now() - RECENT
    models = (Capture, Receipt, ReceiptReversal, PaymentRefund)
    paths = ("payment", "payment", "receipt__payment", "payment")
    found = {
        key
        for model, path in zip(models, paths, strict=True)
        for key in model._default_manager.filter(created_at__gte=since)
        .order_by()
        .values_list(path, flat=True)
    }
    return Payment.objects.filter(pk__in=found)


def ledger_fill(payments: QuerySet[Payment], *, report: Report = lambda done: None) -> int:
    """Book what is missing for these payments; returns the number of entries. Safe to repeat."""
    count = 0
    for chunk in chunks(payments, report):
        orders = {fact.order_id for fact in unbooked(chunk)}
        count += sum(payment_book(payment.pk) for payment in chunk if payment.order_id in orders)
    return count


def find_ledger_errors(*, report: Report = lambda done: None) -> Iterator[str]:
    """One sentence for each rule of the ledger that is violated, and for each payment that it does not match."""
    yield from find_errors()
    for chunk in chunks(Payment.objects.select_related("order"), report):
        numbers: dict[UUID | None, str] = {row.order_id: row.order.order_number for row in chunk}
        for fact in unbooked(chunk):
            yield _("%(kind)s %(fact)s of order %(order)s is not in the ledger as it is in the books.") % {
                "kind": fact.kind.label,
                "fact": fact.id,
                "order": numbers[fact.order_id],
            }


def chunks(payments: QuerySet[Payment], report: Report) -> Iterator[list[Payment]]:
    """All payments in order of their keys."""
    done = 0
    rows = payments.order_by("pk")
    chunk = list(rows[:CHUNK])
    while chunk:
        yield chunk
        done += len(chunk)
        report(done)
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:CHUNK])
