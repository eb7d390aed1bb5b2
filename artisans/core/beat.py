"""Celery's beat on several hosts: the one that holds the lease enqueues periodic tasks, the others wait for it.

A leader that dies is replaced when its lease has expired, one that is stopped at once. A leader that was paused notices
by its own clock before it enqueues anything, unless that clock was stopped too, as that of a virtual machine can be.
Then two lead until its next renewal, and messages are enqueued twice or late, which is harmless: messages expire, and
tasks are idempotent.
"""

import logging
import socket
import time
from typing import Any
from uuid import uuid4

from celery.beat import ScheduleEntry, Scheduler
from celery.signals import beat_init
from django.conf import settings
from django.db import Error, close_old_connections
from django.utils import timezone

from artisans.core.heartbeats import LATE_AFTER, TASK, heartbeat_record
from artisans.core.leases import lease_acquire, lease_release
from artisans.core.models import BEAT_LEASE, Heartbeat

logger = logging.getLogger(__name__)

RENEWALS = 4  # in the time of a lease
HEARTBEAT_SECONDS = 60
STATEMENT_SECONDS = 5
CLOCK = getattr(
    time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC
)  # the former, of Linux, goes on while it is suspended


class LeaderScheduler(Scheduler):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.host = socket.gethostname()
        self.holder = f"{uuid4().hex[:8]}@{self.host}"
        self.leads_until = self.renews_at = self.beats_at = 0.0  # of CLOCK
        super().__init__(*args, **kwargs)

    @property
    def is_leader(self) -> bool:
        return time.clock_gettime(CLOCK) < self.leads_until

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Celery calls this again and again, after as many seconds as it returns."""
        if time.clock_gettime(CLOCK) >= self.renews_at:
            self.renew()
        pause = max(0.0, self.renews_at - time.clock_gettime(CLOCK))
        return min(pause, super().tick(*args, **kwargs)) if self.is_leader else pause

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        if self.is_leader:  # connecting to the broker may have taken long
            super().apply_entry(entry, producer=producer)

    def renew(self) -> None:
        """Without the database nobody leads, but without it no task could do anything either."""
        was_leader, now = self.is_leader, time.clock_gettime(CLOCK)
        self.renews_at = now + settings.BEAT_LEASE_SECONDS / RENEWALS
        try:
            close_old_connections()
            if not lease_acquire(BEAT_LEASE, holder=self.holder, seconds=settings.BEAT_LEASE_SECONDS):
                self.leads_until = 0.0
                self.show_activity(now)
                return
            if not was_leader:
                self.take_over()
            self.leads_until = now + settings.BEAT_LEASE_SECONDS
        except Error:
            logger.warning("beat_lease_failed", exc_info=True)

    def take_over(self) -> None:
        """Continue after the last runs, whoever enqueued them: what has been due since then is enqueued at once, also
        nightly tasks. A new shop shows at once that its beat and worker run."""
        last = {TASK: timezone.now() - LATE_AFTER} | dict(Heartbeat.objects.values_list("name", "at"))
        for entry in self.schedule.values():
            if at := last.get(str(entry.task)):
                entry.last_run_at = at
        self._heap = None
        logger.info("beat_leads", extra={"host": self.host})

    def show_activity(self, now: float) -> None:
        """The leader's heartbeat is its task."""
        if now >= self.beats_at:
            self.beats_at = now + HEARTBEAT_SECONDS
            heartbeat_record(f"beat@{self.host}")

    def close(self) -> None:
        """Release the lease, also when it was not renewed in time: to the database it may still be this beat's."""
        super().close()
        self.leads_until = 0.0
        try:
            lease_release(BEAT_LEASE, holder=self.holder)
        except Error:
            logger.warning("beat_lease_failed", exc_info=True)


@beat_init.connect
def shorten_statements(**_: object) -> None:
    """A database that hangs must not keep a beat beyond its lease."""
    if timeouts := settings.DATABASES["default"].get("TIMEOUTS"):
        timeouts["statement_timeout"] = STATEMENT_SECONDS
