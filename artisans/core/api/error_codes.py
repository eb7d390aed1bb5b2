"""All error codes with their meaning and remedy, as listed at /docs/errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from artisans.core.api.problems import status_of_class
from artisans.core.errors import TEXT, DomainError

WAIT = "Wait for the seconds in `Retry-After`, then send the same request again."
NEW_TOKEN = "Get a new token from `POST /auth/token` and send it as `Authorization: Bearer …`."  # noqa: S105  # a sentence


@dataclass(frozen=True, slots=True)
class Code:
    name: str
    status: int
    title: str
    meaning: str
    remedy: str
    is_retryable: bool = False


# Codes of errors raised by the framework rather than our own code.
FRAME = (
    Code(
        "validation_error",
        400,
        "Bad Request",
        "Some values are missing or wrong; see errors.",
        "Correct each of `errors`: its `pointer` is the place in the body or the query parameter.",
    ),
    Code(
        "parse_error",
        400,
        "Bad Request",
        "The body is not JSON that this API accepts.",
        "Send UTF-8 JSON without duplicate keys, exponents, NaN or deep nesting; `detail` describes the problem.",
    ),
    Code(
        "bad_request",
        400,
        "Bad Request",
        "The request could not be understood.",
        "Check the host name, the headers (a body needs `Content-Length`) and the encoding of the URL.",
    ),
    Code(
        "bad_signature",
        400,
        "Bad Request",
        "The webhook’s signature is not valid for this shop, or it is too old.",
        "Sign the raw body with the shared secret, and send it within 5 minutes.",
    ),
    Code(
        "not_authenticated",
        401,
        "Unauthorized",
        "The request has no token, and this endpoint requires one.",
        NEW_TOKEN,
    ),
    Code(
        "authentication_failed",
        401,
        "Unauthorized",
        "The Authorization header must be `Bearer` followed by a token.",
        NEW_TOKEN,
    ),
    Code(
        "invalid_token",
        401,
        "Unauthorized",
        "The token is unknown or was revoked, for example by a change of password.",
        NEW_TOKEN,
    ),
    Code("token_expired", 401, "Unauthorized", "The token has expired.", NEW_TOKEN),
    Code(
        "insufficient_scope",
        403,
        "Forbidden",
        "The token does not have the scope that `scope` names.",
        "Get a token with that scope from `POST /auth/token` (see `scopes`).",
    ),
    Code(
        "permission_denied",
        403,
        "Forbidden",
        "The account does not have permission to do this.",
        "Use an account with the required permission.",
    ),
    Code(
        "method_not_allowed",
        405,
        "Method Not Allowed",
        "The URL exists, but does not support this method.",
        "Use one of the methods that the `Allow` header lists.",
    ),
    Code(
        "not_acceptable",
        406,
        "Not Acceptable",
        "The API returns JSON, which the Accept header excludes.",
        "Send `Accept: application/json`, or no Accept header.",
    ),
    Code(
        "body_too_large",
        413,
        "Request Entity Too Large",
        "The request body is too large.",
        "Send a smaller body; the limit is 64 KiB.",
    ),
    Code(
        "unsupported_media_type",
        415,
        "Unsupported Media Type",
        "The body’s content type is not JSON; or, for an upload, not `multipart/form-data`.",
        "Send `Content-Type: application/json`, or an upload as `multipart/form-data`.",
    ),
    Code(
        "throttled", 429, "Too Many Requests", "Too many requests in a short time.", WAIT, is_retryable=True
    ),
    Code(
        "server_error",
        500,
        "Internal Server Error",
        "Something went wrong on our side.",
        "Check whether the change was made before you repeat it; contact us with the `request_id`.",
    ),
    Code(
        "unavailable",
        503,
        "Service Unavailable",
        "The shop is not available right now. Nothing was changed.",
        WAIT,
        is_retryable=True,
    ),
    Code(
        "webhook_unavailable",
        503,
        "Service Unavailable",
        "A webhook cannot be verified at the moment. Nothing was changed.",
        WAIT,
        is_retryable=True,
    ),
    Code(
        "database_unavailable",
        503,
        "Service Unavailable",
        "The shop’s database is unavailable. Nothing was changed.",
        WAIT,
        is_retryable=True,
    ),
)


def refusals(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    """The class and all its subclasses, except those defined in tests."""
    yield kind
    for below in kind.__subclasses__():
        if "tests" not in below.__module__.split("."):
            yield from refusals(below)


@cache
def codes_by_name() -> dict[str, Code]:
    """All codes by name; every app must be loaded. If classes share a code, the first one describes it."""
    found = {code.name: code for code in FRAME}
    for kind in refusals():
        status = status_of_class(kind)
        code = Code(kind.code, status, kind.title, meaning_of(kind), kind.remedy, kind.retryable)
        if found.setdefault(kind.code, code).status != status:
            raise ValueError(
                f"{kind.__name__} answers {status}; another refusal uses its code with another status."
            )
    return dict(sorted(found.items()))


def members_by_name() -> dict[str, Mapping[str, Any]]:
    """The JSON schema of each member that some error adds to a problem."""
    found: dict[str, list[Mapping[str, Any]]] = {"scope": [TEXT]}  # of insufficient_scope
    for kind in refusals():
        for name, schema in kind.members.items():
            if schema not in (known := found.setdefault(name, [])):
                known.append(schema)
    return {name: known[0] if len(known) == 1 else {"oneOf": known} for name, known in sorted(found.items())}


def meaning_of(kind: type[DomainError]) -> str:
    """The first line of the docstring, without the status in parentheses; "" if the class has none."""
    line = (kind.__doc__ or "").strip().partition("\n")[0]
    return line.replace(f" ({status_of_class(kind)}).", ".")
