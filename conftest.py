"""People, a store and clients for all tests. The network is off; money and stock are checked after every test."""

import gc
import os
import shutil
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from django.template import engines
from django.test import Client
from rest_framework.test import APIClient

from artisans.accounts.models import User
from artisans.accounts.tests.sign_in import api_client, browser_client
from artisans.catalog.models import Product
from artisans.core.append_only import create_triggers
from artisans.notifications.services import notifications_send_due
from orders.models import StoreRules
from tests import answer_keys, rows
from tests.append_only import deleting
from tests.checkout_client import CheckoutClient
from tests.invariants import check_invariants_after_writes, note_writes, writes

gc.disable()  # until all tests are collected, which leaves no garbage: 40 % of the time of that
hypothesis.settings.register_profile("shop", deadline=None)  # a slow machine is not a failure
hypothesis.settings.load_profile("shop")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-with-database",
        action="store_true",
        help="Leave out tests that use no database, and those marked `once`.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests without a database have the same result on each one, so `make test` runs them once; also those marked
    `once`, about permissions, forms, words and how pages follow each other: other tests open every page on PostgreSQL,
    and call what the pages call."""
    if config.getoption("only_with_database"):
        keep_only(lambda item: uses_database(item) and not item.get_closest_marker("once"), config, items)
    if connection.vendor != "postgresql":
        keep_only(lambda item: not item.get_closest_marker("postgresql"), config, items)


def keep_only(
    is_wanted: Callable[[pytest.Item], bool], config: pytest.Config, items: list[pytest.Item]
) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = filter(is_wanted, items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Freeze modules and tests, which live until the end, so that the garbage collector does not traverse them, and
    let it run less often: 8 % of the time of the tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def uses_database(item: pytest.Item) -> bool:
    names = {*getattr(item, "fixturenames", ())}
    return bool(item.get_closest_marker("django_db") or names & {"db", "transactional_db", "module_db"})


@pytest.fixture(autouse=True, scope="session")
def network_off() -> Iterator[None]:
    """Only this machine can be reached: a test that connects elsewhere fails."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not ip_address(address[0]).is_loopback:
            raise AssertionError(f"A test tried to reach {address}.")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


@pytest.fixture(autouse=True, scope="session")
def flush_past_triggers() -> Iterator[None]:
    """Tests with real commits flush the tables, which append-only triggers would otherwise refuse."""
    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_all(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with deleting():
            flush(self, sql_list)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_all)
        yield


@pytest.fixture(autouse=True, scope="session")
def documented_answers() -> Iterator[None]:
    """What the API answers in any test has the keys that its description promises."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(APIClient, "request", answer_keys.request)
        yield


@pytest.fixture(autouse=True)
def invariants(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check the books after each test that uses the database; tests that break them use `broken_books`."""
    if not uses_database(request.node):
        yield
        return
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    has_commits = not connection.in_atomic_block
    cache.clear()
    before = writes.is_seen, writes.is_searched
    note_writes(also_unseen=has_commits)  # other threads and processes write too
    yield
    if "broken_books" not in request.fixturenames and not connection.needs_rollback:
        check_invariants_after_writes()
        before = False, False
    writes.is_seen, writes.is_searched = before  # the test's own writes are rolled back


@pytest.fixture(scope="session")
def live_server(django_db_setup, live_server):
    """Starts once the test database exists; before, SQLite would use and share an in-memory database."""
    return live_server


@pytest.fixture
def broken_books() -> None:
    """The test writes rows that no service would write."""


# ---- database ----------------------------------------------------------------------------------------------


def sqlite_template() -> str:
    """The migrated file from which `make test` copies the tests' databases; PostgreSQL copies by itself."""
    return os.environ.get("TEST_TEMPLATE", "") if connection.vendor == "sqlite" else ""


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    if template := sqlite_template():
        copy = settings.DATABASES["default"]["TEST"]["NAME"]
        Path(f"{copy}-wal").unlink(missing_ok=True)  # of a run that was killed
        shutil.copyfile(template, copy)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Triggers may have changed since a template was migrated, of which `make test-fast` keeps one."""
    if sqlite_template():
        with django_db_blocker.unblock():
            create_triggers(connection)


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    return bool(sqlite_template() or request.config.getvalue("reuse_db"))


# ---- rows --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def module_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A transaction around the tests of a module: all see what its fixtures write; it is rolled back at the end.

    Each test runs in a savepoint of it. Not together with real commits (`transactional_db`).
    """
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # as Django's TestCase marks its own
    with django_db_blocker.unblock(), around:
        cache.clear()  # of the test before: a provider that was down, for example
        note_writes()
        yield
        transaction.set_rollback(True)


