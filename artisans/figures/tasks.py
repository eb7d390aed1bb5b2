from celery import shared_task

from artisans.core.queue import one_at_a_time
from artisans.figures.counting import DRAIN, figures_check, marks_drain


class FiguresDiffer(Exception):
    """So many cells differ from the facts."""


@shared_task(name=DRAIN)
@one_at_a_time
def drain() -> None:
    """Periodic: count days again whose facts have changed."""
    marks_drain()


@shared_task(name="figures.check", soft_time_limit=3600, time_limit=3700)
@one_at_a_time
def check() -> None:
    """Nightly: a run that finds differences counts as failed."""
    if found := figures_check():
        raise FiguresDiffer(len(found))
