"""Invariants of the database: totals, stock, and statuses with their history."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model

from artisans.catalog.models import Product, StockMove, StockMoveKind
from artisans.catalog.search_index import documents_lagging
from artisans.ledger.models import LedgerPosting
from artisans.ledger.selectors import find_errors
from orders.models import Order, OrderLine, OrderTransition, Parcel, ParcelTransition
from orders.statuses import PARCELS_ENDED, PARCELS_UNSHIPPED, OrderStatus, ParcelStatus, payment_status_of
from payments.bookkeeping.ledger import entries_without_fact, unbooked
from payments.models import (
    Capture,
    Dispute,
    DisputeTransition,
    Payment,
    PaymentRefund,
    PaymentTransition,
    Receipt,
    RefundDecision,
    RefundOrigin,
    RefundTransition,
)
from payments.statuses import OPEN, SETTLED, DisputeStatus, PaymentStatus, RefundStatus

AMOUNTS = ("subtotal", "tax", "shipping", "total")


BOOKS = re.compile(
    r'(INSERT|REPLACE|UPDATE|DELETE|TRUNCATE)\b[^"]*"?(catalog|ledger|orders|payments)_', re.IGNORECASE
)


class Writes:
    """Whether a statement of this connection wrote to a table of the books since they were last checked."""

    is_seen = True

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        self.is_seen = self.is_seen or bool(BOOKS.match(str(sql)))
        return execute(sql, params, many, context)


writes = Writes()


def note_writes(*, also_unseen: bool = False) -> None:
    """Start recording writes; `also_unseen` when other connections write."""
    writes.is_seen = writes.is_seen or also_unseen
    if writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(writes)


def check_invariants_after_writes() -> None:
    """Check the invariants only if a table of the books was written to."""
    if writes.is_seen:
        check_invariants()


def check_invariants() -> None:
    """Fail with the first violated invariant. Reads each table once, since it runs after every test."""
    orders = list(Order.objects.order_by())
    moves = list(StockMove.objects.order_by())
    assert not Product.objects.filter(stock__lt=0).exists()
    assert documents_lagging() == 0
    if not orders:  # without orders there are no dependent rows, as in most tests
        check_stock({}, {}, {}, moves)
        return
    lines = by_order(OrderLine.objects.order_by())
    parcels = by_order(Parcel.objects.order_by())
    payments = by_order(Payment.objects.order_by())
    for order in orders:
        check_sums(order, lines[order.pk], parcels[order.pk])
        check_money(order, payments[order.pk])
    check_stock({order.pk: order for order in orders}, lines, parcels, moves)
    check_holds(orders, parcels, payments)
    by_key = {payment.pk: payment for group in payments.values() for payment in group}
    refunds = list(PaymentRefund.objects.order_by().prefetch_related("lines__order_line"))
    disputes = list(Dispute.objects.order_by())
    captures = list(Capture.objects.order_by())
    check_payments(by_key, captures, refunds, disputes)
    check_ledger(by_key)
    check_refunds(orders, lines, by_key, refunds, moves)
    check_owed(orders, parcels, payments, refunds)
    check_captures(by_key, captures)
    check_history(orders, OrderTransition, "order")
    check_history(by_key.values(), PaymentTransition, "payment")
    check_history(refunds, RefundTransition, "refund")
    check_history(disputes, DisputeTransition, "dispute")
    # a parcel's history begins with its first change
    check_history(flat(parcels), ParcelTransition, "parcel", begin=ParcelStatus.NEW.value)


def check_ledger(payments: dict[UUID, Payment]) -> None:
    """Every movement of money is booked, exactly, and the ledger itself is sound."""
    for fact in unbooked(payments.values()):
        raise AssertionError(f"{fact} is not in the ledger")
    assert not entries_without_fact().exists()
    if LedgerPosting.objects.exists():
        errors = list(find_errors())
        assert not errors, errors


def flat(groups):
    return [row for group in groups.values() for row in group]


def by_order(rows):
    found = defaultdict(list)
    for row in rows:
        found[row.order_id].append(row)
    return found


def check_sums(order: Order, lines: list[OrderLine], parcels: list[Parcel]) -> None:
    assert lines, f"{order}: an order without lines"
    assert order.total_minor == order.subtotal_minor + order.tax_minor + order.shipping_minor, (
        f"{order}: total"
    )
    assert order.subtotal_minor == sum(line.line_total_minor for line in lines), f"{order}: subtotal of lines"
    assert order.tax_minor == sum(line.tax_minor for line in lines), f"{order}: tax of lines"
    for amount in AMOUNTS:
        parts = sum(getattr(parcel, f"{amount}_minor") for parcel in parcels)
        assert getattr(order, f"{amount}_minor") == parts, f"{order}: {amount} of parcels"
    for parcel in parcels:
        own = [line for line in lines if line.parcel_id == parcel.pk]
        assert own, f"{parcel}: a parcel without lines"
        assert {line.artisan_id for line in own} == {parcel.artisan_id}, f"{parcel}: lines of another artisan"
        assert parcel.subtotal_minor == sum(line.line_total_minor for line in own), f"{parcel}: subtotal"
    gone = sum(parcel.total_minor for parcel in parcels if parcel.status in PARCELS_ENDED)
    assert order.cancelled_minor == gone, f"{order}: parcels that were cancelled or came back"
    assert {order.currency} == {row.currency for row in (*lines, *parcels)}, f"{order}: currencies"


def check_money(order: Order, payments: list[Payment]) -> None:
    assert order.received_minor == sum(p.received_minor for p in payments), f"{order}: received"
    assert order.refunded_minor == sum(p.refunded_minor + p.disputed_minor for p in payments), (
        f"{order}: refunded"
    )
    assert order.payment_status == payment_status_of(
        total=order.total_minor,
        received=order.received_minor,
        refunded=order.refunded_minor,
        agreed=order.agreed_total_minor,
    ), f"{order}: payment status {order.payment_status}"
    open_ones = [p for p in payments if p.status in OPEN]
    assert len(open_ones) <= 1, f"{order}: {len(open_ones)} open payments"
    if order.status in {OrderStatus.CANCELLED, OrderStatus.EXPIRED}:
        assert not open_ones, f"{order}: closed, but {open_ones[0]} can still be paid"
    if not order.balance_due:
        assert not open_ones, f"{order}: owes nothing, but {open_ones[0]} asks for money"
    is_past_pending = order.status not in {OrderStatus.PENDING, OrderStatus.EXPIRED, OrderStatus.CANCELLED}
    assert not is_past_pending or order.released_at, f"{order}: {order.status}, but never released"
    if order.payment_withdrawn_at and order.is_alive:
        assert order.balance_due, f"{order}: its parcels wait for money, but nothing is due"


def check_stock(orders: dict[UUID, Order], lines, parcels, stock_moves: list[StockMove]) -> None:
    """Each line's stock moves balance: taken once per round, all returned unless its order and parcel are open.

    For a returned parcel, as many units as were decided.
    """
    moves: defaultdict[UUID, defaultdict[tuple[str, int], int]] = defaultdict(lambda: defaultdict(int))
    for move in stock_moves:
        if move.order_line is not None:
            moves[move.order_line][move.kind, move.round] += move.quantity
    for order_id, group in lines.items():
        order = orders[order_id]
        dead = {p.pk for p in parcels[order_id] if p.status == ParcelStatus.CANCELLED}
        came_back = {p.pk for p in parcels[order_id] if p.status == ParcelStatus.RETURNED}
        for line in group:
            is_back = not order.is_alive or line.parcel_id in dead
            for round_ in range(order.stock_round + 1):
                taken = moves[line.pk].pop((StockMoveKind.TAKE, round_), 0)
                returned = moves[line.pk].pop((StockMoveKind.RETURN, round_), 0)
                restocked = moves[line.pk].pop((StockMoveKind.RESTOCK, round_), 0)
                wanted = line.quantity - restocked if round_ < order.stock_round or is_back else 0
                if line.parcel_id in came_back and round_ == order.stock_round:
                    wanted = min(returned, line.quantity - restocked)
                assert taken == -line.quantity, f"{order}: round {round_} took {taken} of {line}"
                assert 0 <= restocked <= line.quantity, f"{order}: refunds brought back {restocked} of {line}"
                assert returned == wanted >= 0, (
                    f"{order} ({order.status}): round {round_} returned {returned} of {line}"
                )
            assert not moves.pop(line.pk, None), f"{order}: moves of rounds that never were"
    assert not moves, f"moves of lines that never were: {dict(moves)}"


def check_holds(orders: list[Order], parcels, payments) -> None:
    """No parcel is due to be shipped when all of the order's money was refunded."""
    for order in orders:
        reserved = sum(payment.refund_reserved_minor for payment in payments[order.pk])
        kept = order.received_minor - order.refunded_minor - reserved
        was_paid = 0 < order.received_minor >= order.agreed_total_minor
        if not (order.is_alive and order.released_at and was_paid) or kept > 0:
            continue
        for parcel in parcels[order.pk]:
            if parcel.status in PARCELS_UNSHIPPED:
                assert parcel.instruction, f"{parcel}: its money was refunded, but it is due to be shipped"


