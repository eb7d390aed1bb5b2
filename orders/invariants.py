"""What is always true of orders, their lines, parcels and stock (docs/invariants.md)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
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
from orders.models import Order, OrderLine, OrderTransition, Parcel, ParcelTransition
from orders.statuses import (
    ORDER_TRANSITIONS,
    ORDERS_CLOSED,
    PARCEL_TRANSITIONS,
    PARCELS_ENDED,
    OrderStatus,
    ParcelStatus,
    order_status_of,
    payment_status_of,
)

Found = Iterator[Mismatch]
Orders = Chunk[Order]


def lines_of(chunk: Orders) -> Rows:
    """By order."""
    return chunk.children(OrderLine, "order")


def parcels_of(chunk: Orders) -> Rows:
    """By order."""
    return chunk.children(Parcel, "order")


def lines_by_parcel(chunk: Orders) -> Rows:
    found = defaultdict[UUID, list[Any]](list)
    for line in flat(lines_of(chunk)):
        found[line.parcel_id].append(line)
    return found


def name_of(line: OrderLine) -> str:
    return f"{line.order.order_number}/{line.position + 1}"


# ---- P1: what an order costs -----------------------------------------------------------------------------------


def find_empty_orders(chunk: Orders) -> Found:
    lines = lines_of(chunk)
    yield from (Mismatch(order) for order in chunk.rows if not lines[order.pk])


def find_wrong_line_totals(chunk: Orders) -> Found:
    for line in flat(lines_of(chunk)):
        yield from compare(name_of(line), line.line_total, line.unit_price * line.quantity)


def find_wrong_totals(chunk: Orders) -> Found:
    for order in chunk.rows:
        yield from compare(order, order.total, order.subtotal + order.tax + order.shipping)


def find_wrong_subtotals(chunk: Orders) -> Found:
    lines = lines_of(chunk)
    for order in chunk.rows:
        total = sum(line.line_total_minor for line in lines[order.pk])
        yield from compare(order, order.subtotal, order.money(total))


def find_wrong_taxes(chunk: Orders) -> Found:
    lines = lines_of(chunk)
    for order in chunk.rows:
        yield from compare(order, order.tax, order.money(sum(line.tax_minor for line in lines[order.pk])))


def find_empty_parcels(chunk: Orders) -> Found:
    lines = lines_by_parcel(chunk)
    yield from (Mismatch(parcel) for parcel in flat(parcels_of(chunk)) if not lines[parcel.pk])


def find_lines_in_wrong_parcels(chunk: Orders) -> Found:
    parcels = {parcel.pk: parcel for parcel in flat(parcels_of(chunk))}
    for line in flat(lines_of(chunk)):
        parcel = parcels.get(line.parcel_id)
        if parcel is None or (parcel.order_id, parcel.artisan_id) != (line.order_id, line.artisan_id):
            yield Mismatch(name_of(line))


def find_wrong_parcel_totals(chunk: Orders) -> Found:
    for parcel in flat(parcels_of(chunk)):
        yield from compare(parcel, parcel.total, parcel.subtotal + parcel.tax + parcel.shipping)


def find_wrong_parcel_subtotals(chunk: Orders) -> Found:
    lines = lines_by_parcel(chunk)
    for parcel in flat(parcels_of(chunk)):
        total = sum(line.line_total_minor for line in lines[parcel.pk])
        yield from compare(parcel, parcel.subtotal, Money.stored(total, parcel.currency))


def find_wrong_parcel_taxes(chunk: Orders) -> Found:
    lines = lines_by_parcel(chunk)
    for parcel in flat(parcels_of(chunk)):
        total = sum(line.tax_minor for line in lines[parcel.pk])
        yield from compare(parcel, parcel.tax, Money.stored(total, parcel.currency))


def find_wrong_commissions(chunk: Orders) -> Found:
    """Lines of earlier releases have no commission of their own."""
    lines = lines_by_parcel(chunk)
    for parcel in flat(parcels_of(chunk)):
        parts = [line.commission_minor for line in lines[parcel.pk]]
        if None not in parts:
            total = sum(parts) + parcel.shipping_commission_minor
            stored = Money.stored(parcel.commission_minor, parcel.currency)
            yield from compare(parcel, stored, Money.stored(total, parcel.currency))


def find_wrong_shipping(chunk: Orders) -> Found:
    parcels = parcels_of(chunk)
    for order in chunk.rows:
        total = sum(parcel.shipping_minor for parcel in parcels[order.pk])
        yield from compare(order, order.shipping, order.money(total))


def find_wrong_cancelled(chunk: Orders) -> Found:
    parcels = parcels_of(chunk)
    for order in chunk.rows:
        ended = sum(row.total_minor for row in parcels[order.pk] if row.status in PARCELS_ENDED)
        yield from compare(order, order.money(order.cancelled_minor), order.money(ended))


# ---- P4: what was paid for it ----------------------------------------------------------------------------------


def find_wrong_payment_statuses(chunk: Orders) -> Found:
    for order in chunk.rows:
        expected = payment_status_of(
            total=order.total_minor,
            received=order.received_minor,
            refunded=order.refunded_minor,
            agreed=order.agreed_total_minor,
        )
        yield from compare(order, order.payment_status, expected.value)


def find_unreleased(chunk: Orders) -> Found:
    before = {OrderStatus.PENDING, *ORDERS_CLOSED}
    for order in chunk.rows:
        if order.status not in before and order.released_at is None:
            yield Mismatch(order, order.status)


def find_waiting_for_nothing(chunk: Orders) -> Found:
    for order in chunk.rows:
        if order.is_waiting_for_payment and not order.balance_due:
            yield Mismatch(order)


# ---- P7: statuses and their history ----------------------------------------------------------------------------


def find_wrong_statuses(chunk: Orders) -> Found:
    """A released order's status follows from its parcels."""
    parcels = parcels_of(chunk)
    for order in chunk.rows:
        if order.released_at is None or not parcels[order.pk] or order.status in ORDERS_CLOSED:
            continue
        expected = order_status_of([ParcelStatus(row.status) for row in parcels[order.pk]])
        yield from compare(order, order.status, expected.value)


