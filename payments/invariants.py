"""What is always true of payments, refunds, disputes and the ledger (docs/invariants.md)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import StockMove, StockMoveKind
from artisans.core.invariants import (
    Chunk,
    Invariant,
    Mismatch,
    Rows,
    StrOrPromise,
    compare,
    find_fractions,
    flat,
    one_statement,
    register_invariants,
)
from artisans.core.money import Money
from artisans.ledger.models import LedgerEntry
from orders.invariants import find_wrong_histories, lines_of, moves_condition, name_of, parcels_of
from orders.models import Order
from orders.statuses import ORDERS_CLOSED, PARCELS_ENDED, PARCELS_UNSHIPPED
from payments.bookkeeping.ledger import find_differences
from payments.methods import MANUAL
from payments.models import (
    Capture,
    Dispute,
    DisputeTransition,
    Payment,
    PaymentRefund,
    PaymentTransition,
    Receipt,
    ReceiptReversal,
    RefundDecision,
    RefundLine,
    RefundOrigin,
    RefundTransition,
)
from payments.statuses import (
    OPEN,
    PAYMENT_TRANSITIONS,
    REFUND_TRANSITIONS,
    SETTLED,
    DisputeStatus,
    PaymentStatus,
    RefundStatus,
)

Found = Iterator[Mismatch]
Orders = Chunk[Order]
ANY_DISPUTE = {status: frozenset(DisputeStatus) for status in DisputeStatus}  # the provider decides


def payments_of(chunk: Orders) -> Rows:
    """By order."""
    return chunk.children(Payment, "order")


def captures_of(chunk: Orders) -> Rows:
    """By payment, as the three below."""
    return chunk.children(Capture, "payment", flat(payments_of(chunk)))


def receipts_of(chunk: Orders) -> Rows:
    return chunk.children(Receipt, "payment", flat(payments_of(chunk)))


def refunds_of(chunk: Orders) -> Rows:
    return chunk.children(PaymentRefund, "payment", flat(payments_of(chunk)))


def disputes_of(chunk: Orders) -> Rows:
    return chunk.children(Dispute, "payment", flat(payments_of(chunk)))


def refund_lines_of(chunk: Orders) -> Rows:
    """By refund."""
    return chunk.children(RefundLine, "refund", flat(refunds_of(chunk)))


def standing_receipts(chunk: Orders, payment: Payment) -> list[Receipt]:
    reversed_ones = chunk.children(ReceiptReversal, "receipt", flat(receipts_of(chunk)))
    return [receipt for receipt in receipts_of(chunk)[payment.pk] if not reversed_ones[receipt.pk]]


def money(payment: Payment, minor: int) -> Money:
    return Money.stored(minor, payment.currency)


def total(rows: Iterable[Any]) -> int:
    return sum(row.amount_minor for row in rows)


# ---- orders: the sums of their payments ------------------------------------------------------------------------


def find_wrong_received_of_orders(chunk: Orders) -> Found:
    payments = payments_of(chunk)
    for order in chunk.rows:
        received = sum(payment.received_minor for payment in payments[order.pk])
        yield from compare(order, order.received, order.money(received))


def find_wrong_refunded_of_orders(chunk: Orders) -> Found:
    payments = payments_of(chunk)
    for order in chunk.rows:
        refunded = sum(row.refunded_minor + row.disputed_minor for row in payments[order.pk])
        yield from compare(order, order.refunded, order.money(refunded))


def find_open_twice(chunk: Orders) -> Found:
    for order, payments in open_payments(chunk):
        if len(payments) > 1:
            yield Mismatch(order, len(payments))


def find_payable_without_need(chunk: Orders) -> Found:
    for order, payments in open_payments(chunk):
        if payments and (order.status in ORDERS_CLOSED or not order.balance_due):
            yield Mismatch(order, payments[0], order.balance_due)


def open_payments(chunk: Orders) -> Iterator[tuple[Order, list[Payment]]]:
    payments = payments_of(chunk)
    for order in chunk.rows:
        yield order, [payment for payment in payments[order.pk] if payment.status in OPEN]


def find_due_though_refunded(chunk: Orders) -> Found:
    """No parcel is due to be shipped when all of the order's money was refunded."""
    payments, parcels = payments_of(chunk), parcels_of(chunk)
    for order in chunk.rows:
        reserved = sum(payment.refund_reserved_minor for payment in payments[order.pk])
        kept = order.received_minor - order.refunded_minor - reserved
        was_paid = 0 < order.received_minor >= order.agreed_total_minor
        if order.is_alive and order.released_at and was_paid and kept <= 0:
            for parcel in parcels[order.pk]:
                if parcel.status in PARCELS_UNSHIPPED and not parcel.instruction:
                    yield Mismatch(parcel)


