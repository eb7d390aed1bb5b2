"""Exceptions for every request that can be refused. Only core/api maps them to HTTP responses."""

from collections.abc import Mapping
from typing import Any, ClassVar

TEXT: Mapping[str, Any] = {"type": "string"}
WHOLE_NUMBER: Mapping[str, Any] = {"type": "integer"}


def N_(text: str) -> str:  # noqa: N802  # the name by which tools of translation find such texts
    """Mark a text that is translated where it is shown."""
    return text


class DomainError(Exception):
    """Base class of refused requests.

    `code` is stable, `detail` a plain sentence, `extra` data for the client; `members` has the JSON schema of each of
    its keys, for the API's description. `wait`: seconds after which to try again;
    0 if waiting does not help. The first line of a class's docstring is the meaning of its code at /docs/errors,
    `remedy` what a client can do.
    """

    code = "error"
    title = N_("Something went wrong")
    retryable = False
    wait = 0
    members: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    remedy = "See `detail`; if that does not help, contact us with the `request_id`."

    def __init__(self, detail: str, *, extra: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra or {}


class InvalidInput(DomainError):
    """The request is invalid regardless of any state (400)."""

    code = "invalid_input"
    title = N_("The request is not valid")
    remedy = "Correct what `detail` describes and send the request again."


class Forbidden(DomainError):
    """The caller may see the object but not do this (403)."""

    code = "forbidden"
    title = N_("You are not allowed to do this")
    remedy = "Use an account with the required permission."


class NotFound(DomainError):
    """The object does not exist or belongs to someone else (404)."""

    code = "not_found"
    title = N_("Not found")
    remedy = "Check the id, and that the request has the token of the object’s owner."


class LinkRevoked(DomainError):
    """The link or object existed and was revoked (410)."""

    code = "gone"
    title = N_("Gone")
    remedy = "Do not retry; request a new link where the old one came from."


class Conflict(DomainError):
    """The request is valid but conflicts with the current state (409)."""

    code = "conflict"
    title = N_("Not possible in the current state")
    remedy = "Fetch the object again and choose an action that its current state allows."


class UnprocessableContent(DomainError):
    """The request contradicts an earlier one with the same key (422)."""

    code = "contradicts_earlier"
    title = N_("This contradicts an earlier request")
    remedy = "Send the same values as before, or use a new key."


class TooManyRequests(DomainError):
    """Too many requests, or too much is reserved already (429)."""

    code = "too_many"
    title = N_("Limit reached")
    remedy = "Wait, or release some of what is reserved, then try again."


class Declined(DomainError):
    """The payment provider declined the payment (402)."""

    code = "declined"
    title = N_("The payment was declined")
    remedy = "Ask the buyer for another card or payment method."


class ServiceUnavailable(DomainError):
    """A service that the shop depends on does not respond; try again later (503)."""

    code = "not_now"
    title = N_("Temporarily unavailable")
    remedy = "Try again in a moment."
    retryable = True


class IllegalTransition(Conflict):
    """The status `new` may not follow `old`."""

    code = "illegal_transition"
    remedy = "Fetch the object again; /docs/statuses lists the allowed transitions."
    members = {"old": TEXT, "new": TEXT}

    def __init__(self, *, old: str, new: str) -> None:
        super().__init__(
            f"A change from {old} to {new} is not possible.",  # not for translation: names two codes
            extra={"old": old, "new": new},
        )
