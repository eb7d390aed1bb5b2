"""Requests to PayPal. Only this module imports paypalrestsdk, so that another SDK can replace it.

The SDK provides the access token request and the mapping of status codes. Its faults are corrected here: it has no
timeout, follows redirects, re-authenticates endlessly, returns a 400 like a success, sends a body with GET, passes
the caller's headers to the token request, uses a token until its last second, shares it between threads without a
lock, and logs bodies.
"""

import json
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import paypalrestsdk
import requests
from paypalrestsdk import exceptions as sdk

from payments.providers.contract import Unknown
from payments.providers.http import read_body, session
from payments.providers.paypal.errors import DECLINES, error_body, failure, issue_of
from payments.providers.round_trips import RoundTrip, round_trip

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
ANSWER_LIMIT = 8_000_000
RENEW_AHEAD = 60.0
REPRESENTATION = "return=representation"


class PayPalClient:
    """Sends requests with `request`. Thread-safe; connections and the access token are reused.

    `api_base` is a URL without a path. `mode` is "live" or "sandbox".
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        mode: str,
        api_base: str,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> None:
        self._base = api_base.rstrip("/")
        self._api = RepairedApi(
            timeout, mode=mode, endpoint=self._base, client_id=client_id, client_secret=client_secret
        )

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        key: str = "",
        prefer: str = "",
    ) -> dict[str, Any]:
        """The JSON object in PayPal's response, {} for an empty one.

        `path` includes the query; `body` is an object, or JSON text that is sent unchanged; `key` is sent as
        PayPal-Request-Id. Errors: Refused, ObjectNotFound, Unknown; nothing else.
        """
        headers = {"PayPal-Request-Id": key, "Prefer": prefer}
        text = json.dumps(body) if isinstance(body, Mapping) else body
        try:
            answer = self._api.request(
                self._base + path, method, text, {name: value for name, value in headers.items() if value}
            )
        except sdk.ConnectionError as answered:
            raise failure(
                answered.response.status_code,
                answered.content or "",
                retry_after=answered.response.headers.get("Retry-After", ""),
            ) from None
        except (requests.ConnectionError, requests.Timeout) as silence:
            raise Unknown("no_answer", type(silence).__name__, is_outage=True) from None
        except requests.RequestException as broken:
            raise Unknown("broken_answer", type(broken).__name__) from None
        except (ValueError, KeyError, TypeError, RecursionError) as unreadable:
            raise Unknown("unreadable_answer", type(unreadable).__name__) from None
        if not isinstance(answer, dict):
            raise Unknown("unreadable_answer", "not an object")
        return answer


def note_answer(trip: RoundTrip, response: requests.Response, text: str) -> None:
    code = issue_of(error_body(text)) if response.status_code >= HTTPStatus.BAD_REQUEST else ""
    trip.answer(
        response.status_code,
        error_code=code,
        request_id=response.headers.get("PayPal-Debug-Id", ""),
        is_decline=code in DECLINES,
    )


class RepairedApi(paypalrestsdk.Api):
    """The SDK's Api with timeouts, a single re-authentication, and a token that threads can share."""

    def __init__(self, timeout: tuple[float, float], **options: str) -> None:
        super().__init__(**options)
        self._timeout = timeout
        self._session = session()
        self._token_lock = threading.Lock()
        self._renew_at = 0.0
        self._token: dict[str, Any] = {}

    def http_call(self, url: str, method: str, **request: Any) -> Any:
        with (
            round_trip(method, url) as trip,
            self._session.request(
                method, url, timeout=self._timeout, allow_redirects=False, stream=True, **request
            ) as response,
        ):
            text = read_body(response, limit=ANSWER_LIMIT, seconds=self._timeout[1]).decode(errors="replace")
            note_answer(trip, response, text)
        return self.handle_response(response, text)

    def request(
        self,
        url: str,
        method: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        refresh_token: None = None,
    ) -> Any:
        token = self.get_token_hash()
        try:
            return self._send(url, method, body, headers or {}, token)
        except sdk.UnauthorizedAccess:
            self._forget(token)
            return self._send(url, method, body, headers or {}, self.get_token_hash())

    def get_token_hash(
        self, authorization_code: None = None, refresh_token: None = None, headers: None = None
    ) -> dict[str, Any]:
        """The access token, fetched by one thread at a time; the others wait at most as long as that request may
        take."""
        if not self._token_lock.acquire(timeout=sum(self._timeout)):
            raise requests.Timeout("Another thread is still waiting for the token.")
        try:
            if time.monotonic() >= self._renew_at:
                self._fetch_token()
            return self._token
        finally:
            self._token_lock.release()

    def _fetch_token(self) -> None:
        asked_at = time.monotonic()
        self.token_hash = None
        token = super().get_token_hash()
        if not isinstance(token["access_token"], str):
            raise TypeError("The token is not a string.")
        seconds = int(token["expires_in"])
        self._token = token
        self._renew_at = asked_at + seconds - min(RENEW_AHEAD, seconds / 2)

    def _forget(self, token: dict[str, Any]) -> None:
        """Discard the token, unless another thread already has a newer one."""
        with self._token_lock:
            if self._token is token:
                self._renew_at = 0.0

    def _send(
        self, url: str, method: str, body: str | None, headers: Mapping[str, str], token: dict[str, Any]
    ) -> Any:
        all_headers = {
            "Authorization": f"Bearer {token['access_token']}",
            "Accept": "application/json",
            "User-Agent": self.user_agent,
            **headers,
        }
        if body is None:
            return self.http_call(url, method, headers=all_headers)
        all_headers["Content-Type"] = "application/json"
        return self.http_call(url, method, headers=all_headers, data=body.encode())
