from uuid import UUID

from celery import shared_task

from artisans.core.queue import run_each
from artisans.tax_ids.selectors import checks_due
from artisans.tax_ids.services import tax_id_check

SECONDS = 120  # for one run; the next one continues
MOST = 100


@shared_task(name="tax_ids.check")
def tax_id_check_task(tax_id_id: str) -> None:
    tax_id_check(UUID(tax_id_id))


@shared_task(name="tax_ids.check_due")
def tax_ids_check_due_task() -> None:
    """Periodic: what no other task has checked, and what is tried again."""
    due = checks_due().order_by("next_try_at").values_list("pk", flat=True)[:MOST]
    run_each(list(due), tax_id_check, event="tax_id_not_checked", seconds=SECONDS)
