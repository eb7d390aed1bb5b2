"""Measures HTTP requests to providers. Adapters wrap each request in `round_trip`; who wants to know of them wraps the
call of the adapter in `collect_round_trips`."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

# Words of the providers' paths; anything else is an id, as is what has a short prefix ("pi_").
WORD = re.compile(r"(?![a-z]{2,4}_)[a-z]+\d?(?:[-_][a-z]+)*", re.ASCII)
CODE = re.compile(r"[\w.-]{1,80}", re.ASCII)
REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
UNDECIDED = frozenset({401, 403, 408, 409, 425, 429})  # refusals that do not say what an earlier try did


class RequestOutcome(StrEnum):
    """Only UNKNOWN is an error of the provider, or of the way to it."""

    ANSWERED = "answered"
    DECLINED = "declined"  # the payment was
    REFUSED = "refused"  # the request was
    UNKNOWN = "unknown"  # no answer, a 5xx, or an answer that decides nothing


@dataclass(slots=True)
class RoundTrip:
    """`operation`: method and path without ids, such as "POST /v1/payment_intents/{id}/confirm". `status_code`: None
    without an answer; then `error_code` is the kind of the exception, otherwise the provider's code. `request_id`: the
    provider's."""

    operation: str
    started_at: datetime
    milliseconds: int = 0
    status_code: int | None = None
    error_code: str = ""
    request_id: str = ""
    is_decline: bool = False

    def answer(
        self, status_code: int, *, error_code: str = "", request_id: str = "", is_decline: bool = False
    ) -> None:
        self.status_code, self.is_decline = status_code, is_decline
        self.error_code = error_code if CODE.fullmatch(error_code) else ""
        self.request_id = request_id if REQUEST_ID.fullmatch(request_id) else ""

    @property
    def outcome(self) -> RequestOutcome:
        if (
            self.status_code is None
            or self.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            or self.status_code in UNDECIDED
        ):
            return RequestOutcome.UNKNOWN
        if self.status_code < HTTPStatus.BAD_REQUEST:
            return RequestOutcome.ANSWERED
        return RequestOutcome.DECLINED if self.is_decline else RequestOutcome.REFUSED


collected: ContextVar[list[RoundTrip] | None] = ContextVar("collected", default=None)


@contextmanager
def collect_round_trips() -> Iterator[list[RoundTrip]]:
    """A list to which each request that is made meanwhile is added once it has ended."""
    trips: list[RoundTrip] = []
    token = collected.set(trips)
    try:
        yield trips
    finally:
        collected.reset(token)


@contextmanager
def round_trip(method: str, url: str) -> Iterator[RoundTrip]:
    """Around one request, until its answer was read; the block reports it with `answer`."""
    trip, started = RoundTrip(operation_of(method, url), datetime.now(UTC)), time.monotonic()
    try:
        yield trip
    except Exception as error:
        trip.status_code, trip.error_code = None, type(error).__name__
        raise
    finally:
        trip.milliseconds = int((time.monotonic() - started) * 1000)
        if (trips := collected.get()) is not None:
            trips.append(trip)


def operation_of(method: str, url: str) -> str:
    parts = (part if WORD.fullmatch(part) else "{id}" for part in urlsplit(url).path.split("/") if part)
    return f"{method.upper()} /{'/'.join(parts)}"[:80]
