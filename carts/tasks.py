from celery import shared_task

from artisans.core.queue import one_at_a_time
from carts.journeys import TASK, journeys_complete


@shared_task(name=TASK, soft_time_limit=3600, time_limit=3700)
@one_at_a_time
def complete_journeys() -> None:
    """Periodic, every night."""
    journeys_complete()
