"""What fails, one after the other, and when it is back."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from scripts.hosts.network import Program
from scripts.hosts.shop import Shop, wait_for


@dataclass(frozen=True)
class Failure:
    """`run` makes something fail and returns once it is back; what it returns is added to the title."""

    title: str
    run: Callable[[Shop], str]


def restart(program: Program, *, after: float) -> None:
    """As a supervisor does, which needs some time to notice."""
    program.kill()
    time.sleep(after)
    program.start()


def pause(program: Program, seconds: float) -> None:
    program.signal(signal.SIGSTOP)
    time.sleep(seconds)
    program.signal(signal.SIGCONT)


def web_server_dies(shop: Shop) -> str:
    restart(shop.webs[0], after=5)
    wait_for(lambda: shop.serves("web1"))
    return ""


def worker_host_dies(shop: Shop) -> str:
    """The one whose beat leads."""
    before = shop.leading_host()
    lost = int(before == "work2")
    started = time.monotonic()
    shop.beats[lost].kill()
    shop.workers[lost].kill()
    wait_for(lambda: shop.leading_host() not in {"", before})
    took = time.monotonic() - started
    shop.workers[lost].start()
    shop.beats[lost].start()
    return f"other beat after {took:.0f} s"


def beat_is_paused(shop: Shop) -> str:
    before = shop.leading_host()
    beat = shop.beats[int(before == "work2")]
    started = time.monotonic()
    beat.signal(signal.SIGSTOP)
    wait_for(lambda: shop.leading_host() not in {"", before})
    took = time.monotonic() - started
    beat.signal(signal.SIGCONT)
    time.sleep(5)  # a chance to lead beside the other one
    if shop.leading_host() == before:
        raise RuntimeError("The beat that was paused leads again.")
    return f"other beat after {took:.0f} s"


def proxy_dies(shop: Shop) -> str:
    restart(shop.proxy, after=3)
    return ""


def pool_dies(shop: Shop) -> str:
    restart(shop.pool, after=3)
    return ""


def queue_dies(shop: Shop) -> str:
    restart(shop.queue, after=5)
    wait_for(shop.queue_answers)
    return ""


def queue_is_paused(shop: Shop) -> str:
    pause(shop.queue, 8)
    return ""


def standby_dies(shop: Shop) -> str:
    restart(shop.standby, after=5)
    wait_for(shop.is_synchronous)
    return ""


def primary_is_paused(shop: Shop) -> str:
    pause(shop.primary, 8)
    return ""


def primary_dies(shop: Shop) -> str:
    """Someone, or a program such as Patroni, decides after some seconds, and makes sure that it does not come back."""
    shop.primary.kill()
    time.sleep(5)
    shop.promote()
    wait_for(lambda: shop.answers("db2"))
    return ""


FAILURES = (
    Failure("a web server is killed, back after 5 s", web_server_dies),
    Failure("worker and leading beat are killed", worker_host_dies),
    Failure("the leading beat hangs", beat_is_paused),
    Failure("the proxy is killed, back after 3 s", proxy_dies),
    Failure("PgBouncer is killed, back after 3 s", pool_dies),
    Failure("Redis is killed, back after 5 s", queue_dies),
    Failure("Redis hangs for 8 s", queue_is_paused),
    Failure("the standby is killed, back after 5 s", standby_dies),
    Failure("the primary hangs for 8 s", primary_is_paused),
    Failure("the primary is killed, the standby promoted after 5 s", primary_dies),
)
