"""Payments are what their captures, receipts, refunds and disputes say."""

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Invariant, Mismatch, compare, find_fractions, flat, one_statement
from artisans.core.money import Money
from orders.invariants.rows import Found, Orders, find_wrong_histories, of_orders
from payments.invariants.rows import (
    TO_BE_REVIEWED,
    captures_of,
    disputes_of,
    money,
    payments_of,
    receipts_of,
    refund_lines_of,
    refunds_of,
    standing_receipts,
    total,
)
from payments.methods import MANUAL
from payments.models import (
    Capture,
    CashDeposit,
    CashDepositLine,
    DepositStatus,
    DisputeTransition,
    PaymentTransition,
    Receipt,
)
from payments.statuses import PAYMENT_TRANSITIONS, SETTLED, DisputeStatus, PaymentStatus, RefundStatus

ANY_DISPUTE = {status: frozenset(DisputeStatus) for status in DisputeStatus}  # the provider decides


# ---- what was received -----------------------------------------------------------------------------------------


def find_wrong_received(chunk: Orders) -> Found:
    captures = captures_of(chunk)
    for payment in flat(payments_of(chunk)):
        received = total(captures[payment.pk]) + total(standing_receipts(chunk, payment))
        yield from compare(payment, payment.received, money(payment, received))


def find_money_of_the_other_kind(chunk: Orders) -> Found:
    captures, receipts = captures_of(chunk), receipts_of(chunk)
    for payment in flat(payments_of(chunk)):
        if (captures if payment.payment_provider == MANUAL else receipts)[payment.pk]:
            yield Mismatch(payment)


def find_foreign_captures(chunk: Orders) -> Found:
    """Money is booked with the provider that took it."""
    for capture in flat(captures_of(chunk)):
        yield from compare(capture.payment, capture.provider, capture.payment.payment_provider)


@one_statement
def find_captured_twice() -> QuerySet[Capture, tuple[str, str, int]]:
    rows = Capture.objects.order_by("provider", "provider_capture_id").values(
        "provider", "provider_capture_id"
    )
    twice = rows.annotate(count=Count("pk")).filter(count__gt=1)
    return twice.values_list("provider_capture_id", "provider", "count")


@one_statement
def find_received_twice() -> QuerySet[Receipt, tuple[str, int]]:
    """References of the release before, which have no key, counted once per payment only."""
    standing = Receipt.objects.filter(~Q(reference_key=""), reversal=None).order_by("reference_key")
    twice = standing.values("reference_key").annotate(count=Count("pk")).filter(count__gt=1)
    return twice.values_list("reference_key", "count")


@one_statement
def find_deposited_as_received() -> QuerySet[CashDeposit, tuple[str]]:
    receipts = Receipt.objects.filter(reference_key=OuterRef("reference_key"), reversal=None)
    wrong = CashDeposit.objects.filter(Exists(receipts), status=DepositStatus.RECORDED).order_by("pk")
    return wrong.values_list("bank_reference")


def find_wrong_deposits() -> Found:
    """Lines that have another status than their deposit are not part of it."""
    lines = CashDepositLine.objects.filter(deposit=OuterRef("pk"), status=OuterRef("status")).order_by()
    cash = Sum(F("receipt__amount_minor") - F("paid_back_minor"))
    covered = Coalesce(Subquery(lines.values("deposit").annotate(cash=cash).values("cash")), 0)
    deposits = CashDeposit.objects.annotate(covered=covered)
    for row in deposits.exclude(covered=F("amount_minor") + F("fee_minor")).order_by("pk"):
        yield Mismatch(row.bank_reference, row.total, Money.stored(row.covered, row.currency))


def find_settled_without_money(chunk: Orders) -> Found:
    for payment in flat(payments_of(chunk)):
        if payment.status in SETTLED and payment.received_minor < payment.amount_minor:
            yield Mismatch(payment, payment.received, payment.amount)


