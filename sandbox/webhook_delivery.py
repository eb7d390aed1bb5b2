"""Webhook delivery: at least once, signed again for each attempt, retried with back-off until the shop returns 2xx."""

import fnmatch
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from threading import RLock
from typing import Any

from sandbox.http_messages import Json
from sandbox.scheduler import Scheduler
from sandbox.store import Store

ENDPOINTS, DELIVERIES = "endpoint", "delivery"
DONE = {"delivered", "dropped", "failed"}
DEFAULTS: Json = {
    "mode": "on",  # on: send; hold: keep until webhooks/send; drop: never send
    "types": ["*"],  # event types that `mode` hold or drop applies to; others are sent
    "delay": 0.0,  # seconds before the first attempt
    "copies": 1,  # how many times each event is sent
    "shuffle": 0.0,  # random delay of up to so many seconds per delivery
    "retry_seconds": [
        1,
        5,
        30,
        120,
        600,
        1800,
        7200,
    ],  # then the delivery has failed; "published": the provider's own
    "timeout": 10.0,  # seconds to wait for the shop's response
}
BuildDelivery = Callable[[Json, str], tuple[Mapping[str, str], bytes]]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class WebhookDelivery:
    def __init__(self, store: Store, lock: RLock) -> None:
        self._store = store
        self._lock = lock
        self._builders: dict[str, BuildDelivery] = {}
        self._published: dict[str, list[float]] = {}
        self._by_event: dict[str, list[str]] = {}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="webhook-delivery")
        self._scheduler = Scheduler(
            "webhook-delivery", time.time, lambda key: self._pool.submit(self.deliver, key)
        )

    def start(self) -> None:
        """Resume the pending deliveries of an earlier run."""
        for key, row in self._store.table(DELIVERIES).items():
            self._by_event.setdefault(row["event"], []).append(key)
            if row["state"] == "pending":
                self._scheduler.add(time.time(), key)
        self._scheduler.start()

    def close(self) -> None:
        self._scheduler.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def clear(self) -> None:
        """Drop scheduled attempts; the store was cleared before."""
        self._scheduler.clear()
        self._by_event.clear()

    def register_provider(self, provider: str, build: BuildDelivery, retry_seconds: list[float]) -> None:
        """`build(endpoint, event_id)` returns the headers and the raw body of one delivery.

        `retry_seconds`: the pauses between attempts that the provider publishes.
        """
        self._builders[provider] = build
        self._published[provider] = retry_seconds

    @property
    def settings(self) -> Json:
        return DEFAULTS | self._store.table("settings").get("webhooks", {})

    def configure(self, changes: Json) -> Json:
        """Raises KeyError for an unknown setting."""
        for name in changes:
            DEFAULTS[name]
        with self._lock:
            self._store.save("settings", "webhooks", self.settings | changes)
        return self.settings

    def enqueue(self, provider: str, event_id: str, kind: str) -> None:
        """Schedule the deliveries of a new event; the caller holds the lock."""
        settings = self.settings
        applies = any(fnmatch.fnmatchcase(kind, pattern) for pattern in settings["types"])
        state = {"hold": "held", "drop": "dropped"}.get(settings["mode"], "pending") if applies else "pending"
        for endpoint in self._store.table(ENDPOINTS).values():
            if endpoint["provider"] == provider and is_subscribed(endpoint, kind):
                for copy in range(settings["copies"]):
                    key = f"{event_id}/{endpoint['id']}/{copy}"
                    row = {"event": event_id, "type": kind, "provider": provider, "endpoint": endpoint["id"]}
                    row |= {"state": state, "attempts": 0, "responses": []}
                    self._save(key, row)
                    if state == "pending":
                        wait = settings["delay"] + random.uniform(0, settings["shuffle"])  # noqa: S311 (no secret)
                        self._scheduler.add(time.time() + wait, key)

    def pending(self, event_id: str) -> int:
        """Return the number of endpoints that have not accepted this event yet."""
        rows = [self._store.table(DELIVERIES)[key] for key in self._by_event.get(event_id, [])]
        accepted = {row["endpoint"] for row in rows if row["state"] == "delivered"}
        return len({row["endpoint"] for row in rows} - accepted)

    def deliver(self, key: str) -> int | str:
        """Attempt a delivery now, whatever is scheduled. Returns the shop's status code or the exception's name."""
        with self._lock:
            row = self._store.table(DELIVERIES).get(key)
            endpoint = self._store.table(ENDPOINTS).get(row["endpoint"]) if row else None
            if row is None or endpoint is None:
                return "deleted"
            settings = self.settings
            headers, body = self._builders[row["provider"]](endpoint, row["event"])
        response = self._post(endpoint["url"], headers, body, settings["timeout"])
        with self._lock:
            if self._store.table(DELIVERIES).get(key) is row:
                pauses = settings["retry_seconds"]
                pauses = self._published[row["provider"]] if pauses == "published" else pauses
                self._record_response(key, row, response, pauses)
                self._store.commit()
        return response

    def held(self) -> list[str]:
        return [key for key, row in self._store.table(DELIVERIES).items() if row["state"] == "held"]

    def deliveries_of(self, event_id: str) -> list[str]:
        return list(self._by_event.get(event_id, []))

    def add_redelivery(self, provider: str, event_id: str, kind: str) -> list[str]:
        """Add a held delivery of an event for every endpoint, as resending in the provider's dashboard does."""
        keys = []
        for endpoint in self._store.table(ENDPOINTS).values():
            if endpoint["provider"] == provider and is_subscribed(endpoint, kind):
                key = f"{event_id}/{endpoint['id']}/{len(self._by_event.get(event_id, []))}"
                row = {"event": event_id, "type": kind, "provider": provider, "endpoint": endpoint["id"]}
                self._save(key, row | {"state": "held", "attempts": 0, "responses": []})
                keys.append(key)
        return keys

    def _save(self, key: str, row: Json) -> None:
        self._store.save(DELIVERIES, key, row)
        self._by_event.setdefault(row["event"], []).append(key)

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> int | str:
        request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310 (http by design)
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except (OSError, HTTPException) as problem:
            return type(problem).__name__

    def _record_response(self, key: str, row: Json, response: int | str, retry_seconds: list[float]) -> None:
        row["attempts"] += 1
        row["responses"].append(response)
        if isinstance(response, int) and response // 100 == 2:  # noqa: PLR2004 (2xx)
            row["state"] = "delivered"
        elif row["state"] in {"delivered", "dropped"}:
            pass  # a manual resend does not change a final state
        elif row["attempts"] <= len(retry_seconds):
            row["state"] = "pending"
            self._scheduler.add(time.time() + retry_seconds[row["attempts"] - 1], key)
        else:
            row["state"] = "failed"
        self._store.save(DELIVERIES, key, row)


def is_subscribed(endpoint: Json, kind: str) -> bool:
    return endpoint["status"] == "enabled" and any(
        fnmatch.fnmatchcase(kind, pattern) for pattern in endpoint["enabled_events"]
    )
