"""Counts from a file: checked at once, applied by the worker in batches, and safe to repeat.

Each row carries the stock seen at the export, so that what was sold since stays sold. A batch is one transaction with
the results of its rows: after an interruption the next run continues with the rows that are left.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from time import monotonic
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Count as RowCount
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.access import artisan_of
from artisans.catalog.count_problems import CountProblem
from artisans.catalog.models import Artisan, CountOutcome, Product, StockImport, StockImportRow
from artisans.catalog.services import (
    MAX_COUNTED,
    Count,
    Counted,
    StockSnapshot,
    last_counts,
    stock_count,
    stock_expect,
    stock_snapshots,
)
from artisans.catalog.stock_files import HEADINGS, FileRow
from artisans.catalog.stock_history import stock_products
from artisans.core.models import get_or_none, is_uuid
from artisans.core.queue import enqueue_after_commit

TASK = "catalog.continue_stock_import"
BATCH = 50  # rows of a transaction, whose products wait that long
CHUNK = 500
MAX_STOCK = 2**31 - 1

T = TypeVar("T")


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(rows)
    while part := list(islice(rest, CHUNK)):
        yield part


def export_rows(artisan: Artisan) -> Iterator[list[object]]:
    """All products with the stock as it is now and the last count, and an empty column to fill in."""
    yield list(HEADINGS)
    products = stock_products(artisan).order_by("name", "pk").values_list("pk", "name", "sku")
    for part in chunks(products.iterator(CHUNK)):
        shown = stock_snapshots([pk for pk, _name, _sku in part])
        for pk, name, sku in part:
            yield [str(pk), name, sku, shown[pk].stock, shown[pk].last_count, ""]


# ---- upload ----------------------------------------------------------------------------------------------------


@transaction.atomic
def stock_import_create(
    *, artisan: Artisan, rows: Sequence[FileRow], file_name: str, cause: str, reason: str, actor: User
) -> StockImport:
    """Store the rows of a file with what is to be expected of each. Changes no stock."""
    made = StockImport.objects.create(
        artisan=artisan, made_by=actor, file_name=file_name[-100:], cause=cause, reason=reason
    )
    own = set(artisan.products.values_list("pk", flat=True))
    lines: dict[UUID, int] = {}
    for part in chunks(rows):
        checked = [row_checked(made, row, own, lines) for row in part]
        expect(checked, actor=actor)
        StockImportRow.objects.bulk_create(checked)
    return made


def row_checked(made: StockImport, row: FileRow, own: set[UUID], lines: dict[UUID, int]) -> StockImportRow:
    """`lines`: of the products met so far."""
    checked = StockImportRow(stock_import=made, line=row.line, given=row.name or row.product)
    product = UUID(row.product) if is_uuid(row.product) else None
    if product is None or product not in own:
        return refuse(checked, "unknown_product", given=row.product)
    if product in lines:
        return refuse(checked, "counted_twice", line=lines[product])
    lines[product] = row.line
    if row.counted is None or row.counted > MAX_COUNTED:
        return refuse(checked, "not_a_number", given=row.counted_text)
    if row.seen_stock is None or row.seen_stock > MAX_STOCK or row.last_count is None:
        return refuse(checked, "not_seen")
    checked.product_id, checked.counted = product, row.counted
    checked.seen_stock, checked.last_count = row.seen_stock, row.last_count
    return checked


def refuse(row: StockImportRow, problem: str, **facts: object) -> StockImportRow:
    row.outcome, row.problem, row.facts, row.is_done = CountOutcome.REFUSED, problem, facts, True
    return row


def expect(rows: Iterable[StockImportRow], *, actor: User) -> None:
    """Set the outcome of the rows that are not refused, as if they were applied now."""
    waiting = {row.product_id: row for row in rows if not row.is_done}
    last = last_counts(pk for pk in waiting if pk)
    products = Product.objects.in_bulk(last)
    for pk, product in products.items():
        row = waiting[pk]
        set_result(row, stock_expect(product, count_of(row), last_count=last[pk], actor=actor))


def count_of(row: StockImportRow) -> Count:
    """Of a row that is not refused: it has all of them (stock_import_row_counts_a_product)."""
    seen = StockSnapshot(row.seen_stock, row.last_count)  # type: ignore[arg-type]  # not null, see above
    return Count(row.product_id, row.counted, seen)  # type: ignore[arg-type]  # not null, see above


def set_result(row: StockImportRow, counted: Counted) -> None:
    problem = counted.problem or CountProblem("")
    row.outcome, row.problem, row.facts = counted.outcome, problem.code, dict(problem.facts)


# ---- apply -----------------------------------------------------------------------------------------------------


@transaction.atomic
def stock_import_start(*, import_id: UUID, actor: User) -> StockImport:
    """Have the worker apply it; once, however often it is asked for. It counts in the name of `actor`."""
    made = import_lock(import_id)
    if made.started_at is None:
        made.started_at, made.made_by = timezone.now(), actor
        made.save(update_fields=["started_at", "made_by", "updated_at"])
        audit_record(
            actor=actor,
            action=Action.STOCK_IMPORT,
            target=made,
            data={"rows": made.rows.count(), "cause": made.cause},
        )
        enqueue_after_commit(TASK, made.pk)
    return made


def imports_running() -> list[UUID]:
    running = StockImport.objects.filter(started_at__isnull=False, finished_at__isnull=True)
    return list(running.order_by("started_at").values_list("pk", flat=True))


def stock_import_continue(import_id: UUID, *, seconds: float = 60) -> bool:
    """Apply batches until none is left; returns whether it is finished. Two at once take turns."""
    until = monotonic() + seconds
    while stock_import_batch(import_id=import_id):
        if monotonic() > until:
            return False
    return True


@transaction.atomic
def stock_import_batch(*, import_id: UUID) -> bool:
    """Apply some rows; returns whether any was left. Locks: import, products."""
    made = import_lock(import_id)
    if not made.is_running:
        return False
    rows = list(made.rows.filter(is_done=False)[:BATCH])
    if not rows:
        made.finished_at = timezone.now()
        made.save(update_fields=["finished_at", "updated_at"])
        return False
    before = [(row.outcome, row.problem) for row in rows]
    if artisan_of(made.made_by) == made.artisan:
        apply_rows(made, rows)
    else:
        for row in rows:
            refuse(row, "no_access")
    results_write(rows, before)
    return True


def results_write(rows: Sequence[StockImportRow], before: Sequence[tuple[str, str]]) -> None:
    """Most outcomes are as expected, so that only the others are written with their reasons."""
    for row, was in zip(rows, before, strict=True):
        if row.problem or was != (row.outcome, row.problem):
            row.save(update_fields=["outcome", "problem", "facts"])
    StockImportRow.objects.filter(pk__in=[row.pk for row in rows]).update(is_done=True)


def apply_rows(made: StockImport, rows: Sequence[StockImportRow]) -> None:
    counts = [count_of(row) for row in rows]
    results = stock_count(counts=counts, actor=made.made_by, cause=made.cause, reason=made.reason)
    for row, counted in zip(rows, results, strict=True):
        set_result(row, counted)


def import_lock(import_id: UUID) -> StockImport:
    imports = StockImport.objects.select_related("artisan", "made_by")
    return imports.select_for_update(of=("self",), no_key=True).get(pk=import_id)


# ---- progress --------------------------------------------------------------------------------------------------


def own_import(artisan: Artisan, import_id: UUID) -> StockImport | None:
    return get_or_none(StockImport.objects.filter(artisan=artisan, pk=import_id))


def rows_by_outcome(made: StockImport) -> dict[str, int]:
    found = made.rows.order_by().values_list("outcome").annotate(RowCount("id"))
    return dict(found)