def find_wrong_settled_statuses(chunk: Orders) -> Found:
    """Completed, partly refunded and refunded follow from what is left of the money."""
    for payment in flat(payments_of(chunk)):
        kept = payment.net_received_minor
        due = PaymentStatus.PARTIALLY_REFUNDED if kept else PaymentStatus.REFUNDED
        if kept >= payment.amount_minor:
            due = PaymentStatus.COMPLETED
        if payment.status in SETTLED and payment.status != due:
            yield Mismatch(payment, payment.status, money(payment, kept))


# ---- what went back --------------------------------------------------------------------------------------------


def find_wrong_refunded(chunk: Orders) -> Found:
    refunds = refunds_of(chunk)
    for payment in flat(payments_of(chunk)):
        done = [row for row in refunds[payment.pk] if row.status == RefundStatus.COMPLETED]
        yield from compare(payment, payment.refunded, money(payment, total(done)))


def find_wrong_reserved(chunk: Orders) -> Found:
    refunds = refunds_of(chunk)
    for payment in flat(payments_of(chunk)):
        pending = [row for row in refunds[payment.pk] if row.is_pending]
        yield from compare(payment, payment.refund_reserved, money(payment, total(pending)))


def find_wrong_disputed(chunk: Orders) -> Found:
    """Lost disputes in the payment's currency, as far as refunds left something."""
    disputes = disputes_of(chunk)
    for payment in flat(payments_of(chunk)):
        lost = [
            row
            for row in disputes[payment.pk]
            if row.status == DisputeStatus.LOST and row.currency == payment.currency
        ]
        left = payment.received_minor - payment.refunded_minor - payment.refund_reserved_minor
        yield from compare(payment, payment.disputed, money(payment, max(0, min(total(lost), left))))


def find_refunded_beyond_received(chunk: Orders) -> Found:
    for payment in flat(payments_of(chunk)):
        gone = payment.refunded_minor + payment.refund_reserved_minor + payment.disputed_minor
        if gone > payment.received_minor:
            yield Mismatch(payment, money(payment, gone), payment.received)


# ---- histories, currencies -------------------------------------------------------------------------------------


def find_wrong_payment_histories(chunk: Orders) -> Found:
    payments = flat(payments_of(chunk))
    history = chunk.children(PaymentTransition, "payment", payments)
    yield from find_wrong_histories(payments, history, PAYMENT_TRANSITIONS)


def find_wrong_dispute_histories(chunk: Orders) -> Found:
    disputes = flat(disputes_of(chunk))
    history = chunk.children(DisputeTransition, "dispute", disputes)
    yield from find_wrong_histories(disputes, history, ANY_DISPUTE)


def find_other_currencies(chunk: Orders) -> Found:
    """A dispute may be in another currency; then it is never counted."""
    for payment in flat(payments_of(chunk)):
        yield from compare(payment, payment.currency, payment.order.currency)
    for rows in (captures_of(chunk), receipts_of(chunk), refunds_of(chunk)):
        for row in flat(rows):
            yield from compare(row.payment, row.currency, row.payment.currency)
    for line in flat(refund_lines_of(chunk)):
        yield from compare(line.refund, line.currency, line.refund.currency)


def find_fractions_of_payments(chunk: Orders) -> Found:
    tables = (payments_of, captures_of, receipts_of, refunds_of, refund_lines_of, disputes_of)
    for rows in tables:
        yield from find_fractions(flat(rows(chunk)))


# ---- the list --------------------------------------------------------------------------------------------------