ROWS: dict[str, Callable[[], Any]] = {
    make.__name__: make
    for make in (
        *(rows.store, rows.shopper, rows.stranger, rows.seller, rows.other_seller, rows.bowl, rows.scarf),
        *(rows.staff, rows.powerless_staff),
    )
} | {"admin_user": rows.superuser}


@pytest.fixture(autouse=True, scope="module")
def shared_rows(request: pytest.FixtureRequest) -> None:
    """Make the rows once that nearly all tests of a module ask for."""
    tests = database_tests(request.session)[request.path]
    if any(map(commits, tests)):
        return
    wanted = Counter(name for item in tests for name in ROWS if name in item.fixturenames)  # type: ignore[attr-defined]
    for name, count in wanted.items():
        if count > 1 and count * 5 >= len(tests) * 4:
            request.getfixturevalue("module_db")
            ROWS[name]()


@lru_cache(maxsize=1)
def database_tests(session: pytest.Session) -> dict[Path, list[pytest.Item]]:
    """The tests that use the database, by module."""
    found: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in filter(uses_database, session.items):
        found[item.path].append(item)
    return found


def commits(item: pytest.Item) -> bool:
    """Whether the test needs real commits."""
    names = {*getattr(item, "fixturenames", ())}
    mark = item.get_closest_marker("django_db")
    return bool(names & {"transactional_db", "live_server"} or (mark and mark.kwargs.get("transaction")))


@pytest.fixture
def store(db) -> StoreRules:
    return rows.store()


@pytest.fixture
def shopper(db) -> User:
    return rows.shopper()


@pytest.fixture
def stranger(db) -> User:
    return rows.stranger()


@pytest.fixture
def seller(db) -> User:
    return rows.seller()


@pytest.fixture
def other_seller(db) -> User:
    return rows.other_seller()


@pytest.fixture
def staff(db) -> User:
    return rows.staff()


@pytest.fixture
def powerless_staff(db) -> User:
    return rows.powerless_staff()


@pytest.fixture
def admin_user(db) -> User:
    return rows.superuser()


@pytest.fixture
def bowl(db) -> Product:
    return rows.bowl()


@pytest.fixture
def scarf(db) -> Product:
    return rows.scarf()


# ---- clients -----------------------------------------------------------------------------------------------


@pytest.fixture
def api(db) -> Callable[..., APIClient]:
    return api_client


@pytest.fixture
def browser(db) -> Callable[..., Client]:
    return browser_client


@pytest.fixture
def shop(browser: Callable[..., Client], shopper: User) -> CheckoutClient:
    """The checkout pages in the shopper's browser."""
    return CheckoutClient(browser(shopper))


# ---- mail --------------------------------------------------------------------------------------------------


@pytest.fixture
def drain(db) -> Callable[[], int]:
    """Do what the worker would do in the next minutes: run the periodic task's function until nothing is due."""

    def run() -> int:
        sent = 0
        engine = engines["django"].engine
        engine.string_if_invalid = "MISSING"  # an unknown variable in a mail is an error, not an empty text
        try:
            while now := notifications_send_due():
                sent += now
        finally:
            engine.string_if_invalid = ""
        assert not [
            message.subject for message in mail.outbox if "MISSING" in f"{message.subject}{message.body}"
        ]
        return sent

    return run


@pytest.fixture
def mails(drain: Callable[[], int]) -> Callable[..., list[EmailMultiAlternatives]]:
    """The mails that were sent, after draining the outbox; `mails(to)` only those to one address."""

    def sent(to: str | None = None) -> list[EmailMultiAlternatives]:
        drain()
        return [message for message in mail.outbox if to is None or message.to == [to]]  # type: ignore[misc]

    return sent