def find_wrong_histories(
    rows: Iterable[Any], history: Rows, allowed: Mapping[Any, Iterable[Any]], *, begin: str = ""
) -> Found:
    """Every change continues the one before, is allowed, and the last one leads to the status. `begin`: the status
    before the first change; "" if the creation is a change too."""
    for row in rows:
        status = begin
        for change in history[row.pk]:
            follows = change.old == status and (
                not status or change.new in {status, *allowed.get(status, ())}
            )
            if not follows:
                yield Mismatch(row, f"{change.old} → {change.new}", status or "—")
            status = change.new
        yield from compare(row, row.status, status)


def find_wrong_order_histories(chunk: Orders) -> Found:
    yield from find_wrong_histories(chunk.rows, chunk.children(OrderTransition, "order"), ORDER_TRANSITIONS)


def find_wrong_parcel_histories(chunk: Orders) -> Found:
    parcels = flat(parcels_of(chunk))
    history = chunk.children(ParcelTransition, "parcel", parcels)
    yield from find_wrong_histories(parcels, history, PARCEL_TRANSITIONS, begin=ParcelStatus.NEW.value)


# ---- P10: currencies -------------------------------------------------------------------------------------------


def find_other_currencies(chunk: Orders) -> Found:
    for line in flat(lines_of(chunk)):
        yield from compare(name_of(line), line.currency, line.order.currency)
    for parcel in flat(parcels_of(chunk)):
        yield from compare(parcel, parcel.currency, parcel.order.currency)


def find_fractions_of_orders(chunk: Orders) -> Found:
    yield from find_fractions([*chunk.rows, *flat(lines_of(chunk)), *flat(parcels_of(chunk))])


# ---- P11 and P12: stock ----------------------------------------------------------------------------------------

Moves = dict[UUID, dict[tuple[str, int], int]]


def moves_of(chunk: Orders) -> Moves:
    """Units by order line, kind and round."""
    rows = chunk.children(StockMove, "order_line", flat(lines_of(chunk)), where=moves_condition)
    sums = defaultdict[UUID, dict[tuple[str, int], int]](lambda: defaultdict(int))
    for line, moves in rows.items():
        for move in moves:
            sums[line][move.kind, move.round] += move.quantity
    return sums


def moves_condition(lines: list[UUID]) -> Q:
    """In two parts, because each has an index of its own."""
    is_restock = Q(kind=StockMoveKind.RESTOCK)
    return Q(order_line__in=lines) & ~is_restock | Q(order_line__in=lines) & is_restock


def find_wrong_taken(chunk: Orders) -> Found:
    moves = chunk.once(moves_of)
    for line in flat(lines_of(chunk)):
        for number in range(line.order.stock_round + 1):
            yield from compare(
                name_of(line), -moves[line.pk].get((StockMoveKind.TAKE, number), 0), line.quantity
            )


