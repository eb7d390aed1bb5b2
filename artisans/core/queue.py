"""The one way to start a Celery task: after commit, by name, with ids only.

Whatever must happen is a row already. A broker that is down costs time (the sweeper finds the row), never work.
"""

import logging
from uuid import UUID

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)


def run_after_commit(name: str, *ids: UUID) -> None:
    """Ring for a task once the present transaction is on disk.

    Errors: KeyError at once when no task has that name. A dead broker is logged, never raised.
    """
    task = current_app.tasks[name]
    arguments = tuple(str(i) for i in ids)

    def ring() -> None:
        try:
            task.apply_async(arguments, retry=False, ignore_result=True)
        except Exception:  # a broker fails in as many ways as it has transports; the sweeper has the row
            logger.warning("doorbell_failed", extra={"task": name}, exc_info=True)

    transaction.on_commit(ring)
