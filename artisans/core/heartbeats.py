"""When beat, workers and periodic tasks were last active.

In the database, because not every shop has a cache that its processes share. Each minute beat enqueues a task, and
writes its own row; the worker that runs the task writes another. Web servers write theirs when they are probed.
"""

import logging
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from celery.signals import before_task_publish, task_postrun
from celery.states import FAILURE, SUCCESS
from django.conf import settings
from django.db import close_old_connections
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from prometheus_client.core import Metric

from artisans.core.leases import lease_holder
from artisans.core.metrics import gauge
from artisans.core.models import BEAT_LEASE, Heartbeat, get_or_none

logger = logging.getLogger(__name__)

TASK = "core.heartbeat"
BACKUP, RESTORE, SECRET_KEY = "backup", "restore", "secret_key"
PROCESSES = {
    "beat": _("Beat (starts periodic tasks)"),
    "worker": _("Worker (runs tasks)"),
}
LATE_AFTER = timedelta(minutes=3)
NIGHTLY_LATE_AFTER = timedelta(hours=26)
KEY_CHANGE_KNOWN_AFTER = timedelta(days=7)
FORGET_AFTER = timedelta(days=1)  # hosts that are gone


@shared_task(name=TASK)
def heartbeat_task() -> None:
    """Periodic: shows that beat, broker and worker work together."""
    heartbeat_record(f"worker@{socket.gethostname()}")
    secret_key_record()
    Heartbeat.objects.filter(name__contains="@", at__lt=timezone.now() - FORGET_AFTER).delete()


@before_task_publish.connect(sender=TASK)
def record_beat(**_: object) -> None:
    """In the process of beat."""
    try:
        close_old_connections()
        heartbeat_record(f"beat@{socket.gethostname()}")
    except Exception:  # of the database: the shop's other periodic tasks are enqueued all the same
        logger.warning("heartbeat_failed", exc_info=True)


@task_postrun.connect
def record_run(task: Any, state: str | None = None, **_: object) -> None:
    """Of periodic tasks only: the others can be many."""
    if task.name not in periodic_tasks():
        return
    try:
        heartbeat_record(task.name, is_success=state == SUCCESS, is_failure=state == FAILURE)
    except Exception:  # the task has done its work
        logger.warning("heartbeat_failed", exc_info=True)


def heartbeat_record(name: str, *, is_success: bool = True, is_failure: bool = False) -> None:
    now = timezone.now()
    changes: dict[str, Any] = {
        "at": now,
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "keys": keys_hash(),
    }
    if is_success:
        changes["succeeded_at"] = now
    counts = {"runs": F("runs") + 1, "failures": F("failures") + int(is_failure)}
    rows = Heartbeat.objects.filter(pk=name)
    if not rows.update(**changes, **counts):
        first = Heartbeat(name=name, runs=1, failures=int(is_failure), **changes)
        Heartbeat.objects.bulk_create([first], ignore_conflicts=True)  # another host may be first


def restore_record(of: datetime) -> None:
    """Note that the database was restored now from a backup of that time, which is kept as `succeeded_at`."""
    heartbeat_record(RESTORE, is_success=False)
    Heartbeat.objects.filter(pk=RESTORE).update(succeeded_at=of)


def restored() -> tuple[datetime, datetime] | None:
    """When the database was last restored, and of which time the backup was."""
    row = get_or_none(Heartbeat.objects.filter(pk=RESTORE))
    return (row.at, row.succeeded_at) if row and row.succeeded_at else None


def keys_hash() -> str:
    """Of SECRET_KEY and ENCRYPTION_KEYS; too short to find a key with."""
    return salted_hmac("core.hosts", "\n".join(settings.ENCRYPTION_KEYS), algorithm="sha256").hexdigest()[:8]


def secret_key_record() -> None:
    """Note when the present SECRET_KEY was last used; only after some days if another one was in use before."""
    changed_at = secret_key_changed_at()
    if changed_at is None or changed_at < timezone.now() - KEY_CHANGE_KNOWN_AFTER:
        hashed = secret_key_hash(settings.SECRET_KEY)
        changes: dict[str, Any] = {"at": timezone.now(), "keys": hashed}
        if not Heartbeat.objects.filter(pk=SECRET_KEY).update(**changes):
            first = Heartbeat(name=SECRET_KEY, **changes)
            Heartbeat.objects.bulk_create([first], ignore_conflicts=True)  # another host may be first


