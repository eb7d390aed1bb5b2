"""Lines take their units from the stock, and return them, once."""

from collections import defaultdict
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import StockMove, StockMoveKind
from artisans.core.invariants import Invariant, Mismatch, compare, flat, one_statement
from orders.invariants.rows import Found, Orders, lines_of, moves_condition, name_of, of_orders, parcels_of
from orders.models import OrderLine
from orders.statuses import ParcelStatus

RECOUNT = _("Count the product in the admin, and compare its stock moves with the order.")

Moves = dict[UUID, dict[tuple[str, int], int]]


def moves_of(chunk: Orders) -> Moves:
    """Units by order line, kind and round."""
    rows = chunk.children(StockMove, "order_line", flat(lines_of(chunk)), where=moves_condition)
    sums = defaultdict[UUID, dict[tuple[str, int], int]](lambda: defaultdict(int))
    for line, moves in rows.items():
        for move in moves:
            sums[line][move.kind, move.round] += move.quantity
    return sums


def find_wrong_taken(chunk: Orders) -> Found:
    moves = chunk.once(moves_of)
    for line in flat(lines_of(chunk)):
        for number in range(line.order.stock_round + 1):
            yield from compare(
                name_of(line), -moves[line.pk].get((StockMoveKind.TAKE, number), 0), line.quantity
            )


def find_wrong_returned(chunk: Orders) -> Found:
    """All units that still exist are back once the line's order or parcel is closed, or a late payment took them again;
    none before.

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
            left = line.quantity - line.lost_quantity - moves[line.pk].get((StockMoveKind.RESTOCK, number), 0)
            expected = left if number < last or is_back else 0
            if status == ParcelStatus.RETURNED and number == last:
                expected = min(returned, left)
            yield from compare(name_of(line), returned, expected)


def find_wrong_restocked(chunk: Orders) -> Found:
    moves = chunk.once(moves_of)
    for line in flat(lines_of(chunk)):
        for (kind, _number), units in moves[line.pk].items():
            most = line.quantity - line.lost_quantity
            if kind == StockMoveKind.RESTOCK and not 0 <= units <= most:
                yield Mismatch(name_of(line), units, most)


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

INVARIANTS = (
    of_orders(
        "stock_taken",
        "P11",
        _(
            "A line takes its quantity from the stock once, and once more when a late payment reopens its order."
        ),
        _("Line %(row)s took %(stored)s units from the stock, but its quantity is %(expected)s."),
        find_wrong_taken,
        remedy=RECOUNT,
    ),
    of_orders(
        "stock_returned",
        "P12",
        _(
            "A line returns its units, without lost ones, to the stock once when its order or parcel ends, and not "
            "before."
        ),
        _("Line %(row)s returned %(stored)s units to the stock, but should have returned %(expected)s."),
        find_wrong_returned,
        remedy=RECOUNT,
    ),
    of_orders(
        "stock_restocked",
        "P12",
        _("Refunds and cancelled units bring back no more units than a line has."),
        _("Line %(row)s: refunds and cancelled units brought back %(stored)s, but it has %(expected)s."),
        find_wrong_restocked,
        remedy=RECOUNT,
    ),
    of_orders(
        "stock_round",
        "P12",
        _("Stock moves belong to a round of their order that took place."),
        _(
            "Line %(row)s has a stock move of round %(stored)s, but the last round of its order is %(expected)s."
        ),
        find_moves_of_no_round,
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
