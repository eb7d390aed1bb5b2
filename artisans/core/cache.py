"""A Redis cache that may be unavailable. It only holds counters, flags and lists that can be rebuilt, so without it the
shop keeps working with looser limits.
"""

import logging
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE = 10  # seconds without retrying after a failure, so that a hanging cache does not delay every request
R = TypeVar("R")


class FailSafeRedisCache(RedisCache):
    """While Redis is unavailable, reads find nothing, counters start over and writes are lost."""

    away_until = 0.0

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return self.attempt(super().add, *args, otherwise=True, **kwargs)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self.attempt(super().get, key, default, version, otherwise=default)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self.attempt(super().set, *args, otherwise=None, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return self.attempt(super().delete, *args, otherwise=False, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        return self.attempt(super().incr, *args, otherwise=1, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return self.attempt(super().touch, *args, otherwise=False, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return self.attempt(super().has_key, *args, otherwise=False, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return self.attempt(super().get_many, *args, otherwise={}, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return self.attempt(super().set_many, data, *args, otherwise=list(data), **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> None:
        self.attempt(super().delete_many, *args, otherwise=None, **kwargs)

    @cached_property
    def client(self) -> Any:
        """Kept, because making one takes half as long as counting."""
        return self._cache.get_client(write=True)

    def count(self, lifetimes: Mapping[str, int]) -> list[int]:
        """`count_all` in one round trip: 8% of the CPU time of placing an order."""
        return self.attempt(self._count, lifetimes, otherwise=[1] * len(lifetimes))

    def _count(self, lifetimes: Mapping[str, int]) -> list[int]:
        pipeline = self.client.pipeline(transaction=False)
        for key, seconds in lifetimes.items():
            stored = self.make_and_validate_key(key)
            pipeline.set(stored, 0, ex=seconds, nx=True)
            pipeline.incr(stored)
        counts: list[int] = pipeline.execute()[1::2]
        return counts

    def clear(self) -> None:
        self.attempt(super().clear, otherwise=None)

    def attempt(self, function: Callable[..., R], *args: Any, otherwise: R, **kwargs: Any) -> R:
        if time.monotonic() < FailSafeRedisCache.away_until:
            return otherwise
        try:
            return function(*args, **kwargs)
        except RedisError:
            FailSafeRedisCache.away_until = time.monotonic() + PAUSE
            logger.warning("cache_failed", exc_info=True)
            return otherwise


def count_all(lifetimes: Mapping[str, int]) -> list[int]:
    """Add one to each counter and return the counts. A new counter lives for so many seconds."""
    cache = caches["default"]
    if isinstance(cache, FailSafeRedisCache):
        return cache.count(lifetimes)
    return [count_one(cache, key, seconds) for key, seconds in lifetimes.items()]


def count_one(cache: Any, key: str, seconds: int) -> int:
    cache.add(key, 0, seconds)
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two calls
        return 1