# ---- payments --------------------------------------------------------------------------------------------------


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


def find_settled_without_money(chunk: Orders) -> Found:
    for payment in flat(payments_of(chunk)):
        if payment.status in SETTLED and payment.received_minor < payment.amount_minor:
            yield Mismatch(payment, payment.received, payment.amount)


def find_wrong_settled_statuses(chunk: Orders) -> Found:
    """Completed, partly refunded and refunded follow from what is left of the money."""
    for payment in flat(payments_of(chunk)):
        kept = payment.net_received_minor
        is_wrong = (
            kept < payment.amount_minor
            if payment.status == PaymentStatus.COMPLETED
            else payment.status == PaymentStatus.REFUNDED and kept != 0
        )
        if is_wrong:
            yield Mismatch(payment, payment.status, money(payment, kept))


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


# ---- refunds ---------------------------------------------------------------------------------------------------


def counted_lines(chunk: Orders) -> Iterator[RefundLine]:
    """Of refunds that have not failed."""
    for line in flat(refund_lines_of(chunk)):
        if line.refund.status != RefundStatus.FAILED:
            yield line


def find_wrong_refund_amounts(chunk: Orders) -> Found:
    """A refund of named units is their value; made at the provider, its amount is the provider's."""
    lines = refund_lines_of(chunk)
    for refund in flat(refunds_of(chunk)):
        value = total(lines[refund.pk]) + refund.shipping_minor
        if value and refund.origin != RefundOrigin.PROVIDER:
            yield from compare(refund, refund.amount, Money.stored(value, refund.currency))


def find_wrong_refunded_units(chunk: Orders) -> Found:
    units: Counter[Any] = Counter()
    for row in counted_lines(chunk):
        units[row.order_line_id] += row.quantity
    for line in flat(lines_of(chunk)):
        yield from compare(name_of(line), line.refunded_quantity, units[line.pk])


def find_wrong_refunded_money(chunk: Orders) -> Found:
    """Refunds of a line give back at most what it cost, and with its last unit all of it."""
    sums: Counter[Any] = Counter()
    for row in counted_lines(chunk):
        sums[row.order_line_id] += row.amount_minor
    for line in flat(lines_of(chunk)):
        price, refunded = line.line_total_minor + line.tax_minor, sums[line.pk]
        if refunded > price or (not line.refundable_quantity and refunded != price):
            yield Mismatch(name_of(line), line.order.money(refunded), line.order.money(price))


def find_too_much_shipping(chunk: Orders) -> Found:
    refunds, payments = refunds_of(chunk), payments_of(chunk)
    for order in chunk.rows:
        shipping = sum(
            refund.shipping_minor
            for payment in payments[order.pk]
            for refund in refunds[payment.pk]
            if refund.status != RefundStatus.FAILED
        )
        if shipping > order.shipping_minor:
            yield Mismatch(order, order.money(shipping), order.shipping)


