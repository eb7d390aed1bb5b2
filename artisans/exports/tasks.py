from uuid import UUID

from celery import shared_task

from artisans.core.queue import one_at_a_time, run_each
from artisans.exports.services import TASK, export_make, exports_due

SOFT_SECONDS = 3600  # a million rows as XLSX take minutes


@shared_task(name=TASK, soft_time_limit=SOFT_SECONDS, time_limit=SOFT_SECONDS + 60)
def make_export(export_id: str) -> None:
    export_make(UUID(export_id))


@shared_task(name="exports.make_due", soft_time_limit=SOFT_SECONDS, time_limit=SOFT_SECONDS + 60)
@one_at_a_time
def make_due_exports() -> None:
    """Periodic: exports whose worker was stopped, or that no task announced."""
    run_each(exports_due(), export_make, event="export_failed", seconds=60)
