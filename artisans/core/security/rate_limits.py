"""How often one network, person or address may do a thing. Counted in the cache that all processes share."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from artisans.core.errors import TooMany
from artisans.core.security.client_ip import client_line
from artisans.core.security.principals import is_known, principal_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` times in each window of `seconds`."""

    count: int
    seconds: int


# A name ends with who is counted; `limited` counts all of a scope's "_principal" and "_network".
LIMITS = {
    "login_network": Limit(30, 300),
    "login_account": Limit(10, 300),
    "second_factor_account": Limit(5, 300),
    "register_network": Limit(10, 3600),
    "guest_checkout": Limit(10, 3600),
    "find_order_network": Limit(20, 3600),
    "find_order_address": Limit(5, 3600),
    "carts_principal": Limit(60, 600),
    "carts_network": Limit(300, 600),
    "checkout_principal": Limit(30, 600),
    "checkout_network": Limit(120, 600),
    "intents_principal": Limit(30, 600),
    "intents_network": Limit(120, 600),
    "confirms_principal": Limit(10, 600),  # stolen cards are tried in rows; who pays tries a few
    "confirms_network": Limit(30, 600),
    "methods_principal": Limit(10, 3600),
    "methods_network": Limit(30, 3600),
    "refunds_principal": Limit(60, 600),
    "refunds_network": Limit(240, 600),
    "webhook_refused": Limit(30, 300),
}


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit in its present window. `used` goes on beyond `count`; `wait`: seconds until the window ends."""

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


class RateLimited(TooMany):
    """Too many tries from one network, account or address.

    `wait`: seconds until the window ends.
    """

    code = "rate_limited"
    retryable = True
    way_out = "Wait as many seconds as `Retry-After` says, then send the same request again."

    def __init__(self, quota: Quota) -> None:
        super().__init__(
            f"Too many tries; try again in {quota.wait} seconds. Nothing was changed or charged.",
            extra={"retry_after": quota.wait},
        )
        self.quota, self.wait = quota, quota.wait


def spend(name: str, *who: str) -> Quota:
    """Count one try of `who` (kept as a keyed hash only), and say what is left."""
    limit = LIMITS[name]
    window, passed = divmod(int(time.time()), limit.seconds)
    digest = salted_hmac("core.limits", "|".join(who), algorithm="sha256").hexdigest()[:32]
    key = f"limit:{name}:{digest}:{window}"
    cache.add(key, 0, limit.seconds + 1)
    try:
        used = cache.incr(key)
    except ValueError:  # the window ended between the two lines
        used = 1
    most = limit.count * settings.RATE_LIMIT_FACTOR
    if used == most + 1:
        logger.warning("rate_limited", extra={"limit": name})  # once per window: worth a look, not a flood
    return Quota(name, most, limit.seconds, used, limit.seconds - passed)


def count(name: str, *who: str) -> None:
    """Count one try of `who`. Errors: RateLimited beyond the limit."""
    quota = spend(name, *who)
    if quota.is_exceeded:
        raise RateLimited(quota)


def count_network(name: str, request: HttpRequest) -> None:
    count(name, client_line(request))


def spend_scope(scope: str, request: HttpRequest) -> list[Quota]:
    """Count one try against each limit of a scope. Who holds nothing is counted by network only."""
    principal = principal_text(request)
    counted = [(f"{scope}_network", client_line(request))]
    if is_known(principal):
        counted.append((f"{scope}_principal", principal))
    return [spend(name, who) for name, who in counted if name in LIMITS]


def has_limits(scope: str) -> bool:
    return bool({f"{scope}_network", f"{scope}_principal"} & LIMITS.keys())


def limit_headers(quotas: Iterable[Quota]) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers writes them (structured fields)."""
    quotas = list(quotas)
    return {
        "RateLimit-Policy": ", ".join(
            f'"{quota.name}";q={quota.count};w={quota.seconds}' for quota in quotas
        ),
        "RateLimit": ", ".join(f'"{quota.name}";r={quota.left};t={quota.wait}' for quota in quotas),
    }
