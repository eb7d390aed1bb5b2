"""The simulator: one store, one lock and one clock, shared by the simulated providers."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sandbox.faults import Fault, Faults
from sandbox.http_messages import Json, Request, Response
from sandbox.journal import Journal
from sandbox.scheduler import Scheduler
from sandbox.store import Store
from sandbox.webhook_delivery import WebhookDelivery

logger = logging.getLogger(__name__)

JOBS = "job"
SETTINGS: Json = {
    "async_seconds": 3.0,  # delay before processing, settlement, disputes and the like
    "refunds": "succeed",  # the result of new refunds, one of REFUNDS
    "requests_per_second": None,  # of each provider's API, such as 25 in Stripe's test mode; None: unlimited
}
REFUNDS = (
    "succeed",
    "pending",  # succeed later
    "fail",  # fail later
    "refuse",  # fail immediately
    "insufficient_balance",  # the request is refused
    "pending_balance",  # wait for the shop's balance, then fail
)


class Provider(Protocol):
    """A simulated provider: the paths it owns, its responses and its actions for the control API."""

    name: str

    def owns(self, path: str) -> bool: ...
    def respond(self, request: Request, fault: Fault) -> Response:
        """Apply the fault's stages arrival, execution and result; the server applies the last one."""

    def refusal(self, answer: Json) -> str:
        """Return the reason that an error response gives, for people."""

    def control(self, action: str, changes: Json) -> Json: ...
    def overview(self) -> list[Json]: ...


class Simulator:
    def __init__(self, base_url: str, folder: Path | None = None) -> None:
        self.base_url = base_url
        self.folder = folder
        self.lock = threading.RLock()
        self.store = Store(folder)
        self.journal = Journal(self.store)
        self.faults = Faults()
        self.webhooks = WebhookDelivery(self.store, self.lock)
        self.requests: deque[Json] = deque(maxlen=2000)
        self.providers: list[Provider] = []
        self._jobs: dict[str, Callable[[Json], object]] = {}
        self._recent: dict[str, deque[float]] = {}  # times of each provider's requests in the last second
        self._scheduler = Scheduler("jobs", self.now, self._run_job)

    def start(self) -> None:
        for key, job in self.store.table(JOBS).items():
            self._scheduler.add(job["due"], key)
        self._scheduler.start()
        self.webhooks.start()

    def close(self) -> None:
        self._scheduler.close()
        self.webhooks.close()
        with self.lock:
            self.store.close()

    # ---- time ------------------------------------------------------------------------------------------------

    def now(self) -> float:
        return time.time() + float(self.store.table("settings").get("clock", {}).get("offset", 0))

    def set_clock(self, offset: float) -> None:
        self.store.save("settings", "clock", {"offset": offset})
        self._scheduler.wake()

    # ---- settings --------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Json:
        return SETTINGS | self.store.table("settings").get("program", {})

    def change_settings(self, changes: Json) -> Json:
        """Raises KeyError for an unknown setting, ValueError for an invalid value."""
        for name in changes:
            SETTINGS[name]
        if changes.get("refunds", "succeed") not in REFUNDS:
            raise ValueError(f"refunds must be one of {', '.join(REFUNDS)}.")
        with self.lock:
            self.store.save("settings", "program", self.settings | changes)
        return self.settings

    def is_rate_limited(self, provider: str) -> bool:
        """Count a request to a provider's API. Returns whether it exceeds `requests_per_second`, in real time."""
        limit = self.settings["requests_per_second"]
        if limit is None:
            return False
        now = time.monotonic()
        with self.lock:
            recent = self._recent.setdefault(provider, deque())
            while recent and recent[0] <= now - 1:
                recent.popleft()
            if len(recent) >= limit:
                return True
            recent.append(now)
        return False

    # ---- scheduled jobs ------------------------------------------------------------------------------------

    def register_jobs(self, provider: str, jobs: Mapping[str, Callable[[Json], object]]) -> None:
        self._jobs |= {f"{provider}.{kind}": run for kind, run in jobs.items()}

    def schedule(self, kind: str, when: float | None = None, **arguments: object) -> None:
        """Schedule a job at a time of the simulated clock; by default after `async_seconds`."""
        due = self.now() + self.settings["async_seconds"] if when is None else when
        key = f"{kind}/{len(self.store.table(JOBS))}/{time.monotonic_ns()}"
        self.store.save(JOBS, key, {"kind": kind, "due": due, "arguments": arguments})
        self._scheduler.add(due, key)

    def run_jobs(self, kind: str | None = None) -> int:
        """Run scheduled jobs now, all or of one kind. Deadlines, such as a session's expiry, run only when named."""
        with self.lock:
            keys = [
                key
                for key, job in self.store.table(JOBS).items()
                if (job["kind"] == kind if kind else not job["kind"].endswith(".deadline"))
            ]
        for key in keys:
            self._run_job(key)
        return len(keys)

    def _run_job(self, key: str) -> None:
        with self.lock:
            job = self.store.table(JOBS).get(key)
            if job:
                self.store.remove(JOBS, key)
                self._jobs[job["kind"]](job["arguments"])
                self.store.commit()

    # ---- reset ---------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Delete all objects, faults, settings and the journal; webhook endpoints stay."""
        with self.lock:
            endpoints = dict(self.store.table("endpoint"))
            self.store.clear()
            self.faults.remove()
            self.webhooks.clear()
            self._scheduler.clear()
            self.requests.clear()
            self._recent.clear()
            for key, row in endpoints.items():
                self.store.save("endpoint", key, row)
            self.store.commit()