def check_payments(payments: dict[UUID, Payment], captures, refunds, disputes) -> None:
    received, lost = defaultdict(int), defaultdict(int)
    receipts = list(Receipt.objects.order_by().select_related("reversal"))
    standing = [receipt for receipt in receipts if not hasattr(receipt, "reversal")]
    keys = [receipt.reference_key for receipt in standing]
    assert len(keys) == len(set(keys)), "two receipts stand for one bank line"
    for row in (*standing, *captures):
        received[row.payment_id] += row.amount_minor
    refunded, reserved = refund_sums(refunds)
    for dispute in disputes:
        if dispute.status == DisputeStatus.LOST and dispute.currency == payments[dispute.payment_id].currency:
            lost[dispute.payment_id] += dispute.amount_minor
    by_hand, by_provider = ({row.payment_id for row in found} for found in (receipts, captures))
    for payment in payments.values():
        result = payment.pk in by_hand, payment.pk in by_provider
        assert result[payment.payment_provider == "manual"] is False, f"{payment}: money of the other kind"
        assert payment.received_minor == received[payment.pk], f"{payment}: receipts or captures"
        assert payment.refunded_minor == refunded[payment.pk], f"{payment}: refunds"
        assert payment.refund_reserved_minor == reserved[payment.pk], f"{payment}: reserved"
        left = payment.received_minor - payment.refunded_minor - payment.refund_reserved_minor
        assert payment.disputed_minor == min(lost[payment.pk], left), f"{payment}: lost disputes"
        if payment.status in SETTLED:
            assert payment.received_minor >= payment.amount_minor, (
                f"{payment}: {payment.status} without the money"
            )
        kept = payment.net_received_minor
        if payment.status == PaymentStatus.COMPLETED:
            assert kept >= payment.amount_minor, f"{payment}: completed, but money went back"
        if payment.status == PaymentStatus.REFUNDED:
            assert kept == 0, f"{payment}: refunded, but {kept} is kept"


