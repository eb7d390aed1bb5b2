"""A slow provider in a shop as `make run` starts it: on SQLite, with queues in files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import database_url
from tests.live.runner import Sandbox, Shop
from tests.live.test_slow_provider import check_that_nobody_waits, provider

__all__ = ["provider"]
pytestmark = [pytest.mark.alone_sqlite, pytest.mark.usefixtures("clean_database")]


@pytest.fixture(scope="module")
def shop(database, static_files, sandbox: Sandbox, tmp_path_factory) -> Iterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("small")
    env = {"CELERY_BROKER_URL": f"filesystem://{folder / 'broker'}", "MAIL_POLL_SECONDS": "20"}
    env |= {"MAX_OPEN_ORDERS": "1000"} | sandbox.env
    with Shop(folder, database_url(), env, is_demo=True) as shop:
        sandbox.tell(shop)
        shop.start()
        shop.mailer.start()
        yield shop


def test_slow_provider_delays_neither_mails_nor_deadlines_on_sqlite(caller, buyers, provider):
    check_that_nobody_waits(caller, buyers, provider)
