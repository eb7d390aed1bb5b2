"""`make run` starts a process again that ends by itself, and gives up when it ends again and again."""

import signal
from collections.abc import Iterator

import pytest

from scripts import run


@pytest.fixture
def shop(monkeypatch) -> Iterator[run.Shop]:
    """One process, which ends at once; the shop is open already."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(run, "PROCESSES", {"worker": "echo at work"})
    shop = run.Shop({"PORT": "1", "SANDBOX_PORT": "2", "PATH": "/usr/bin:/bin"})
    shop.is_open = True
    yield shop
    for number, handler in before.items():
        signal.signal(number, handler)


def test_process_that_ends_is_started_again_a_limited_number_of_times(shop, capsys):
    with pytest.raises(run.Failure, match="its worker process ended"):
        shop.loop()
    assert capsys.readouterr().out.count("at work") == 1 + run.RESTARTS


def test_process_that_ends_while_the_shop_starts_is_not_started_again(shop, capsys):
    shop.is_open = False
    with pytest.raises(run.Failure, match="its worker process ended"):
        shop.loop()
    assert sum("at work" in line for line in shop.last_lines) == 1