def find_wrong_returned(chunk: Orders) -> Found:
    """All units are back once the line's order or parcel is closed, or a late payment took them again; none before.

    Of a parcel that came back, as many as were decided.
    """
    moves = chunk.once(moves_of)
    statuses = {parcel.pk: parcel.status for parcel in flat(parcels_of(chunk))}
    for line in flat(lines_of(chunk)):
        status = statuses.get(line.parcel_id)
        is_back = not line.order.is_alive or status == ParcelStatus.CANCELLED
        last = line.order.stock_round
        for number in range(last + 1):
            returned = moves[line.pk].get((StockMoveKind.RETURN, number), 0)
            left = line.quantity - moves[line.pk].get((StockMoveKind.RESTOCK, number), 0)
            expected = left if number < last or is_back else 0
            if status == ParcelStatus.RETURNED and number == last:
                expected = min(returned, left)
            yield from compare(name_of(line), returned, expected)


def find_wrong_restocked(chunk: Orders) -> Found:
    moves = chunk.once(moves_of)
    for line in flat(lines_of(chunk)):
        for (kind, _number), units in moves[line.pk].items():
            if kind == StockMoveKind.RESTOCK and not 0 <= units <= line.quantity:
                yield Mismatch(name_of(line), units, line.quantity)


def find_moves_of_no_round(chunk: Orders) -> Found:
    moves = chunk.once(moves_of)
    for line in flat(lines_of(chunk)):
        last = line.order.stock_round
        for _kind, number in moves[line.pk]:
            if number > last:
                yield Mismatch(name_of(line), number, last)


@one_statement
def find_moves_of_no_line() -> QuerySet[StockMove, tuple[int, str]]:
    lines = OrderLine.objects.filter(pk=OuterRef("order_line"))
    moves = StockMove.objects.filter(~Exists(lines), order_line__isnull=False)
    return moves.order_by("pk").values_list("pk", "product__name")


# ---- the list --------------------------------------------------------------------------------------------------


def of_orders(name: str, promise: str, rule: StrOrPromise, sentence: StrOrPromise, find: Any) -> Invariant:
    return Invariant(name, promise, rule, sentence, find, Order)