def find_wrong_restocks(chunk: Orders) -> Found:
    """A refund restocks only if it was asked to, and at most its units."""
    lines = {line.pk: line for line in flat(refund_lines_of(chunk))}
    moves = chunk.children(StockMove, "order_line", flat(lines_of(chunk)), where=moves_condition)
    for move in flat(moves):
        if move.kind == StockMoveKind.RESTOCK:
            line = lines.get(move.refund_line)
            allowed = line.quantity if line and line.refund.restock else 0
            if move.quantity > allowed:
                yield Mismatch(line.refund if line else move.refund_line, move.quantity, allowed)


# ---- what is owed ----------------------------------------------------------------------------------------------


def completed_refunds(chunk: Orders, order: Order) -> list[PaymentRefund]:
    payments, refunds = payments_of(chunk), refunds_of(chunk)
    found = (refund for payment in payments[order.pk] for refund in refunds[payment.pk])
    return [refund for refund in found if refund.status == RefundStatus.COMPLETED]


def find_wrong_goods_refunded(chunk: Orders) -> Found:
    """Refunds of goods and shipping of parcels that are neither cancelled nor returned."""
    parcels, lines, refunded = parcels_of(chunk), lines_of(chunk), refund_lines_of(chunk)
    for order in chunk.rows:
        here = {row.pk: row for row in parcels[order.pk] if row.status not in PARCELS_ENDED}
        known = {line.pk for line in lines[order.pk] if line.parcel_id in here}
        refunds = completed_refunds(chunk, order)
        goods = sum(
            row.amount_minor
            for refund in refunds
            for row in refunded[refund.pk]
            if row.order_line_id in known
        )
        shipping = sum(refund.shipping_minor for refund in refunds)
        goods += min(shipping, sum(parcel.shipping_minor for parcel in here.values()))
        yield from compare(order, order.money(order.goods_refunded_minor), order.money(goods))


def find_wrong_goodwill(chunk: Orders) -> Found:
    for order in chunk.rows:
        goodwill = sum(refund.goodwill_minor for refund in completed_refunds(chunk, order))
        yield from compare(order, order.goodwill, order.money(goodwill))


def find_wrong_unassigned(chunk: Orders) -> Found:
    """Refunds at the provider of which nobody decided yet what they were for, and lost disputes."""
    payments = payments_of(chunk)
    for order in chunk.rows:
        unassigned = sum(payment.disputed_minor for payment in payments[order.pk])
        unassigned += total(
            refund
            for refund in completed_refunds(chunk, order)
            if refund.origin == RefundOrigin.PROVIDER and refund.decision == RefundDecision.PENDING
        )
        yield from compare(order, order.unassigned, order.money(unassigned))


# ---- histories, currencies -------------------------------------------------------------------------------------


def find_wrong_payment_histories(chunk: Orders) -> Found:
    payments = flat(payments_of(chunk))
    history = chunk.children(PaymentTransition, "payment", payments)
    yield from find_wrong_histories(payments, history, PAYMENT_TRANSITIONS)


def find_wrong_refund_histories(chunk: Orders) -> Found:
    refunds = flat(refunds_of(chunk))
    history = chunk.children(RefundTransition, "refund", refunds)
    yield from find_wrong_histories(refunds, history, REFUND_TRANSITIONS)


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


# ---- the ledger ------------------------------------------------------------------------------------------------


def find_unbooked() -> Found:
    yield from map(Mismatch, find_differences())


# ---- the list --------------------------------------------------------------------------------------------------


def of_orders(
    name: str, promise: str, rule: StrOrPromise, sentence: StrOrPromise, find: Any, **changes: Any
) -> Invariant:
    return Invariant(name, promise, rule, sentence, find, Order, **changes)


