from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 3
TRANSIENT_ERRORS = ("deadlock", "could not serialize", "order_number", "payment_number")


def atomic_with_retry(service: Callable[P, R]) -> Callable[P, R]:
    """Run a service in its own transaction, up to three times if the database aborts it (deadlock, serialization).

    Within another transaction it is run once: repeating a part would keep the locks that the deadlock is about. A
    service that calls one of these in a transaction of its own therefore uses this instead of `transaction.atomic`.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for last in (False,) * (RETRIES - 1) + (True,):
            try:
                with transaction.atomic():
                    return service(*args, **kwargs)
            except (OperationalError, IntegrityError) as error:
                nested = transaction.get_connection().in_atomic_block
                if last or nested or not any(word in str(error) for word in TRANSIENT_ERRORS):
                    raise
        raise AssertionError("unreachable")

    return run


@contextmanager
def limit_statements(seconds: int) -> Iterator[None]:
    """A time limit for each statement on PostgreSQL. Not on SQLite, where a transaction would wait for writers."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {seconds * 1000}")
        yield


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads within see the database as of one moment, and delay no writer. Within a transaction, as that does."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:  # not atomic(), which would lock out writers
            cursor.execute("BEGIN")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
