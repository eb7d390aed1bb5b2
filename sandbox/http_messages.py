"""HTTP requests and responses, and dropped connections."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]

# A shop on this machine may frame the sandbox's pages, and their forms may redirect to it.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self' http: https:; base-uri 'none'; "
    "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
)


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""
    id: str = field(default_factory=lambda: f"req_{secrets.token_hex(7)}")

    @cached_property
    def path(self) -> str:
        return urlsplit(self.target).path

    @cached_property
    def query(self) -> str:
        return urlsplit(self.target).query

    @cached_property
    def arguments(self) -> dict[str, str]:
        """Return the query and form fields together, for pages and the control API."""
        form = (
            self.body.decode(errors="replace") if "urlencoded" in self.headers.get("content-type", "") else ""
        )
        return dict(parse_qsl(self.query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True))


@dataclass
class Response:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class ProviderError(Exception):
    """An error response of a provider, in its own format."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_missing(self) -> bool:
        """Whether an object does not exist."""
        return self.status == HTTPStatus.NOT_FOUND


class ConnectionDropped(Exception):
    """Close the connection without a response, or after the headers and half of the body of `response`."""

    def __init__(self, response: Response | None = None) -> None:
        self.response = response


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(data, indent=2).encode()
    return Response(status, body, {"Content-Type": "application/json"} | dict(headers or {}))


def page_response(html: str, status: int = 200) -> Response:
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": PAGE_POLICY,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(status, html.encode(), headers)


def redirect(address: str) -> Response:
    return Response(303, b"", {"Location": address})
