"""The `@idempotent` decorator: stores the response to a POST and returns it to repeated requests."""

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import DatabaseError
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.core.idempotency.keys import (
    KeyClaim,
    fingerprints_of,
    key_release,
    key_store,
)
from artisans.core.models import IdempotencyKey
from artisans.core.requests import api_request
from artisans.core.security.principals import principal_text

logger = logging.getLogger(__name__)

CREDENTIALS = frozenset({"token", "access_token", "client_secret"})
KEPT_HEADERS = ("Cache-Control", "ETag", "Location")

# Keys that this process could not release while the database was unavailable.
unreleased: deque[IdempotencyKey] = deque(maxlen=1000)

Handler = Callable[..., Response]
Replay = Callable[[Request, str], Response | None]
Secrets = Callable[[Request, Any], Mapping[str, Any]]
Post = TypeVar("Post", bound=Handler)


@dataclass(frozen=True, slots=True)
class Rules:
    """How repeated requests with the same key are answered; see `idempotent`."""

    replay: Replay | None = None
    secrets: Secrets | None = None
    secret_fields: frozenset[str] = CREDENTIALS


def idempotent(
    *, replay: Replay | None = None, secrets: Secrets | None = None, secret_fields: tuple[str, ...] = ()
) -> Callable[[Post], Post]:
    """Configure how a repeated POST is answered.

    `replay(request, reference)`: the response for a recorded effect whose first response was not stored; the first
    request may still be running. Without it, or if it returns None, the work runs again once the lease has expired.
    `secret_fields`: names of further fields, at any depth of a response, that are never stored, like `CREDENTIALS`.
    `secrets(request, body)`: their values for a stored response, by name. Without it, a response with such a value is
    not stored: a repeated request is answered by `replay` or runs again.
    """
    rules = Rules(replay, secrets, CREDENTIALS | frozenset(secret_fields))

    def mark(post: Post) -> Post:
        post.idempotency = rules  # type: ignore[attr-defined]  # functions take attributes
        return post

    return mark


def build_key_claim(request: Request, kwargs: Mapping[str, Any]) -> KeyClaim:
    plain = api_request(request)
    view_name = getattr(plain.resolver_match, "view_name", "")
    address = {name: str(value).lower() for name, value in kwargs.items()}
    return KeyClaim(
        principal=principal_text(plain),
        route=f"{request.method} {view_name}",
        key=request.headers["Idempotency-Key"],
        fingerprints=fingerprints_of(address, request.query_params.dict(), request.data),
    )


def store_response(row: IdempotencyKey, answer: Response, rules: Rules) -> None:
    """Store a successful response without its secrets; any other releases the key, or keeps its effect for replay."""
    text = JSONRenderer().render(answer.data).decode() if answer.data is not None else ""
    body = json.loads(text) if text else None
    kept = replace_fields(body, rules.secret_fields)
    is_good = status.is_success(answer.status_code)
    if not is_good or (kept != body and rules.secrets is None):
        attempt(key_release, row)
        return
    headers = {name: answer[name] for name in KEPT_HEADERS if name in answer}
    text = json.dumps(kept, ensure_ascii=False) if text else ""
    attempt(partial(key_store, status_code=answer.status_code, body=text, headers=headers), row)


def build_stored_response(row: IdempotencyKey, request: Request, rules: Rules) -> Response:
    body = json.loads(row.body) if row.body else None
    if rules.secrets is not None:
        body = restore_fields(body, rules.secrets(request, body))
    return mark_replayed(Response(body, status=row.status_code, headers=row.headers))


def mark_replayed(answer: Response) -> Response:
    answer["Idempotent-Replayed"] = "true"
    return answer


def attempt(end: Callable[[IdempotencyKey], None], row: IdempotencyKey) -> None:
    """The work is done, so the client gets its response even if the database is unavailable now."""
    try:
        end(row)
    except DatabaseError:
        logger.exception("idempotency_key_not_ended", extra={"route": row.route})
        if end is key_release:
            unreleased.append(row)


def release_earlier() -> None:
    """Release what could not be released before: clients that repeat their requests would wait for the lease."""
    for _each in range(len(unreleased)):
        attempt(key_release, unreleased.popleft())


def replace_fields(value: Any, fields: frozenset[str]) -> Any:
    """The JSON value with null in these fields, at any depth."""
    if isinstance(value, dict):
        return {k: None if k in fields else replace_fields(v, fields) for k, v in value.items()}
    if isinstance(value, list):
        return [replace_fields(inner, fields) for inner in value]
    return value


def restore_fields(value: Any, secrets: Mapping[str, Any]) -> Any:
    """The reverse of replace_fields."""
    if isinstance(value, dict):
        return {k: secrets.get(k) if v is None else restore_fields(v, secrets) for k, v in value.items()}
    if isinstance(value, list):
        return [restore_fields(inner, secrets) for inner in value]
    return value