def refund_sums(refunds):
    """Refunded and pending amounts by payment."""
    refunded, reserved = defaultdict(int), defaultdict(int)
    for refund in refunds:
        if refund.status != RefundStatus.FAILED:
            sums = refunded if refund.status == RefundStatus.COMPLETED else reserved
            sums[refund.payment_id] += refund.amount_minor
    return refunded, reserved


def check_refunds(orders, order_lines, payments, refunds, moves) -> None:
    """Refunded units match their lines; a refund by units equals the value of its units."""
    items, money, shipping = (defaultdict(int) for _ in range(3))
    for refund in refunds:
        rows = list(refund.lines.all())
        worth = sum(row.amount_minor for row in rows) + refund.shipping_minor
        if worth and refund.origin != RefundOrigin.PROVIDER:
            assert refund.amount_minor == worth, f"{refund}: not the value of its units"
        if refund.status == RefundStatus.FAILED:
            continue
        shipping[payments[refund.payment_id].order_id] += refund.shipping_minor
        for row in rows:
            items[row.order_line_id] += row.quantity
            money[row.order_line_id] += row.amount_minor
    for line in flat(order_lines):
        whole = line.line_total_minor + line.tax_minor
        assert line.refunded_quantity == items[line.pk], f"{line}: refunded units"
        assert money[line.pk] <= whole, f"{line}: more money than it cost"
        assert line.refundable_quantity or money[line.pk] == whole, f"{line}: the last unit left a remainder"
    for order in orders:
        assert shipping[order.pk] <= order.shipping_minor, f"{order}: more shipping than it cost"
    check_restocked(refunds, moves)


