"""Differences that staff have looked at and close: later runs leave one out for as long as they find it unchanged."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.digests import short_digest
from artisans.core.errors import Conflict, InvalidInput, NotFound
from artisans.core.models import get_or_none, save_columns
from payments.bookkeeping.movements import CLOSE
from payments.errors import NoPermission
from payments.models import ReconciliationRun
from payments.reconciliation.differences import Kind

Row = Mapping[str, Any]


def key_of(row: Row) -> str:
    """What makes it the same difference in another run: other figures are another difference."""
    parts = (row["kind"], row["object_id"], row["payment"], row["detail"])
    return short_digest("\0".join(parts), 20)


def can_close(row: Row) -> bool:
    """An unexplained movement is closed on its own page, which later runs know however they read it."""
    return bool(row["kind"] != Kind.UNEXPLAINED)


def runs_before(run: ReconciliationRun) -> QuerySet[ReconciliationRun]:
    """The provider's other finished runs, newest first."""
    finished = ReconciliationRun.objects.filter(provider=run.provider, finished_at__isnull=False)
    return finished.exclude(pk=run.pk).order_by("-created_at")


def split_closed(last: ReconciliationRun | None, rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """What a run found: the open differences, and those that are closed on the `last` run before it."""
    known = {key_of(row): row for row in (last.closed or () if last else ())}
    left, closed = list[Row](), list[Row]()
    for row in rows:
        found = known.get(key_of(row))
        (closed if found else left).append(found or as_found(row))
    return left, closed


def as_found(row: Row) -> Row:
    """Without who closed it."""
    return {name: row[name] for name in ("kind", "object_id", "payment", "detail")}


def run_finish(run: ReconciliationRun) -> None:
    """On the instance, which the caller saves in this transaction: the run is finished, with what staff closed or
    reopened on the last one meanwhile. A run that failed keeps what it did not come to. Locks: the last run."""
    last = runs_before(run).select_for_update(no_key=True).first()
    found = [*run.differences, *(run.closed or ())]
    run.differences, run.closed = split_closed(last, found)
    if run.error and last:
        seen = {key_of(row) for row in found}
        run.closed += [row for row in last.closed or () if key_of(row) not in seen]
    run.finished_at = timezone.now()


@transaction.atomic
def difference_close(*, run_id: UUID, key: str, reason: str, actor: User) -> Row:
    """Close a difference of the provider's last run. Errors: NoPermission, NotFound, InvalidInput without a reason,
    Conflict if there is a newer run."""
    run = run_lock(run_id, actor)
    found = next((row for row in run.differences if key_of(row) == key and can_close(row)), None)
    if found is None:
        raise NotFound(_("This difference is no longer open. Reload the run."))
    if not reason.strip():
        raise InvalidInput(_("Enter what you found."))
    row = {**found, "by": str(actor.pk), "at": timezone.now().isoformat(), "reason": reason.strip()[:200]}
    run.differences = [other for other in run.differences if other is not found]
    run.closed = [*(run.closed or ()), row]
    return run_save(run, row, Action.DIFFERENCE_CLOSE, row["reason"], actor)


@transaction.atomic
def difference_reopen(*, run_id: UUID, key: str, reason: str, actor: User) -> Row:
    """List a difference again that was closed. Errors: as of `difference_close`."""
    run = run_lock(run_id, actor)
    found = next((row for row in run.closed or () if key_of(row) == key), None)
    if found is None:
        raise NotFound(_("This difference is no longer closed. Reload the run."))
    if not reason.strip():
        raise InvalidInput(_("Enter why it is reopened."))
    row = as_found(found)
    run.closed = [other for other in run.closed or () if other is not found]
    run.differences = [*run.differences, row]
    return run_save(run, row, Action.DIFFERENCE_REOPEN, reason.strip()[:200], actor)


def run_lock(run_id: UUID, actor: User) -> ReconciliationRun:
    """Errors: NoPermission, NotFound, Conflict."""
    if not (actor.is_staff and actor.has_perm(CLOSE)):
        raise NoPermission
    run = get_or_none(ReconciliationRun.objects.select_for_update(no_key=True).filter(pk=run_id))
    if run is None:
        raise NotFound(_("Run not found."))
    if not is_last(run):
        raise Conflict(_("There is a newer run. Close or reopen the difference on its page."))
    return run


def is_last(run: ReconciliationRun) -> bool:
    """Whether it is the provider's last finished run, which the next one looks at."""
    newer = ReconciliationRun.objects.filter(provider=run.provider, created_at__gt=run.created_at)
    return run.finished_at is not None and not newer.filter(finished_at__isnull=False).exists()


def run_save(run: ReconciliationRun, row: Row, action: Action, reason: str, actor: User) -> Row:
    save_columns(run, ["differences", "closed"])
    data = {"difference": row["kind"], "object": row["object_id"], "reason": reason}
    audit_record(actor=actor, action=action, target=run, data=data)
    return row
