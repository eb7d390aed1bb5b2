"""What every view of the API stands on: limits on tries, and a POST with an Idempotency-Key runs once."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar

from django.db import DatabaseError
from django.utils import timezone
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from artisans.core.api import api_request
from artisans.core.idempotency import (
    Ask,
    fingerprints_of,
    key_claim,
    key_release,
    key_store,
    key_take_over,
    key_work,
)
from artisans.core.limits import Quota, RateLimited, has_limits, limit_headers, spend_scope
from artisans.core.models import IdempotencyKey, IdempotencyState
from artisans.core.principals import principal_text
from artisans.core.query import StrictQuery

logger = logging.getLogger(__name__)

CREDENTIALS = frozenset({"token", "access_token", "client_secret"})
KEPT_HEADERS = ("Cache-Control", "ETag", "Location")

Handler = Callable[..., Response]
Replay = Callable[[Request, str], Response | None]
Secrets = Callable[[Request, Any], Mapping[str, Any]]
Post = TypeVar("Post", bound=Handler)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a POST behaves when it is sent again under its key; see `idempotent`."""

    replay: Replay | None = None
    secrets: Secrets | None = None
    secret_fields: frozenset[str] = CREDENTIALS


def idempotent(
    *, replay: Replay | None = None, secrets: Secrets | None = None, secret_fields: tuple[str, ...] = ()
) -> Callable[[Post], Post]:
    """Say how a POST is answered again.

    `replay(request, reference)`: the answer for a recorded effect whose first answer was not stored. The first try may
    still run beside it. Without it, or when it gives None, the work runs again once the lease is over.
    `secret_fields`: names, beside `CREDENTIALS`, whose values are never stored, wherever they stand in an answer.
    `secrets(request, body)`: their values for a stored answer, by name. Without it an answer with such a value is not
    stored: the next try is answered by `replay`, or runs again.
    """
    rules = Rules(replay, secrets, CREDENTIALS | frozenset(secret_fields))

    def mark(post: Post) -> Post:
        post.idempotency = rules  # type: ignore[attr-defined]  # functions take attributes
        return post

    return mark


def limited(scope: str) -> Callable[[Post], Post]:
    """Count each request to an action against the limits of a scope, for who sends it and for his network.

    It is counted before anything else is done, replays too. All answers say what is left.
    """
    if not has_limits(scope):
        raise LookupError(f"There is no limit of {scope!r}.")

    def mark(post: Post) -> Post:
        post.limited = scope  # type: ignore[attr-defined]  # functions take attributes
        return post

    return mark


class ApiView(StrictQuery, APIView):
    """Base of all views of the API, first in the line of bases of a viewset. Unknown parameters are refused.

    A view that cannot promise it (a webhook has its own inbox) sets `takes_idempotency_keys` to False.
    """

    takes_idempotency_keys: ClassVar[bool] = True
    post: Handler

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.quotas: dict[str, Quota] = {}

    def check_throttles(self, request: Request) -> None:
        """Errors: RateLimited."""
        super().check_throttles(request)
        action = getattr(self, str(request.method).lower(), None)
        scope = getattr(action, "limited", "")
        if not scope:
            return
        quotas = spend_scope(scope, api_request(request))
        self.tell(quotas)
        for quota in quotas:
            if quota.is_exceeded:
                raise RateLimited(quota)

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, RateLimited):
            self.tell([error.quota])
        return super().handle_exception(error)

    def tell(self, quotas: Iterable[Quota]) -> None:
        """Say in the answer, whatever it becomes, what is left of these limits."""
        self.quotas |= {quota.name: quota for quota in quotas}
        self.headers |= limit_headers(self.quotas.values())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        has_key = request.method == "POST" and "Idempotency-Key" in request.headers
        if has_key and self.takes_idempotency_keys and hasattr(self, "post"):
            self.post = partial(self.post_once, self.post)

    def post_once(self, post: Handler, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Errors: KeyInvalid, KeyInUse, KeyReused."""
        rules: Rules = getattr(post, "idempotency", Rules())
        turn = key_claim(ask_of(request, kwargs))
        row = turn.row
        if row.state == IdempotencyState.DONE:
            return stored_answer(row, request, rules)
        if not turn.is_mine:
            answer = rules.replay(request, row.effect) if rules.replay else None
            if answer is not None:
                if row.lease_until <= timezone.now():
                    conclude(row, answer, rules)
                return as_replay(answer)
            row = key_take_over(row)
        try:
            with key_work(row):
                answer = post(request, *args, **kwargs)
        except Exception:
            try_to(key_release, row)
            raise
        conclude(row, answer, rules)
        return answer


def ask_of(request: Request, kwargs: Mapping[str, Any]) -> Ask:
    plain = api_request(request)
    view_name = getattr(plain.resolver_match, "view_name", "")
    address = {name: str(value).lower() for name, value in kwargs.items()}
    return Ask(
        principal=principal_text(plain),
        route=f"{request.method} {view_name}",
        key=request.headers["Idempotency-Key"],
        fingerprints=fingerprints_of(address, request.query_params.dict(), request.data),
    )


def conclude(row: IdempotencyKey, answer: Response, rules: Rules) -> None:
    """Store a good answer without its secrets; after any other the key is free, or waits with its effect."""
    text = JSONRenderer().render(answer.data).decode() if answer.data is not None else ""
    body = json.loads(text) if text else None
    kept = without(body, rules.secret_fields)
    is_good = status.is_success(answer.status_code)
    if not is_good or (kept != body and rules.secrets is None):
        try_to(key_release, row)
        return
    headers = {name: answer[name] for name in KEPT_HEADERS if name in answer}
    text = json.dumps(kept, ensure_ascii=False) if text else ""
    try_to(partial(key_store, status_code=answer.status_code, body=text, headers=headers), row)


def stored_answer(row: IdempotencyKey, request: Request, rules: Rules) -> Response:
    body = json.loads(row.body) if row.body else None
    if rules.secrets is not None:
        body = filled(body, rules.secrets(request, body))
    return as_replay(Response(body, status=row.status_code, headers=row.headers))


def as_replay(answer: Response) -> Response:
    answer["Idempotent-Replayed"] = "true"
    return answer


def try_to(end: Callable[[IdempotencyKey], None], row: IdempotencyKey) -> None:
    """The work is done and the client gets its answer, even when the database went away just now."""
    try:
        end(row)
    except DatabaseError:
        logger.exception("idempotency_key_not_ended", extra={"route": row.route})


def without(value: Any, fields: frozenset[str]) -> Any:
    """The JSON value with null in place of what those fields hold, at any depth."""
    if isinstance(value, dict):
        return {k: None if k in fields else without(v, fields) for k, v in value.items()}
    if isinstance(value, list):
        return [without(inner, fields) for inner in value]
    return value


def filled(value: Any, secrets: Mapping[str, Any]) -> Any:
    """The other way round."""
    if isinstance(value, dict):
        return {k: secrets.get(k) if v is None else filled(v, secrets) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(inner, secrets) for inner in value]
    return value