TO_BE_REVIEWED = _("Compare the payment with the provider or the bank: manage.py reconcile.")
INVARIANTS = (
    of_orders(
        "order_received",
        "P4",
        _("What an order received is the sum of its payments."),
        _("Order %(row)s received %(stored)s, but its payments received %(expected)s."),
        find_wrong_received_of_orders,
    ),
    of_orders(
        "order_refunded",
        "P4",
        _("What was refunded for an order is the sum of its payments’ refunds and lost disputes."),
        _("Order %(row)s: %(stored)s were refunded, but of its payments %(expected)s."),
        find_wrong_refunded_of_orders,
    ),
    of_orders(
        "order_one_open_payment",
        "P4",
        _("An order has at most one open payment."),
        _("Order %(row)s has %(stored)s open payments."),
        find_open_twice,
    ),
    of_orders(
        "order_nothing_to_pay",
        "P4",
        _("An order that is closed, or owes nothing, has no open payment."),
        _("Order %(row)s: payment %(stored)s can be paid, but %(expected)s are due."),
        find_payable_without_need,
    ),
    of_orders(
        "parcel_of_refunded_order",
        "P4",
        _("No parcel is due to be shipped when all money of its order was refunded."),
        _("Parcel %(row)s is due to be shipped, but all money of its order was refunded."),
        find_due_though_refunded,
    ),
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
        _("A completed payment kept its amount, and a refunded one nothing."),
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
        "refund_amount",
        "P5",
        _("A refund of named units is worth them and the shipping named."),
        _("Refund %(row)s is %(stored)s, but its units and shipping are worth %(expected)s."),
        find_wrong_refund_amounts,
    ),
    of_orders(
        "line_refunded_units",
        "P5",
        _("The refunded units of a line are those of its refunds."),
        _("Line %(row)s: %(stored)s units are refunded, but by its refunds %(expected)s."),
        find_wrong_refunded_units,
    ),
    of_orders(
        "line_refunded_money",
        "P5",
        _("Refunds of a line give back at most what it cost, and with its last unit exactly that."),
        _("Line %(row)s: refunds gave back %(stored)s, but it cost %(expected)s."),
        find_wrong_refunded_money,
    ),
    of_orders(
        "order_refunded_shipping",
        "P5",
        _("Refunds give back at most the shipping of an order."),
        _("Order %(row)s: refunds gave back %(stored)s of shipping, but it cost %(expected)s."),
        find_too_much_shipping,
    ),
    of_orders(
        "refund_restocked",
        "P12",
        _("A refund restocks only units that it names, and only if it was asked to."),
        _("Refund %(row)s restocked %(stored)s units, but may restock %(expected)s."),
        find_wrong_restocks,
    ),
    of_orders(
        "order_goods_refunded",
        "P4",
        _("Refunds of goods lower what an order costs by exactly those goods."),
        _("Order %(row)s: %(stored)s count as refunded goods, but by its refunds it is %(expected)s."),
        find_wrong_goods_refunded,
    ),
    of_orders(
        "order_goodwill",
        "P4",
        _("The goodwill of an order is the sum of its completed refunds’ goodwill."),
        _("Order %(row)s: %(stored)s count as goodwill, but by its refunds it is %(expected)s."),
        find_wrong_goodwill,
    ),
    of_orders(
        "order_unassigned",
        "P4",
        _("Refunds at a provider, and lost disputes, are unassigned until staff decide what they were for."),
        _("Order %(row)s: %(stored)s are unassigned, but by its refunds and disputes it is %(expected)s."),
        find_wrong_unassigned,
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
        "refund_history",
        "P7",
        _(
            "The status of a refund is the last one of its history, whose changes are allowed and follow each other."
        ),
        _(
            "Refund %(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."
        ),
        find_wrong_refund_histories,
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
    Invariant(
        "ledger_complete",
        "P8",
        _("The ledger has all money that was received, earned and given back, exactly, and nothing else."),
        _("%(row)s"),
        find_unbooked,
        tables=(Capture, Receipt, PaymentRefund, Dispute),
        remedy=_("manage.py ledger fill books what is missing; see docs/runbook.md#ledgerdiffers."),
        is_nightly=False,  # payments.check_ledger
    ),
)

register_invariants(
    *INVARIANTS,
    reads=(
        *(Payment, PaymentTransition, Capture, Receipt, ReceiptReversal),
        *(PaymentRefund, RefundLine, RefundTransition, Dispute, DisputeTransition),
        LedgerEntry,
    ),
)