INVARIANTS = (
    of_orders(
        "payment_received",
        "P6",
        _("What a payment received is the sum of its captures and of its receipts that were not taken back."),
        _("Payment %(row)s received %(stored)s, but its captures and receipts are %(expected)s."),
        find_wrong_received,
        remedy=TO_BE_REVIEWED,
    ),
    of_orders(
        "payment_evidence",
        "P6",
        _("Captures are of payments at a provider, receipts of offline ones."),
        _("Payment %(row)s has captures although it is offline, or receipts although it is not."),
        find_money_of_the_other_kind,
        remedy=TO_BE_REVIEWED,
    ),
    of_orders(
        "capture_provider",
        "P6",
        _("A capture is of the provider of its payment."),
        _("Payment %(row)s has a capture of %(stored)s, but its provider is %(expected)s."),
        find_foreign_captures,
        remedy=TO_BE_REVIEWED,
    ),
    Invariant(
        "capture_once",
        "P3",
        _("A capture of a provider is booked once."),
        _("Capture %(row)s of %(stored)s is booked %(expected)s times."),
        find_captured_twice,
        tables=(Capture,),
        remedy=TO_BE_REVIEWED,
    ),
    Invariant(
        "receipt_once",
        "P3",
        _("A reference of the bank stands for one receipt, unless it was taken back."),
        _("The reference %(row)s stands for %(stored)s receipts."),
        find_received_twice,
        tables=(Receipt,),
        remedy=_("Compare the receipts with the bank’s statement, and take back the one that is wrong."),
    ),
    Invariant(
        "deposit_once",
        "P3",
        _("A reference of the bank stands for a deposit of cash or for a receipt, not for both."),
        _("The reference %(row)s stands for a deposit of cash and for a receipt."),
        find_deposited_as_received,
        tables=(CashDeposit,),
        remedy=_("Compare both with the bank’s statement, and reverse the one that is wrong."),
    ),
    Invariant(
        "deposit_total",
        "P8",
        _("A deposit of cash, and the fee that was kept of it, is the cash of the receipts that it covers."),
        _("The deposit %(row)s, with its fee, is %(stored)s, but the cash of its receipts is %(expected)s."),
        find_wrong_deposits,
        tables=(CashDeposit,),
        remedy=_("Compare the deposit with the bank’s statement, reverse it, and record it again."),
    ),
    of_orders(
        "payment_settled",
        "P6",
        _("A payment is settled only if its whole amount was received."),
        _("Payment %(row)s is settled with %(stored)s, but its amount is %(expected)s."),
        find_settled_without_money,
        remedy=TO_BE_REVIEWED,
    ),
    of_orders(
        "payment_status",
        "P7",
        _("A completed payment kept its amount, a partly refunded one less, and a refunded one nothing."),
        _("Payment %(row)s is %(stored)s, but %(expected)s of it are kept."),
        find_wrong_settled_statuses,
    ),
    of_orders(
        "payment_refunded",
        "P5",
        _("What was refunded of a payment is the sum of its completed refunds."),
        _("Payment %(row)s: %(stored)s were refunded, but its completed refunds are %(expected)s."),
        find_wrong_refunded,
    ),
    of_orders(
        "payment_reserved",
        "P5",
        _("What is reserved of a payment is the sum of its refunds whose outcome is not known yet."),
        _("Payment %(row)s: %(stored)s are reserved for refunds, but its pending refunds are %(expected)s."),
        find_wrong_reserved,
    ),
    of_orders(
        "payment_disputed",
        "P5",
        _("What a payment lost is the sum of its lost disputes, at most what refunds left of it."),
        _("Payment %(row)s lost %(stored)s in disputes, but by its disputes %(expected)s."),
        find_wrong_disputed,
    ),
    of_orders(
        "payment_refunds_within_received",
        "P5",
        _("Refunds, pending ones too, and lost disputes of a payment are at most what it received."),
        _("Payment %(row)s: %(stored)s went back or are reserved for it, but it received %(expected)s."),
        find_refunded_beyond_received,
    ),
    of_orders(
        "payment_history",
        "P7",
        _(
            "The status of a payment is the last one of its history, whose changes are allowed and follow each other."
        ),
        _(
            "Payment %(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."
        ),
        find_wrong_payment_histories,
    ),
    of_orders(
        "dispute_history",
        "P7",
        _("The status of a dispute is the last one of its history, whose changes follow each other."),
        _("%(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."),
        find_wrong_dispute_histories,
    ),
    of_orders(
        "payment_currency",
        "P10",
        _(
            "Payments have the currency of their order, and captures, receipts and refunds that of their payment."
        ),
        _("%(row)s has an amount in %(stored)s, but its currency is %(expected)s."),
        find_other_currencies,
    ),
    of_orders(
        "payment_whole_amounts",
        "P10",
        _("The amounts of payments, captures, receipts, refunds and disputes are whole minor units."),
        _("%(row)s has the amount %(stored)s, which is not a whole number of minor units."),
        find_fractions_of_payments,
    ),
)
