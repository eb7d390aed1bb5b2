"""Requests to Stripe through the official SDK, configured once; the only place that maps its errors to ours."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeVar

import requests
import stripe
from requests.utils import get_environ_proxies
from stripe import StripeObject

from artisans.core.security.redaction import scrub
from payments.providers.contract import (
    CustomerNotFound,
    ObjectNotFound,
    ProviderError,
    Refused,
    RemotePayment,
    Unknown,
)
from payments.providers.reading import UNREADABLE, an_id, mapping, plain
from payments.providers.round_trips import RoundTrip, round_trip
from payments.providers.stripe.config import StripeConfig
from payments.providers.stripe.declines import group_of
from payments.providers.stripe.objects import Row, payment_of

API_VERSION: Final = "2026-10-28.endive"
BASES = ("api", "connect", "files", "meter_events")
LONGEST_WAIT = 3600
# Errors of concurrent requests: the outcome is unknown.
UNSETTLED = frozenset({"idempotency_key_in_use", "lock_timeout", "rate_limit"})
# Objects that a request names besides the one that it changes.
NAMED = frozenset({"customer", "payment_method"})

T = TypeVar("T")

stripe.enable_telemetry = False  # the SDK has this option only as a global


class Stuck(Unknown):
    """The same key returns the same response for as long as Stripe stores it; only reading the object helps."""

    is_stuck = True


class SameHostSession(requests.Session):
    """Never follows a redirect: requests with our key stay at the configured host.

    Proxies are looked up in the environment once, not for each request: 7% of the CPU time of an event.
    """

    def __init__(self, base: str) -> None:
        super().__init__()
        self.trust_env = False
        self.proxies = get_environ_proxies(base)

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        with round_trip(method, url) as trip:
            response = super().request(method, url, *args, **(options | {"allow_redirects": False}))
            note_answer(trip, response)
            return response


def note_answer(trip: RoundTrip, response: requests.Response) -> None:
    details = error_details(response) if response.status_code >= HTTPStatus.BAD_REQUEST else {}
    code = plain(details.get("decline_code")) or plain(details.get("code")) or plain(details.get("type"))
    trip.answer(
        response.status_code,
        error_code=code,
        request_id=response.headers.get("Request-Id", ""),
        is_decline=details.get("type") == "card_error",
    )


def error_details(response: requests.Response) -> Row:
    try:
        return mapping(mapping(response.json()).get("error"))
    except (ValueError, RecursionError):
        return {}


class StripeLink:
    """Each request is sent once; the layer above retries it with the same key."""

    def __init__(self, config: StripeConfig) -> None:
        session = SameHostSession(config.api_base or stripe.DEFAULT_API_BASE)
        self._api = stripe.StripeClient(
            config.secret_key,
            stripe_version=API_VERSION,
            base_addresses=addresses(config.api_base),
            max_network_retries=0,
            http_client=stripe.RequestsClient(
                timeout=(config.connect_timeout, config.read_timeout),
                session=session,
            ),
        )

    def execute(self, send: Callable[[stripe.StripeClient], T]) -> T:
        """Send a request and parse the response; an unreadable response is an unknown outcome. Errors: Refused,
        Unknown.

        The SDK's exception contains the response body, so ours is raised separately, not chained to it.
        """
        problem: ProviderError
        try:
            return send(self._api)
        except ProviderError:
            raise
        except stripe.StripeError as error:
            problem = map_error(error)
        except Exception as error:
            problem = unreadable(error)
        raise problem

    def pages(self, send: Callable[[stripe.StripeClient], Any]) -> Iterator[list[Row]]:
        """Each page of a list when it is needed. Errors: Refused, Unknown."""
        page = self.execute(send)
        while rows := self.execute(partial(rows_of_page, page)):
            yield rows
            page = self.execute(partial(next_page, page))

    def error_of(self, send: Callable[[stripe.StripeClient], object]) -> str:
        """Why the response cannot be used; "" if it can."""
        try:
            self.execute(send)
        except (Refused, Unknown) as error:
            return str(error)
        return ""

    def understand(self, read: Callable[[], T]) -> T:
        """Parse a response that has been received. Errors: Unknown."""
        try:
            return read()
        except UNREADABLE as error:
            raise unreadable(error) from None

    def execute_write(
        self,
        send: Callable[[stripe.StripeClient], StripeObject],
        message: Callable[[Row], T],
        reread: Callable[[str], T],
    ) -> T:
        """Send a request that has an effect.

        A response replayed from an earlier attempt, which may be out of date, or one that cannot be parsed in full is
        followed by reading the object with `reread`: whether a call took effect must be certain.
        """

        def both(api: stripe.StripeClient) -> tuple[str, T | None]:
            made = send(api)
            row = row_of(made)
            return an_id(row["id"]), None if is_replay(made) else message(row)

        object_id, parsed = self.execute(both)
        return reread(object_id) if parsed is None or getattr(parsed, "problems", False) else parsed


def unreadable(error: Exception) -> Unknown:
    return Unknown("unreadable", f"{type(error).__name__}: {scrub(str(error))[:200]}")


def rows_of_page(page: Any, _api: stripe.StripeClient) -> list[Row]:
    return [row_of(one) for one in page]


def next_page(page: Any, _api: stripe.StripeClient) -> Any:
    return page.next_page()


def addresses(base: str) -> Any:
    return dict.fromkeys(BASES, base) if base else {}


def row_of(answer: StripeObject) -> dict[str, Any]:
    return answer.to_dict()


def is_replay(answer: StripeObject) -> bool:
    """Whether this is the stored response of an earlier call with the same key, which may be out of date."""
    response = answer.last_response
    return response is not None and replayed(response.headers)


def replayed(headers: Mapping[str, str]) -> bool:
    return headers.get("Idempotent-Replayed") == "true"


# ---- the table of errors -----------------------------------------------------------------------------------------


def map_error(error: stripe.StripeError) -> ProviderError:
    """What an SDK error means for the call. https://docs.stripe.com/error-low-level

    A rejected API key (401, 403) is Unknown: it says nothing about an earlier attempt with a valid key.
    """
    details = error_in(error)
    code, detail = details.get("code") or "", detail_of(error)
    match error:
        case stripe.APIConnectionError():
            return Unknown("no_answer", detail, is_outage=True)
        case stripe.RateLimitError():
            return Unknown(code or "rate_limit", detail, retry_after=wait_of(error))
        case stripe.AuthenticationError() | stripe.PermissionError():
            return forbidden(Unknown("key_refused", detail))
        case stripe.IdempotencyError() if code not in UNSETTLED:
            return Stuck(code or "idempotency_mismatch", detail)
        case stripe.CardError() | stripe.InvalidRequestError() if code not in UNSETTLED:
            return refusal_of(
                details, code or details.get("type") or "refused", detail, status=error.http_status
            )
    kind = Stuck if replayed(error.headers or {}) else Unknown
    return kind(code or f"http_{error.http_status}", detail, retry_after=wait_of(error))


def forbidden(error: ProviderError) -> ProviderError:
    error.is_forbidden = True
    return error


def refusal_of(details: Row, code: str, detail: str, *, status: int | None) -> Refused:
    if code == "resource_missing" and details.get("param") == "customer":
        return CustomerNotFound(code, detail)
    if code == "resource_missing" and details.get("param") not in NAMED:
        return ObjectNotFound(code, detail)
    is_decline = details.get("type") == "card_error"
    decline = group_of(details.get("decline_code") or "", code) if is_decline else None
    return Refused(code, detail, decline=decline, remote=remote_in(details))


def error_in(error: stripe.StripeError) -> Row:
    body = error.json_body
    details = body.get("error") if isinstance(body, Mapping) else None
    return details if isinstance(details, Mapping) else {}


def remote_in(details: Row) -> RemotePayment | None:
    """The intent after the refusal, if the error includes it."""
    try:
        remote = payment_of(details["payment_intent"])
    except UNREADABLE:
        return None
    return None if remote.problems else remote


def detail_of(error: stripe.StripeError) -> str:
    """For staff: the decline code, parameter, message and request id, without secrets."""
    details = error_in(error)
    is_body_shown = isinstance(error, stripe.APIError) and not details
    parts = (
        details.get("decline_code"),
        details.get("param"),
        f"HTTP {error.http_status}" if is_body_shown else error.user_message,
        error.request_id,
    )
    return scrub("; ".join(" ".join(str(part).split()) for part in parts if part))[:500]


def wait_of(error: stripe.StripeError) -> int:
    """The seconds of Retry-After; dates are ignored."""
    text = (error.headers or {}).get("Retry-After", "")
    return min(int(text), LONGEST_WAIT) if text.isascii() and text.isdecimal() else 0
