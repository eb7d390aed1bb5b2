import pytest
from django.core.cache.backends.redis import RedisCache

from artisans.core.cache import FailSafeRedisCache

ARGUMENTS = {
    "add": ("key", 1),
    "get": ("key",),
    "set": ("key", 1),
    "touch": ("key",),
    "delete": ("key",),
    "get_many": (["key"],),
    "has_key": ("key",),
    "incr": ("key",),
    "set_many": ({"key": 1},),
    "delete_many": (["key"],),
    "clear": (),
}


@pytest.fixture
def unreachable(monkeypatch):
    monkeypatch.setattr(FailSafeRedisCache, "away_until", 0.0)
    return FailSafeRedisCache("redis://127.0.0.1:1", {})


def test_every_operation_of_the_cache_is_tried_here():
    public = {
        name for name, value in vars(RedisCache).items() if callable(value) and not name.startswith("_")
    }
    assert public - {"get_backend_timeout"} == ARGUMENTS.keys()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_operation_without_a_cache_raises_nothing(unreachable, name):
    assert getattr(unreachable, name)(*ARGUMENTS[name]) in (None, False, {}, 1, ["key"])
