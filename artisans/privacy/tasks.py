from uuid import UUID

from celery import shared_task

from artisans.core.queue import one_at_a_time
from artisans.privacy.services import erasure_continue, erasures_continue


@shared_task(name="privacy.continue_erasure")
def continue_erasure_task(erasure_id: str) -> None:
    erasure_continue(UUID(erasure_id))


@shared_task(name="privacy.continue_erasures")
@one_at_a_time
def continue_erasures_task() -> None:
    """Periodic: erasures in progress."""
    erasures_continue()
