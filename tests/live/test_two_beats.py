"""Two beats as real processes: one enqueues, and the other takes over when it dies or hangs."""

import json
import signal
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from artisans.core.leases import lease_holder
from artisans.core.models import BEAT_LEASE
from tests.live.runner import Process, Shop, wait_for

pytestmark = [
    pytest.mark.crash,
    pytest.mark.postgresql,
    pytest.mark.usefixtures("postgres_only", "clean_database"),
]


@pytest.fixture
def shop(postgres_only, production, broker) -> Iterator[Shop]:
    env = {"CELERY_BROKER_URL": f"{broker}/9", "BEAT_LEASE_SECONDS": "2", "MAIL_POLL_SECONDS": "1"}
    with production(**env) as shop:
        yield shop


@pytest.fixture
def beats(shop: Shop) -> Iterator[list[Process]]:
    command = "celery -A artisans beat --loglevel INFO"
    beats = [shop.process(f"beat{n}", command, lambda _: "") for n in range(2)]
    try:
        yield beats
    finally:
        for beat in beats:
            beat.kill()


class Queue:
    """What was enqueued; nobody takes it."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url)
        self.redis.flushdb()

    def senders(self) -> list[int]:
        """The processes that have enqueued something since the last time."""
        texts = [text for name in ("mail", "default") for text in self.redis.lrange(name, 0, -1)]
        self.redis.flushdb()
        origins = [json.loads(text)["headers"]["origin"] for text in texts]
        return [int(origin.partition("@")[0].removeprefix("gen")) for origin in origins]


def next_leader(*, after: str = "") -> str:
    def found() -> str:
        holder = lease_holder(BEAT_LEASE)
        return "" if holder == after else holder

    return wait_for(found)


def test_two_beats(shop: Shop, beats: list[Process], broker: str):
    queue = Queue(f"{broker}/9")
    for beat in beats:
        beat.launch()

    def sender() -> Process:
        (pid,) = set(wait_for(queue.senders))
        return next(beat for beat in beats if beat.process and beat.process.pid == pid)

    first = next_leader()
    paused = sender()
    paused.signal(signal.SIGSTOP)
    queue.senders()
    second = next_leader(after=first)
    other = sender()
    assert other is not paused

    paused.signal(signal.SIGCONT)
    time.sleep(2)  # each second something is due
    late = [pid for pid in queue.senders() if pid == paused.process.pid]
    assert len(late) <= 1, "it enqueues beside the new leader"

    other.kill()
    assert next_leader(after=second) == first
    assert sender() is paused
    paused.stop()
    assert lease_holder(BEAT_LEASE) == ""