RECOUNT = _("Count the product in the admin, and compare its stock moves with the order.")
INVARIANTS = (
    of_orders(
        "order_lines",
        "P1",
        _("An order has lines."),
        _("Order %(row)s has no lines."),
        find_empty_orders,
    ),
    of_orders(
        "line_total",
        "P1",
        _("A line costs its unit price times its quantity."),
        _("Line %(row)s costs %(stored)s, but its price times its quantity is %(expected)s."),
        find_wrong_line_totals,
    ),
    of_orders(
        "order_total",
        "P1",
        _("An order costs its subtotal, tax and shipping."),
        _("Order %(row)s: the total is %(stored)s, but its parts are %(expected)s."),
        find_wrong_totals,
    ),
    of_orders(
        "order_subtotal",
        "P1",
        _("The subtotal of an order is the sum of its lines."),
        _("Order %(row)s: the subtotal is %(stored)s, but its lines are %(expected)s."),
        find_wrong_subtotals,
    ),
    of_orders(
        "order_tax",
        "P1",
        _("The tax of an order is the sum of its lines’ taxes."),
        _("Order %(row)s: the tax is %(stored)s, but its lines’ taxes are %(expected)s."),
        find_wrong_taxes,
    ),
    of_orders(
        "order_shipping",
        "P1",
        _("The shipping of an order is the sum of its parcels’ shipping."),
        _("Order %(row)s: the shipping is %(stored)s, but that of its parcels is %(expected)s."),
        find_wrong_shipping,
    ),
    of_orders(
        "parcel_lines",
        "P1",
        _("A parcel has lines."),
        _("Parcel %(row)s has no lines."),
        find_empty_parcels,
    ),
    of_orders(
        "line_parcel",
        "P1",
        _("A line is in the parcel of its order and its artisan."),
        _("Line %(row)s is not in the parcel of its order and its artisan."),
        find_lines_in_wrong_parcels,
    ),
    of_orders(
        "parcel_total",
        "P1",
        _("A parcel costs its subtotal, tax and shipping."),
        _("Parcel %(row)s: the total is %(stored)s, but its parts are %(expected)s."),
        find_wrong_parcel_totals,
    ),
    of_orders(
        "parcel_subtotal",
        "P1",
        _("The subtotal of a parcel is the sum of its lines."),
        _("Parcel %(row)s: the subtotal is %(stored)s, but its lines are %(expected)s."),
        find_wrong_parcel_subtotals,
    ),
    of_orders(
        "parcel_tax",
        "P1",
        _("The tax of a parcel is the sum of its lines’ taxes."),
        _("Parcel %(row)s: the tax is %(stored)s, but its lines’ taxes are %(expected)s."),
        find_wrong_parcel_taxes,
    ),
    of_orders(
        "parcel_commission",
        "P1",
        _("The commission of a parcel is the sum of its lines’ and its shipping’s."),
        _(
            "Parcel %(row)s: the commission is %(stored)s, but that of its lines and shipping is %(expected)s."
        ),
        find_wrong_commissions,
    ),
    of_orders(
        "order_cancelled",
        "P1",
        _("What an order costs less is the sum of its cancelled and returned parcels."),
        _(
            "Order %(row)s: cancelled are %(stored)s, but its cancelled and returned parcels are %(expected)s."
        ),
        find_wrong_cancelled,
    ),
    of_orders(
        "order_payment_status",
        "P4",
        _("The payment status of an order follows from its amounts."),
        _("Order %(row)s: the payment status is %(stored)s, but by its amounts it is %(expected)s."),
        find_wrong_payment_statuses,
    ),
    of_orders(
        "order_released",
        "P7",
        _("Only released orders are prepared and shipped."),
        _("Order %(row)s is %(stored)s, but was never released."),
        find_unreleased,
    ),
    of_orders(
        "order_waiting",
        "P4",
        _("Parcels wait for money only while some is due."),
        _("Order %(row)s: its parcels wait for money, but nothing is due."),
        find_waiting_for_nothing,
    ),
    of_orders(
        "order_status",
        "P7",
        _("The status of a released order follows from its parcels."),
        _("Order %(row)s is %(stored)s, but by its parcels it is %(expected)s."),
        find_wrong_statuses,
    ),
    of_orders(
        "order_history",
        "P7",
        _(
            "The status of an order is the last one of its history, whose changes are allowed and follow each other."
        ),
        _(
            "Order %(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."
        ),
        find_wrong_order_histories,
    ),
    of_orders(
        "parcel_history",
        "P7",
        _(
            "The status of a parcel is the last one of its history, whose changes are allowed and follow each other."
        ),
        _(
            "Parcel %(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."
        ),
        find_wrong_parcel_histories,
    ),
    of_orders(
        "order_currency",
        "P10",
        _("Lines and parcels have the currency of their order."),
        _("%(row)s is in %(stored)s, but its order is in %(expected)s."),
        find_other_currencies,
    ),
    of_orders(
        "order_whole_amounts",
        "P10",
        _("The amounts of orders, lines and parcels are whole minor units."),
        _("%(row)s has the amount %(stored)s, which is not a whole number of minor units."),
        find_fractions_of_orders,
    ),
    Invariant(
        "stock_taken",
        "P11",
        _(
            "A line takes its quantity from the stock once, and once more when a late payment reopens its order."
        ),
        _("Line %(row)s took %(stored)s units from the stock, but its quantity is %(expected)s."),
        find_wrong_taken,
        Order,
        remedy=RECOUNT,
    ),
    Invariant(
        "stock_returned",
        "P12",
        _("A line returns its units to the stock once when its order or parcel ends, and not before."),
        _("Line %(row)s returned %(stored)s units to the stock, but should have returned %(expected)s."),
        find_wrong_returned,
        Order,
        remedy=RECOUNT,
    ),
    Invariant(
        "stock_restocked",
        "P12",
        _("Refunds bring back no more units than a line has."),
        _("Line %(row)s: refunds brought back %(stored)s units, but its quantity is %(expected)s."),
        find_wrong_restocked,
        Order,
        remedy=RECOUNT,
    ),
    Invariant(
        "stock_round",
        "P12",
        _("Stock moves belong to a round of their order that took place."),
        _(
            "Line %(row)s has a stock move of round %(stored)s, but the last round of its order is %(expected)s."
        ),
        find_moves_of_no_round,
        Order,
        remedy=RECOUNT,
    ),
    Invariant(
        "stock_line",
        "P11",
        _("Stock is taken and returned for order lines that exist."),
        _("Stock move %(row)s of %(stored)s names an order line that does not exist."),
        find_moves_of_no_line,
        tables=(StockMove,),
        remedy=RECOUNT,
    ),
)

register_invariants(
    *INVARIANTS, reads=(Order, OrderLine, Parcel, OrderTransition, ParcelTransition, StockMove)
)
