"""Rate limits (settings.RATE_LIMITS) by network, person or address, counted in the shared cache."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext

from artisans.core.cache import count_all
from artisans.core.errors import WHOLE_NUMBER, TooManyRequests
from artisans.core.security.client_ip import client_line
from artisans.core.security.principals import is_known, principal_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit in its current window. `used` may exceed `count`; `wait`: seconds until the window ends."""

    name: str
    count: int
    seconds: int
    used: int
    wait: int

    @property
    def left(self) -> int:
        return max(0, self.count - self.used)

    @property
    def is_exceeded(self) -> bool:
        return self.used > self.count


class RateLimited(TooManyRequests):
    """Too many requests from one network, account or address.

    `wait`: seconds until the window ends.
    """

    code = "rate_limited"
    retryable = True
    remedy = "Wait for the seconds in `Retry-After`, then send the same request again."
    members = {"retry_after": WHOLE_NUMBER}

    def __init__(self, quota: Quota) -> None:
        super().__init__(
            ngettext(
                "Too many requests. Try again in %(wait)s second. Nothing was changed or charged.",
                "Too many requests. Try again in %(wait)s seconds. Nothing was changed or charged.",
                quota.wait,
            )
            % {"wait": quota.wait},
            extra={"retry_after": quota.wait},
        )
        self.quota, self.wait = quota, quota.wait


def consume(name: str, *who: str) -> Quota:
    """Count one request of `who` (stored only as a keyed hash) and return the quota."""
    return consume_all({name: "|".join(who)})[0]


def consume_all(counted: Mapping[str, str]) -> list[Quota]:
    """Count one request against each of these limits. `counted`: who is counted, by name of the limit."""
    now = int(time.time())
    lifetimes = {}
    for name, who in counted.items():
        seconds = settings.RATE_LIMITS[name][1]
        digest = salted_hmac("core.limits", who, algorithm="sha256").hexdigest()[:32]
        lifetimes[f"limit:{name}:{digest}:{now // seconds}"] = seconds + 1
    return [quota_of(name, used, now) for name, used in zip(counted, count_all(lifetimes), strict=True)]


def quota_of(name: str, used: int, now: int) -> Quota:
    count, seconds = settings.RATE_LIMITS[name]
    most = count * settings.RATE_LIMIT_FACTOR
    if used == most + 1:
        logger.warning("rate_limited", extra={"limit": name})  # once per window, to keep the log short
    return Quota(name, most, seconds, used, seconds - now % seconds)


def count(name: str, *who: str) -> None:
    """Count one request of `who`. Errors: RateLimited beyond the limit."""
    quota = consume(name, *who)
    if quota.is_exceeded:
        raise RateLimited(quota)


def count_network(name: str, request: HttpRequest) -> None:
    count(name, client_line(request))


def consume_scope(scope: str, request: HttpRequest) -> list[Quota]:
    """Count one request against each limit of a scope. Anonymous clients are counted by network only."""
    principal = principal_text(request)
    counted = {f"{scope}_network": client_line(request)}
    if is_known(principal):
        counted[f"{scope}_principal"] = principal
    return consume_all({name: who for name, who in counted.items() if name in settings.RATE_LIMITS})


def has_limits(scope: str) -> bool:
    return bool({f"{scope}_network", f"{scope}_principal"} & settings.RATE_LIMITS.keys())


def limit_headers(quotas: Iterable[Quota]) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit` headers of draft-ietf-httpapi-ratelimit-headers (structured fields)."""
    quotas = list(quotas)
    return {
        "RateLimit-Policy": ", ".join(
            f'"{quota.name}";q={quota.count};w={quota.seconds}' for quota in quotas
        ),
        "RateLimit": ", ".join(f'"{quota.name}";r={quota.left};t={quota.wait}' for quota in quotas),
    }
