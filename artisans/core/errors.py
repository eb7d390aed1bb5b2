"""Everything that can be refused, as exceptions that state the fact. HTTP knows them in core/api.py only."""

from typing import Any


class DomainError(Exception):
    """Base of all refusals. `code` is stable, `detail` a plain sentence, `extra` data for the client.

    `wait`: seconds after which it makes sense to ask again; 0 when waiting does not help.
    """

    code = "error"
    title = "Something went wrong"
    retryable = False
    wait = 0

    def __init__(self, detail: str, *, extra: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra or {}


class InvalidInput(DomainError):
    """The request cannot be right, whatever the state (400)."""

    code = "invalid_input"
    title = "The request is not valid"


class Forbidden(DomainError):
    """The caller may see the thing but not do this (403)."""

    code = "forbidden"
    title = "You may not do this"


class Missing(DomainError):
    """Not there, or not yours: the same answer (404)."""

    code = "not_found"
    title = "Not found"


class Gone(DomainError):
    """It was there and was taken away on purpose (410)."""

    code = "gone"
    title = "Gone"


class Conflict(DomainError):
    """The request was fine, the present state refuses it (409)."""

    code = "conflict"
    title = "This cannot be done now"


class ContradictsEarlier(DomainError):
    """It does not fit what was sent before under the same name (422)."""

    code = "contradicts_earlier"
    title = "This does not fit an earlier request"


class TooMany(DomainError):
    """Asked too often, or too much is held already (429)."""

    code = "too_many"
    title = "Too many"


class Declined(DomainError):
    """The payment provider said no to this try (402)."""

    code = "declined"
    title = "The payment was refused"


class NotNow(DomainError):
    """Somebody whom we need does not answer; later it works (503)."""

    code = "not_now"
    title = "Not possible at this moment"
    retryable = True


class IllegalTransition(Conflict):
    code = "illegal_transition"

    def __init__(self, *, old: str, new: str) -> None:
        super().__init__(f"A change from {old} to {new} is not possible.", extra={"old": old, "new": new})
