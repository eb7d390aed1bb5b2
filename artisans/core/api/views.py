"""The base of all API views: rate limits, and a POST with an Idempotency-Key runs once."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from artisans.core.api.query import StrictQuery
from artisans.core.idempotency.api import (
    Handler,
    Post,
    Rules,
    as_replay,
    ask_of,
    conclude,
    stored_answer,
    try_to,
)
from artisans.core.idempotency.keys import key_claim, key_release, key_take_over, key_work
from artisans.core.models import IdempotencyState
from artisans.core.requests import api_request
from artisans.core.security.rate_limits import Quota, RateLimited, has_limits, limit_headers, spend_scope

logger = logging.getLogger(__name__)


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
