"""Runs a callback for each key when it is due, in one thread per scheduler."""

import heapq
import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Scheduler:
    def __init__(self, name: str, now: Callable[[], float], run_due: Callable[[str], object]) -> None:
        self._now = now
        self._run_due = run_due
        self._due: list[tuple[float, int, str]] = []
        self._count = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, when: float, key: str) -> None:
        with self._changed:
            self._count += 1
            heapq.heappush(self._due, (when, self._count, key))
            self._changed.notify()

    def wake(self) -> None:
        """Check the due times again, for instance because the clock was changed."""
        with self._changed:
            self._changed.notify()

    def clear(self) -> None:
        with self._changed:
            self._due.clear()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while (key := self._next()) is not None:
            try:
                self._run_due(key)
            except Exception:
                logger.exception("Scheduled job failed: %s", key)

    def _next(self) -> str | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - self._now() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None
