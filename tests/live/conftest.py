"""A real database, real servers, a mail server. A module that starts a shop shares it between its tests."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache.backends.redis import RedisCache
from django.db import OperationalError, connection, connections
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from psycopg.errors import LockNotAvailable

from artisans.accounts.models import User
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.models import Product
from orders.tests.factories import store_of
from scripts.services import ProgramMissing, Server, postgres_programs, postgres_server, redis_server
from tests.append_only import rewriting
from tests.live.browser import Window, chromium_of
from tests.live.mailserver import MailServer
from tests.live.runner import ROOT, Caller, Sandbox, Shop, wait_for
from tests.live.users import bearer_of, session_of

KEPT = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}


def database_url() -> str:
    """The database of the test's connection; the servers use it too."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, password = (quote(str(database[part])) for part in ("USER", "PASSWORD"))
    return f"postgres://{user}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


def empty_database() -> None:
    """Row by row: for the few rows of a test this is far quicker than TRUNCATE."""
    wait_for(emptied, detail="the shop's processes are at work all the time")


def emptied() -> bool:
    """False while a process of the shop is busy: waiting for it while holding locks could be a deadlock."""
    with connection.cursor() as cursor:
        names = [name for name in connection.introspection.table_names(cursor) if not is_kept(name)]
    tables = [connection.ops.quote_name(name) for name in names]
    try:
        with rewriting(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE NOWAIT")
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")  # our own tables
    except OperationalError as problem:
        if isinstance(problem.__cause__, LockNotAvailable):
            return False
        raise
    return True


def is_kept(table: str) -> bool:
    """SQLite's own tables of the search index follow the search documents."""
    return table in KEPT or table.startswith("catalog_searchtext")


def end_sessions() -> None:
    """End sessions of killed processes: PostgreSQL would first finish their statements."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="module")
def database(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Commits are real here; everything is wiped when the module is done."""
    with django_db_blocker.unblock():
        empty_database()
        yield
        end_sessions()
        empty_database()
        connections.close_all()


@pytest.fixture(scope="module")
def postgres_only(database) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("Set DATABASE_URL to a PostgreSQL, or run `make test`.")


@pytest.fixture
def transactional_db(database) -> None:
    """In place of the one of pytest-django, which knows by this name which tests need a database: it would empty
    the tables after each test."""


@pytest.fixture
def clean_database(transactional_db) -> None:
    """An empty shop with its rules."""
    empty_database()
    store_of()


@pytest.fixture(scope="module")
def other_postgres(postgres_only) -> Iterator[Server]:
    """A separate PostgreSQL for this module, to be stopped and killed, with a copy of the tests' empty database; the
    test's connection uses it too. Migrating it would take 45 seconds."""
    with postgres_server() as server:
        copy_tables(server)
        with pointed_at(server):
            yield server


def copy_tables(server: Server) -> None:
    dump, psql = (postgres_programs() / name for name in ("pg_dump", "psql"))
    tables = subprocess.run([dump, database_url()], capture_output=True, check=True).stdout
    subprocess.run(
        [psql, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", server.url],
        input=tables,
        stdout=subprocess.DEVNULL,
        check=True,
    )


@contextmanager
def pointed_at(server: Server) -> Iterator[None]:
    host, _, port = server.url.rpartition("@")[2].partition("/")[0].partition(":")
    password = server.url.partition("//")[2].partition("@")[0].partition(":")[2]
    before = dict(connection.settings_dict)
    connections.close_all()
    connection.settings_dict.update(HOST=host, PORT=port, USER="alley", PASSWORD=password, NAME="postgres")
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict.update(before)


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """A Redis for queue and cache, as in production: "redis://127.0.0.1:port" without the number of the database."""
    try:
        with redis_server() as server:
            yield server.url.rpartition("/")[0]
    except ProgramMissing as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def static_files() -> None:
    """Pages need the collected styles; they are collected again only when they changed, by one run at a time."""
    manifest, lock = ROOT / "var/static/staticfiles.json", ROOT / "var/static.lock"
    newest = max(path.stat().st_mtime for path in (ROOT / "static").glob("**/*"))
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        flock(held, LOCK_EX)
        if not manifest.exists() or manifest.stat().st_mtime < newest:
            Shop(ROOT / "var", "sqlite:///:memory:", {}).manage("collectstatic --no-input")


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def mail(mail_server: MailServer) -> MailServer:
    mail_server.clear()
    return mail_server


@pytest.fixture(scope="module")
def production(
    database, broker: str, mail_server: MailServer, static_files, tmp_path_factory
) -> Callable[..., Shop]:
    """`production(**env)`: a shop as it runs in production, with a broker, an empty cache and mail.

    `root`: where its code is, if it is not today's.
    """

    def shop(*, root: Path = ROOT, **env: str) -> Shop:
        RedisCache(f"{broker}/1", {}).clear()  # the module before may have left a provider marked as down
        services = {
            "CELERY_BROKER_URL": f"{broker}/0",
            "CACHE_URL": f"{broker.replace('redis', 'rediscache', 1)}/1",
        }
        env = services | {"EMAIL_URL": mail_server.url} | env
        return Shop(tmp_path_factory.mktemp("shop"), database_url(), env, root=root)

    return shop


@pytest.fixture
def caller(shop: Shop) -> Callable[..., Caller]:
    """`caller(user)` carries a real bearer token; `caller()` is a guest; `caller(cart=…)` holds a guest's cart."""

    def make(user: User | None = None, **tokens: str) -> Caller:
        token = bearer_of(user) if user else ""
        return Caller(shop.port, token=token, **tokens)

    return make


@pytest.fixture
def buyers() -> Callable[[int], list[User]]:
    def make(count: int) -> list[User]:
        return [UserFactory.create() for _ in range(count)]

    return make


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[Sandbox]:
    """The payment providers of this module, in a separate process; `sandbox.env` configures a shop for them."""
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as program:
        yield program


# ---- browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """One Chromium for the run; skipped where there is none."""
    expect.set_options(timeout=60_000)  # how long until a failure
    with sync_playwright() as playwright:
        try:
            with chromium_of(playwright) as browser:
                yield browser
        except ProgramMissing as problem:
            pytest.skip(str(problem))


def window_of(context: BrowserContext, shop: Shop) -> Window:
    return Window(context.new_page(), shop.url, shop.folder, friends=shop.friends)


def sign_in(context: BrowserContext, shop: Shop, user: User) -> None:
    context.add_cookies([{"name": "session", "value": session_of(user), "url": shop.url}])


@pytest.fixture
def window(chrome: Browser, shop: Shop) -> Iterator[Callable[..., Window]]:
    """`window()` opens a private window; afterwards nothing may have gone wrong in any of them.

    `user` is signed in; further options are those of Playwright's contexts.
    """
    opened: list[Window] = []

    def open_window(user: User | None = None, **options: Any) -> Window:
        context = chrome.new_context(**options)
        if user is not None:
            sign_in(context, shop, user)
        opened.append(window_of(context, shop))
        return opened[-1]

    yield open_window
    problems = [problem for each in opened for problem in each.problems]
    for each in opened:
        each.page.context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def module_window(chrome: Browser, shop: Shop) -> Iterator[Window]:
    context = chrome.new_context()
    yield window_of(context, shop)
    context.close()


@pytest.fixture
def shared_window(module_window: Window, shop: Shop) -> Iterator[Callable[..., Window]]:
    """`shared_window(user)`: the one window of the module, emptied, for tests that only look at a page: opening a
    private one takes half of their time."""

    def empty(user: User | None = None) -> Window:
        module_window.empty()
        if user is not None:
            sign_in(module_window.page.context, shop, user)
        return module_window

    yield empty
    assert not module_window.problems, "\n".join(module_window.problems)


@pytest.fixture(scope="module")
def demo_shop(database, broker: str, static_files, tmp_path_factory) -> Iterator[Shop]:
    """The demo's products, users and mails, with enough stock and no order limits; the worker is not started."""
    env = {"DEMO": "true", "MAX_OPEN_ORDERS": "1000", "CELERY_BROKER_URL": f"{broker}/2"}
    env["CACHE_URL"] = f"{broker.replace('redis', 'rediscache', 1)}/3"
    is_demo = connection.vendor == "sqlite"
    with Shop(tmp_path_factory.mktemp("demo"), database_url(), env, is_demo=is_demo) as shop:
        shop.manage("demo_data")
        Product.objects.filter(stock__gt=5).update(stock=500)
        shop.start(worker=False)
        yield shop
