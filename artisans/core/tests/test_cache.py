import os
import re
import socket
import threading

import pytest
from django.core.cache.backends.redis import RedisCache

from artisans.core.cache import FailSafeRedisCache, count_all

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


def test_counters_are_counted_in_one_round_trip_and_start_over_without_a_cache(unreachable):
    assert unreachable.count({"a": 5, "b": 5}) == [1, 1]


def test_cache_that_ends_between_request_and_answer_starts_the_counters_over(monkeypatch):
    monkeypatch.setattr(FailSafeRedisCache, "away_until", 0.0)
    received = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def read_and_close():
            with server.accept()[0] as connection:
                received.append(connection.recv(4096))

        thread = threading.Thread(target=read_and_close)
        thread.start()
        url = f"redis://127.0.0.1:{server.getsockname()[1]}"
        cache = FailSafeRedisCache(url, {"OPTIONS": {"socket_timeout": 5, "retry": None}})

        assert cache.count({"a": 5, "b": 5}) == [1, 1]

        thread.join()
    assert received[0]
    assert FailSafeRedisCache.away_until > 0


@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # of Python 3.12 and later, if there are threads
def test_forked_process_opens_a_connection_of_its_own(monkeypatch):
    """Otherwise both would read each other's answers."""
    monkeypatch.setattr(FailSafeRedisCache, "away_until", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_all, args=(server,), daemon=True).start()
        url = f"redis://127.0.0.1:{server.getsockname()[1]}?protocol=2"
        cache = FailSafeRedisCache(url, {"OPTIONS": {"socket_timeout": 5, "retry": None}})
        assert cache.count({"a": 5}) == [101]
        if (child := os.fork()) == 0:
            os._exit(cache.count({"a": 5})[0])
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 102
        assert cache.count({"a": 5}) == [101]


def answer_all(server: socket.socket) -> None:
    """As a Redis whose counters have the number of the connection, from 101 on."""

    def answer(connection: socket.socket, number: int) -> None:
        while received := connection.recv(4096):
            for command in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", received):
                connection.sendall(b":%d\r\n" % number if command.startswith(b"INCR") else b"+OK\r\n")

    for number in range(101, 104):
        threading.Thread(target=answer, args=(server.accept()[0], number), daemon=True).start()


def test_other_caches_count_too():
    assert [count_all({"first": 5, "second": 5}), count_all({"first": 5})] == [[1, 1], [2]]


def test_every_operation_of_the_cache_is_tried_here():
    public = {
        name for name, value in vars(RedisCache).items() if callable(value) and not name.startswith("_")
    }
    assert public - {"get_backend_timeout"} == ARGUMENTS.keys()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_operation_without_a_cache_raises_nothing(unreachable, name):
    assert getattr(unreachable, name)(*ARGUMENTS[name]) in (None, False, {}, 1, ["key"])