def secret_key_changed_at() -> datetime | None:
    """When a SECRET_KEY was last used that is neither the present one nor a fallback; None if there is none."""
    row = get_or_none(Heartbeat.objects.filter(pk=SECRET_KEY))
    known = {secret_key_hash(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)}
    return row.at if row and row.keys not in known else None


def secret_key_hash(key: str) -> str:
    """Too short to find the key with."""
    return salted_hmac("core.secret_key", "", secret=key, algorithm="sha256").hexdigest()[:8]


def periodic_tasks() -> dict[str, timedelta]:
    """By task, the time after its last run when the next one is late."""
    found = {}
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        task, every = str(entry["task"]), entry["schedule"]
        found[task] = max(LATE_AFTER, 3 * every) if isinstance(every, timedelta) else NIGHTLY_LATE_AFTER
    return found


def heartbeat_report() -> str:
    """For /health/ready: "ok", or which processes and periodic tasks are late, and since when."""
    late = [
        f"{name}: {f'last seen {at:%Y-%m-%d %H:%M} UTC' if at else 'never seen'}" for name, at in overdue()
    ]
    return "; ".join(late) or "ok"


def overdue() -> Iterator[tuple[str, datetime | None]]:
    """Processes and periodic tasks that are late, with the time at which they were last active.

    A task that never ran is not late: after an installation, nightly ones wait for their night.
    """
    last = dict(Heartbeat.objects.values_list("name", "at"))
    now = timezone.now()
    for process in PROCESSES:
        seen = max((at for name, at in last.items() if name.startswith(f"{process}@")), default=None)
        if seen is None or seen < now - LATE_AFTER:
            yield process, seen
    for task, late_after in periodic_tasks().items():
        if task in last and last[task] < now - late_after:
            yield task, last[task]


def leading_host() -> str:
    """The host whose beat enqueues periodic tasks, or ""."""
    return lease_holder(BEAT_LEASE).rpartition("@")[2]


def active_hosts(process: str) -> set[str]:
    recent = Heartbeat.objects.filter(name__startswith=f"{process}@", at__gte=timezone.now() - LATE_AFTER)
    return {name.partition("@")[2] for name in recent.values_list("name", flat=True)}


def leader_metrics() -> Iterator[Metric]:
    host = leading_host()
    leaders: dict[tuple[str, ...], float] = {(host,): 1} if host else {}
    yield gauge("alley_beat_leader", "1 for the host whose beat enqueues periodic tasks.", ["host"], leaders)


def heartbeat_metrics() -> Iterator[Metric]:
    rows = list(Heartbeat.objects.all())
    processes = {tuple(row.name.split("@", 1)): row.at.timestamp() for row in rows if "@" in row.name}
    tasks = {(row.name,): row for row in rows if row.name in periodic_tasks()}
    backup = next((row.succeeded_at for row in rows if row.name == BACKUP), None)
    yield gauge(
        "alley_heartbeat_timestamp_seconds",
        "When beat and workers were last active.",
        ["process", "host"],
        processes,
    )
    yield gauge(
        "alley_task_last_run_timestamp_seconds",
        "When a periodic task last ended.",
        ["task"],
        {key: row.at.timestamp() for key, row in tasks.items()},
    )
    yield gauge(
        "alley_task_last_success_timestamp_seconds",
        "When a periodic task last succeeded.",
        ["task"],
        {key: row.succeeded_at.timestamp() for key, row in tasks.items() if row.succeeded_at},
    )
    yield gauge(
        "alley_task_failures",
        "Failed runs of a periodic task since its first.",
        ["task"],
        {key: row.failures for key, row in tasks.items()},
    )
    yield gauge(
        "alley_backup_last_success_timestamp_seconds",
        "When a backup was last completed.",
        [],
        {(): backup.timestamp()} if backup else {},
    )