def check_restocked(refunds, moves) -> None:
    lines = {line.pk: (refund, line) for refund in refunds for line in refund.lines.all()}
    for move in moves:
        if move.kind == StockMoveKind.RESTOCK:
            refund, line = lines[move.refund_line]
            assert refund.restock, f"{refund}: restocked units without being asked to"
            assert move.quantity <= line.quantity, f"{refund}: restocked too many units"


def check_owed(orders: list[Order], parcels, payments, refunds) -> None:
    """Refund purposes match their rows; refund due and balance due are within the order's money."""
    named, shipping, goodwill, unassigned = (defaultdict(int) for _ in range(4))
    order_of = {payment.pk: payment.order_id for payment in flat(payments)}
    for refund in refunds:
        if refund.status != RefundStatus.COMPLETED:
            continue
        key = order_of[refund.payment_id]
        shipping[key] += refund.shipping_minor
        goodwill[key] += refund.goodwill_minor
        if refund.origin == RefundOrigin.PROVIDER and refund.decision == RefundDecision.PENDING:
            unassigned[key] += refund.amount_minor
        for row in refund.lines.all():
            named[row.order_line.parcel_id] += row.amount_minor
    for order in orders:
        here = [parcel for parcel in parcels[order.pk] if parcel.status not in PARCELS_ENDED]
        goods = sum(named[parcel.pk] for parcel in here)
        goods += min(shipping[order.pk], sum(parcel.shipping_minor for parcel in here))
        disputed = sum(payment.disputed_minor for payment in payments[order.pk])
        assert order.goods_refunded_minor == goods, f"{order}: goods refunded"
        assert order.goodwill_minor == goodwill[order.pk], f"{order}: goodwill"
        assert order.unassigned_minor == unassigned[order.pk] + disputed, f"{order}: unassigned refunds"
        assert order.balance.worth >= 0, f"{order}: worth less than nothing"
        assert 0 <= order.refund_due.minor <= order.received_minor - order.refunded_minor, f"{order}: owed"
        assert order.owed.total == order.refund_due, f"{order}: reasons of what is owed"
        assert not (order.refund_due and order.balance_due), f"{order}: owed, and to pay"


def check_captures(payments, captures) -> None:
    """Money is booked with the provider that took it, in the currency of its payment."""
    for capture in captures:
        payment = payments[capture.payment_id]
        assert (capture.provider, capture.currency) == (payment.payment_provider, payment.currency), (
            f"{payment}: captured by {capture.provider} in {capture.currency}"
        )


def check_history(rows: Iterable[Any], history: type[Model], name: str, *, begin: str = "") -> None:
    """Every status equals the last row of its history, and every row continues the one before."""
    now = {row.pk: row.status for row in rows}
    if not now:
        return
    result = dict.fromkeys(now, begin)
    for owner, old, new in history._default_manager.order_by("id").values_list(f"{name}_id", "old", "new"):
        assert old == result[owner], f"{name} {owner}: {old} does not follow on {result[owner]}"
        result[owner] = new
    for pk, status in now.items():
        assert result[pk] == status, f"{name} {pk} is {status}, its history says {result[pk]}"
