"""Fault injection: a rule says which requests it matches, what goes wrong, and how often.

A request passes four stages: arrival (before the provider reads it), execution (its idempotency key is reserved,
nothing has taken effect), result (the effect is committed, the response not yet saved under the key), response (being
sent).
"""

import fnmatch
import itertools
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.http_messages import ConnectionDropped, Json, Request, Response

HOLD_LIMIT = 30.0


class Action(StrEnum):
    RATE_LIMIT = "rate_limit"  # arrival: 429 with Retry-After; no effect, key not used
    UNAUTHORIZED = "unauthorized"  # arrival: 401 in the provider's format; no effect, key not used
    FORBIDDEN = "forbidden"  # arrival: 403 in the provider's format; no effect, key not used
    LOCKED = "locked"  # arrival: the object is in use (Stripe: 429 lock_timeout, PayPal: 409); no effect, key not used
    UNAVAILABLE = "unavailable"  # arrival: 503; no effect, key not used
    DROP_BEFORE = "drop_before"  # arrival: connection closed, after `seconds`; no effect, key not used
    DELAY = "delay"  # execution: waits `seconds`, then continues
    HOLD_BEFORE = "hold_before"  # execution: waits for the release (or `seconds`), then continues
    ERROR_BEFORE = "error_before"  # execution: 500, no effect; saved under the key
    ERROR_AFTER = "error_after"  # result: 500 although the effect is committed; saved under the key
    HOLD_AFTER = "hold_after"  # response: saved under the key, but waits for the release
    DROP_AFTER = "drop_after"  # response: connection closed instead
    TRUNCATE = "truncate"  # response: half of the body, then the connection closes
    GARBAGE = "garbage"  # response: half of the body with a matching Content-Length
    HTML = "html"  # response: a proxy's error page, with `status`
    EMPTY = "empty"  # response: 200 without a body


AT_ARRIVAL = {
    Action.UNAVAILABLE: 503,
    Action.UNAUTHORIZED: 401,
    Action.FORBIDDEN: 403,
    Action.LOCKED: 423,  # each provider has its own status code for it
}


@dataclass
class Fault:
    id: str
    action: Action
    method: str = "*"
    path: str = "*"
    count: int | None = 1  # None: until deleted
    skip: int = 0
    seconds: float = 0.0
    status: int = 502
    retry_after: int = 1
    matched: int = 0
    released: threading.Event = field(default_factory=threading.Event, repr=False)

    def on_arrival(self) -> Response | None:
        """Return a response for which the provider writes the body, drop the connection, or return None to continue."""
        match self.action:
            case Action.DROP_BEFORE:
                self.released.wait(self.seconds)
                raise ConnectionDropped
            case Action.RATE_LIMIT:
                return Response(429, b"", {"Retry-After": str(self.retry_after)})
        return Response(AT_ARRIVAL[self.action]) if self.action in AT_ARRIVAL else None

    def on_execution(self) -> None:
        if self.action is Action.DELAY:
            time.sleep(self.seconds)
        elif self.action is Action.HOLD_BEFORE:
            self.released.wait(self.seconds or HOLD_LIMIT)

    def on_response(self, response: Response) -> Response:
        half = response.body[: len(response.body) // 2]
        match self.action:
            case Action.HOLD_AFTER:
                self.released.wait(self.seconds or HOLD_LIMIT)
            case Action.DROP_AFTER:
                raise ConnectionDropped
            case Action.TRUNCATE:
                raise ConnectionDropped(response)
            case Action.GARBAGE:
                return Response(response.status, half, response.headers)
            case Action.HTML:
                page = b"<html><head><title>Bad Gateway</title></head><body>Bad Gateway</body></html>"
                return Response(self.status, page, {"Content-Type": "text/html"})
            case Action.EMPTY:
                return Response(200, b"", {"Content-Type": "application/json"})
        return response

    def as_json(self) -> Json:
        return {name: value for name, value in vars(self).items() if name != "released"}


NO_FAULT = Fault("none", Action.DELAY)
RATE_LIMITED = Fault("requests_per_second", Action.RATE_LIMIT)


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: dict[str, Fault] = {}
        self._numbers = itertools.count(1)

    def add(self, fields: Json) -> Fault:
        """Raises TypeError for an unknown field, ValueError for an unknown action."""
        with self._lock:
            fault = Fault(
                id=f"fault_{next(self._numbers)}", **(fields | {"action": Action(fields.get("action", ""))})
            )
            self._rules[fault.id] = fault
            return fault

    def match(self, request: Request) -> Fault:
        """Return the oldest rule that matches this request, or NO_FAULT."""
        with self._lock:
            for fault in self._rules.values():
                if self._matches(fault, request):
                    fault.matched += 1
                    if fault.matched > fault.skip:
                        return fault
        return NO_FAULT

    def _matches(self, fault: Fault, request: Request) -> bool:
        if fault.count is not None and fault.matched >= fault.skip + fault.count:
            return False
        return fault.method in {"*", request.method} and fnmatch.fnmatchcase(request.path, fault.path)

    def release(self, fault_id: str) -> bool:
        """Release the requests that the rule holds. Returns whether the rule exists."""
        fault = self._rules.get(fault_id)
        if fault:
            fault.released.set()
        return fault is not None

    def remove(self, fault_id: str | None = None) -> None:
        """Remove one rule or all; the requests that they hold continue."""
        with self._lock:
            gone = [fault_id] if fault_id else list(self._rules)
            for name in gone:
                if fault := self._rules.pop(name, None):
                    fault.released.set()

    def list_params(self) -> list[Json]:
        with self._lock:
            return [fault.as_json() for fault in self._rules.values()]
