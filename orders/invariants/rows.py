"""Rows that belong to a chunk of orders, and what the invariants of all subjects share."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q

from artisans.catalog.models import StockMoveKind
from artisans.core.invariants import Chunk, Invariant, Mismatch, Rows, StrOrPromise, compare, flat
from orders.models import LineCancellation, Order, OrderLine, Parcel

Found = Iterator[Mismatch]
Orders = Chunk[Order]


def of_orders(
    name: str, promise: str, rule: StrOrPromise, sentence: StrOrPromise, find: Any, **changes: Any
) -> Invariant:
    return Invariant(name, promise, rule, sentence, find, Order, **changes)


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


def cancellations_of(chunk: Orders) -> Rows:
    """By line."""
    return chunk.children(LineCancellation, "line", flat(lines_of(chunk)))


def name_of(line: OrderLine) -> str:
    return f"{line.order.order_number}/{line.position + 1}"


def moves_condition(lines: list[UUID]) -> Q:
    """In two parts, because each has an index of its own."""
    is_restock = Q(kind=StockMoveKind.RESTOCK)
    return Q(order_line__in=lines) & ~is_restock | Q(order_line__in=lines) & is_restock


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
