"""People, a store and clients for all tests. The network is off; money and stock are checked after every test."""

import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import Client
from rest_framework.test import APIClient

from artisans.accounts.models import Role, User
from artisans.accounts.tests.factories import UserFactory
from artisans.accounts.tests.sign_in import sign_in, token_of
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.notifications.services import notifications_sweep
from orders.models import StoreRules
from orders.tests.factories import store_of
from tests.invariants import check_invariants
from tests.rewriting import rewriting

DESKS = ("Payments desk", "Refunds desk", "Orders desk")


@pytest.fixture(autouse=True, scope="session")
def network_off() -> Iterator[None]:
    """Only this machine answers: a test that reaches out fails, wherever it runs."""
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
    """Tests with real commits are flushed after each; append-only tables refuse it to everybody else."""
    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_all(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with rewriting():
            flush(self, sql_list)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_all)
        yield


@pytest.fixture(autouse=True)
def invariants(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test that has the database. Raw writes that break the books ask for `broken_books`."""
    uses_database = request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(
        request.fixturenames
    )
    if not uses_database:
        yield
        return
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    cache.clear()
    yield
    if "broken_books" not in request.fixturenames and not connection.needs_rollback:
        check_invariants()


@pytest.fixture(scope="session")
def live_server(django_db_setup, live_server):
    """Only once the test database is there: before, SQLite's connection still is to the one in memory, and shared."""
    return live_server


@pytest.fixture
def broken_books() -> None:
    """This test writes by hand what no service would write."""


# ---- people ------------------------------------------------------------------------------------------------


@pytest.fixture
def store(db) -> StoreRules:
    """10 % tax, 5.99 shipping, cash up to 150.00, a bank account, an address for checks."""
    return store_of()


@pytest.fixture
def shopper(db) -> User:
    return UserFactory.create(email="shopper@example.test", name="Sam Shopper")


@pytest.fixture
def stranger(db) -> User:
    return UserFactory.create(email="stranger@example.test")


@pytest.fixture
def seller(db) -> User:
    user = UserFactory.create(email="seller@example.test", role=Role.ARTISAN)
    ArtisanFactory.create(user=user, email=user.email, name="Harbour Pottery", slug="harbour-pottery")
    return user


@pytest.fixture
def other_seller(db) -> User:
    user = UserFactory.create(email="weaver@example.test", role=Role.ARTISAN)
    ArtisanFactory.create(user=user, email=user.email, name="Loom and Light", slug="loom-and-light")
    return user


@pytest.fixture
def staff(db) -> User:
    """May record, reject and return money, and cancel orders."""
    user = UserFactory.create(email="staff@example.test", role=Role.STAFF)
    user.groups.set(Group.objects.filter(name__in=DESKS))
    assert user.groups.count() == len(DESKS)
    return user


@pytest.fixture
def powerless_staff(db) -> User:
    """In the office, but with no job that touches orders or money."""
    return UserFactory.create(email="intern@example.test", role=Role.STAFF)


@pytest.fixture
def admin_user(db) -> User:
    return User.objects.create_superuser("admin@example.test", "correct-horse-1")


# ---- goods -------------------------------------------------------------------------------------------------


@pytest.fixture
def bowl(seller: User, store: StoreRules) -> Product:
    """85.45: one piece costs 99.99 with tax and shipping, as in the founding text."""
    return ProductFactory.create(artisan=seller.artisan, name="Moss bowl", slug="moss-bowl")


@pytest.fixture
def scarf(other_seller: User, store: StoreRules) -> Product:
    return ProductFactory.create(
        artisan=other_seller.artisan, name="Tide scarf", slug="tide-scarf", price_minor=3333
    )


# ---- clients -----------------------------------------------------------------------------------------------


@pytest.fixture
def api(db) -> Callable[..., APIClient]:
    """`api(user)` carries a real bearer token; `api()` is a guest; `api(cart=token, order=token)` holds links."""

    def client(user: User | None = None, *, cart: str = "", order: str = "") -> APIClient:
        made = APIClient()
        headers = {"HTTP_X_CART_TOKEN": cart, "HTTP_X_ORDER_TOKEN": order}
        if user is not None:
            headers["HTTP_AUTHORIZATION"] = f"Bearer {token_of(user)}"
        made.credentials(**{name: value for name, value in headers.items() if value})
        return made

    return client


@pytest.fixture
def browser(db) -> Callable[..., Client]:
    """A browser without scripts, just signed in when given a user."""

    def open_browser(user: User | None = None) -> Client:
        made = Client()
        if user is not None:
            sign_in(made, user)
        return made

    return open_browser


# ---- mail --------------------------------------------------------------------------------------------------


@pytest.fixture
def drain(db) -> Callable[[], int]:
    """What the worker would do in the next minutes: the sweeper's own function, until nothing is left."""

    def run() -> int:
        sent = 0
        while now := notifications_sweep():
            sent += now
        return sent

    return run


@pytest.fixture
def mails(drain: Callable[[], int]) -> Callable[..., list[EmailMultiAlternatives]]:
    """The mails that were sent, after draining the outbox; `mails(to)` only those to one address."""

    def sent(to: str | None = None) -> list[EmailMultiAlternatives]:
        drain()
        return [message for message in mail.outbox if to is None or message.to == [to]]  # type: ignore[misc]

    return sent
