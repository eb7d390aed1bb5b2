"""The base of all API views: rate limits, and idempotent POSTs with an Idempotency-Key."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from artisans.core.api.fields import UUID_PATTERN
from artisans.core.api.query import StrictQuery
from artisans.core.idempotency.api import (
    Handler,
    Post,
    Rules,
    attempt,
    build_key_claim,
    build_stored_response,
    mark_replayed,
    release_earlier,
    store_response,
)
from artisans.core.idempotency.keys import key_claim, key_current, key_reclaim, key_release
from artisans.core.models import IdempotencyState
from artisans.core.requests import api_request
from artisans.core.security.card_data import refuse_card_numbers
from artisans.core.security.rate_limits import Quota, RateLimited, consume_scope, has_limits, limit_headers

logger = logging.getLogger(__name__)


def limited(scope: str) -> Callable[[Post], Post]:
    """Count each request to an action against the limits of a scope, for the principal and for their network.

    Counted before anything else, replays too. Every response reports what remains.
    """
    if not has_limits(scope):
        raise LookupError(f"There is no limit of {scope!r}.")

    def mark(post: Post) -> Post:
        post.limited = scope  # type: ignore[attr-defined]  # functions take attributes
        return post

    return mark


class ApiView(StrictQuery, APIView):
    """Base of all API views, the first base class of a viewset. Unknown query parameters are rejected.

    Views that do not support it (a webhook has its own inbox) set `takes_idempotency_keys` to False.
    """

    takes_idempotency_keys: ClassVar[bool] = True
    lookup_value_regex = UUID_PATTERN
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
        quotas = consume_scope(scope, api_request(request))
        self.add_rate_limit_headers(quotas)
        for quota in quotas:
            if quota.is_exceeded:
                raise RateLimited(quota)

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, RateLimited):
            self.add_rate_limit_headers([error.quota])
        return super().handle_exception(error)

    def add_rate_limit_headers(self, quotas: Iterable[Quota]) -> None:
        """Report what remains of these limits in the response, whatever its status."""
        self.quotas |= {quota.name: quota for quota in quotas}
        self.headers |= limit_headers(self.quotas.values())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Errors: RawCardData for a card number in a query parameter or the Idempotency-Key."""
        refuse_card_numbers([dict(request.query_params.lists()), request.headers.get("Idempotency-Key", "")])
        super().initial(request, *args, **kwargs)
        has_key = request.method == "POST" and "Idempotency-Key" in request.headers
        if has_key and self.takes_idempotency_keys and hasattr(self, "post"):
            self.post = partial(self.post_idempotent, self.post)

    def post_idempotent(self, post: Handler, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Errors: KeyInvalid, KeyInUse, KeyReused."""
        rules: Rules = getattr(post, "idempotency", Rules())
        release_earlier()
        claimed = key_claim(build_key_claim(request, kwargs))
        row = claimed.row
        if row.state == IdempotencyState.DONE:
            return build_stored_response(row, request, rules)
        if not claimed.is_mine:
            answer = rules.replay(request, row.effect) if rules.replay else None
            if answer is not None:
                if row.lease_until <= timezone.now():
                    store_response(row, answer, rules)
                return mark_replayed(answer)
            row = key_reclaim(row)
        try:
            with key_current(row):
                answer = post(request, *args, **kwargs)
        except Exception:
            attempt(key_release, row)
            raise
        store_response(row, answer, rules)
        return answer
