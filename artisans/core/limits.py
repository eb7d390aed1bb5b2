"""How often one network, person or address may do a thing. Counted in the cache that all processes share."""

import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from artisans.core.errors import TooMany
from artisans.core.network import client_address


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` times in each window of `seconds`."""

    count: int
    seconds: int


LIMITS = {
    "login_network": Limit(30, 300),
    "login_account": Limit(10, 300),
    "register": Limit(10, 3600),
    "guest_checkout": Limit(10, 3600),
    "find_order_network": Limit(20, 3600),
    "find_order_address": Limit(5, 3600),
}


class RateLimited(TooMany):
    """Too many tries from one network, account or address.

    `wait`: seconds until the window ends.
    """

    code = "rate_limited"
    retryable = True
    way_out = "Wait as many seconds as `Retry-After` says, then send the same request again."

    def __init__(self, wait: int) -> None:
        super().__init__(
            f"Too many tries; try again in {wait} seconds. Nothing was changed or charged.",
            extra={"retry_after": wait},
        )
        self.wait = wait


def count(scope: str, *who: str) -> None:
    """Count one try of `who` (kept as a keyed hash only). Errors: RateLimited beyond the limit."""
    limit = LIMITS[scope]
    window, passed = divmod(int(time.time()), limit.seconds)
    name = salted_hmac("core.limits", "|".join(who), algorithm="sha256").hexdigest()[:32]
    key = f"limit:{scope}:{name}:{window}"
    cache.add(key, 0, limit.seconds + 1)
    try:
        tries = cache.incr(key)
    except ValueError:  # the window ended between the two lines
        tries = 1
    if tries > limit.count * settings.RATE_LIMIT_FACTOR:
        raise RateLimited(limit.seconds - passed)


def count_network(scope: str, request: HttpRequest) -> None:
    count(scope, client_address(request))
