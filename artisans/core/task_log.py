"""One log line per run of a Celery task, with the id of the request that enqueued it."""

import logging
import time
from typing import TYPE_CHECKING, Any

from celery.signals import task_postrun, task_prerun

from artisans.core.requests import request_id

if TYPE_CHECKING:
    from celery import Task

logger = logging.getLogger("artisans.tasks")
started: dict[str, float] = {}


@task_prerun.connect
def adopt_request_id(task_id: str, task: "Task[..., Any]", **_: object) -> None:
    """A task that no request enqueued, such as a periodic one, or several did, gets its own id."""
    request_id.set((task.request.headers or {}).get("request_id") or task_id)
    started[task_id] = time.perf_counter()


@task_postrun.connect
def log_run(task_id: str, task: "Task[..., Any]", state: str | None = None, **_: object) -> None:
    seconds = time.perf_counter() - started.pop(task_id, time.perf_counter())
    facts = {"task": task.name, "task_id": task_id, "state": state, "duration_ms": int(seconds * 1000)}
    logger.info("task", extra=facts)
