"""Erases the registered rows of a person. May be interrupted at any point and repeated: rows that are erased already do
not change again."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.db import models, transaction

from artisans.core.append_only import AppendOnlyModel, personal_columns_replace
from artisans.core.personal_data import (
    ACTIONS,
    AFTERWARDS,
    HOLDINGS,
    LEGAL_RECORDS,
    Holding,
    Person,
    scrub_texts,
)
from artisans.privacy.models import LockedRecord
from artisans.privacy.selectors import model_of, rows_of

BATCH = 200


def erase(person: Person, erasure_id: UUID, *, kept_years: int) -> None:
    """All actions, then all tables in the order of their registration."""
    for action in ACTIONS:
        action(person)
    records_lock(person, erasure_id, kept_years=kept_years)
    for step in steps(person, erasure_id):
        step()
    for follow in AFTERWARDS:
        follow(person)


def steps(person: Person, erasure_id: UUID) -> Iterator[Callable[[], object]]:
    """Transactions, each of which can be the last one before a crash."""
    for holding in HOLDINGS:
        if holding.is_deleted:
            yield lambda holding=holding: rows_delete(holding, person)  # type: ignore[misc]
        elif holding.clear or holding.scrub:
            yield lambda holding=holding: rows_erase(holding, person, erasure_id)  # type: ignore[misc]


def records_lock(person: Person, erasure_id: UUID, *, kept_years: int) -> None:
    """Keep what the law requires, before it is erased; a record that exists is not written again."""
    found = [record for records in LEGAL_RECORDS for record in records(person)]
    LockedRecord.objects.bulk_create(
        [
            LockedRecord(
                erasure_id=erasure_id,
                target=record.target,
                content=record.as_text(),
                kept_until=record.kept_until(kept_years),
            )
            for record in found
            if kept_years
        ],
        ignore_conflicts=True,
        batch_size=BATCH,
    )


def rows_delete(holding: Holding, person: Person) -> None:
    """Without signals, which would write emails and audit entries about each row."""
    rows = rows_of(holding, person).order_by()
    rows._raw_delete(rows.db)


def rows_erase(holding: Holding, person: Person, erasure_id: UUID) -> None:
    columns = ["pk", *dict.fromkeys([*holding.clear, *holding.scrub])]
    last: Any = None
    while True:
        found = rows_of(holding, person)
        if last is not None:
            found = found.filter(pk__gt=last)
        with transaction.atomic():
            rows = list(found.values(*columns)[:BATCH])
            for row in rows:
                row_erase(holding, person, row, erasure_id)
        if len(rows) < BATCH:
            return
        last = rows[-1]["pk"]


def row_erase(holding: Holding, person: Person, row: dict[str, Any], erasure_id: UUID) -> None:
    model = model_of(holding)
    changes = changes_of(holding, person, row)
    for name in changes:
        field = model._meta.get_field(name)
        if isinstance(field, models.FileField) and row[name]:
            field.storage.delete(row[name])  # first: a repetition finds the name again
    if not changes:
        return
    if issubclass(model, AppendOnlyModel):
        personal_columns_replace(model, row["pk"], changes, erasure_id=erasure_id)
    else:
        model._base_manager.filter(pk=row["pk"]).update(**changes)


def changes_of(holding: Holding, person: Person, row: dict[str, Any]) -> dict[str, Any]:
    """The columns that change, with their new values."""
    new = {name: scrub_texts(person, row[name]) for name in holding.scrub}
    for name, value in holding.clear.items():
        new[name] = value(person, row[name]) if callable(value) else value
    return {name: value for name, value in new.items() if value != row[name]}
