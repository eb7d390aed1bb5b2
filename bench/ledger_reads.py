"""Measure reads of the ledger in the database of DATABASE_URL, or count the statements of bookings; prints JSON.

Started by bench/ledger.py: `python -m bench.ledger_reads reads | bookings`.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from http import HTTPStatus
from math import inf
from typing import Any
from unittest import mock

from bench.client import CHECKOUT, items_of
from bench.lists import cpu_seconds, own_backend  # sets Django up

# Models can be imported after setup only.
from django.db import connection  # isort: skip
from django.test import Client  # isort: skip
from django.test.utils import CaptureQueriesContext  # isort: skip
from django.utils import timezone  # isort: skip

from artisans.accounts.models import AuthToken, User  # isort: skip
from artisans.catalog.models import Artisan, Product  # isort: skip
from artisans.earnings.selectors import account_of, balances_of, lines_of  # isort: skip
from artisans.ledger.models import LedgerPeriod, LedgerPosting  # isort: skip
from artisans.ledger.selectors import account_page, balances, balances_at_end_of  # isort: skip
from artisans.ledger.services import fact_book  # isort: skip
from payments.lifecycle.cash import IncomingMoney  # isort: skip
from payments.lifecycle.receipts import receipt_record  # isort: skip
from payments.models import Payment  # isort: skip

ROUNDS = 5
PAGE = 20
TABLES = {"ledger_ledgerposting", "ledger_ledgerentry"}
WITHOUT_SQL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")


# ---- reads -----------------------------------------------------------------------------------------------------


def reads() -> dict[str, Callable[[], object]]:
    """By title; of the artisan with half of all sales."""
    artisan = Artisan.objects.order_by("slug")[0]
    account = account_of(artisan, "available", "USD")
    if account is None:
        raise RuntimeError("The ledger is empty.")
    postings = LedgerPosting.objects.filter(account=account).order_by("id")
    middle = postings.values_list("pk", flat=True)[postings.count() // 2]
    today = timezone.localdate()
    found: dict[str, Callable[[], object]] = {
        "an artisan's balances": lambda: balances_of(artisan),
        "their lines, first page": lambda: lines_of(artisan, account_page(account, size=PAGE).lines),
        "their lines, a page in the middle": lambda: account_page(account, before=middle, size=PAGE),
        "balances of all accounts": balances,
        "trial balance of today": lambda: balances_at_end_of(today),
        "trial balance of ten days ago": lambda: balances_at_end_of(today - timedelta(days=10)),
    }
    if last := LedgerPeriod.objects.order_by("last_day").last():
        found["trial balance of the last closed month"] = lambda: balances_at_end_of(last.last_day)
    return found


def measure(read: Callable[[], object], backend: int) -> dict[str, Any]:
    """CPU in ms of this process and its backend, the least of some rounds; statements; and how they read postings."""
    best = inf
    for _round in range(ROUNDS):
        before, began = cpu_seconds(backend), time.thread_time()
        read()
        best = min(best, time.thread_time() - began + cpu_seconds(backend) - before)
    with CaptureQueriesContext(connection) as captured:
        read()
    nodes = [node for query in captured.captured_queries for node in plan_of(query["sql"])]
    of_ledger = [node for node in nodes if node.get("Relation Name") in TABLES]
    return {
        "cpu": best * 1000,
        "statements": len(captured),
        "indexes": sorted({node["Index Name"] for node in nodes if is_of_ledger(node)}),
        "scanned": sorted({node["Relation Name"] for node in of_ledger if node["Node Type"] == "Seq Scan"}),
    }


def is_of_ledger(node: dict[str, Any]) -> bool:
    """Whether it reads an index of postings or entries."""
    return str(node.get("Index Name", "")).startswith(("ledger_posting", "ledger_entry", *sorted(TABLES)))


def plan_of(sql: str) -> Iterator[dict[str, Any]]:
    """The nodes of PostgreSQL's plan."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        waiting = [row["Plan"] for row in cursor.fetchone()[0]]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.get("Plans", [])


# ---- bookings --------------------------------------------------------------------------------------------------


def bookings() -> dict[str, dict[str, int]]:
    """The statements of placing an order, and of settling it, with and without what it books."""
    found: dict[str, dict[str, int]] = {}
    buyer = User.objects.create(email="booking@example.test", password="!")
    staff = User.objects.create(email="desk@example.test", password="!", role="staff", is_superuser=True)
    client = Client(
        HTTP_HOST="127.0.0.1",
        HTTP_X_FORWARDED_FOR="10.0.0.1",
        HTTP_AUTHORIZATION=f"Bearer {AuthToken.objects.create(user=buyer)[1]}",
    )
    first = list(Product.objects.order_by("slug")[:3])
    for count in (1, 3):
        title = f"{count} artisan{'s' * (count > 1)}"
        body = CHECKOUT | {"order_items": items_of([str(product.pk) for product in first[:count]])}
        for how in ("warm-up", "with", "without"):  # what a process reads once, and accounts that are new
            with ExitStack() as stack:
                if how == "without":
                    without_bookings(stack)
                placing, settling = cost(client, body, staff)
            found.setdefault(f"placing, {title}", {})[how] = placing
            found.setdefault(f"settling by a receipt, {title}", {})[how] = settling
    return found


def without_bookings(stack: ExitStack) -> None:
    """Replace the function that books wherever it was imported."""
    book = fact_book
    for module in list(sys.modules.values()):
        if getattr(module, "fact_book", None) is book:
            stack.enter_context(mock.patch.object(module, "fact_book", return_value=None))


def cost(client: Client, body: dict[str, Any], staff: User) -> tuple[int, int]:
    """The statements of placing and of settling."""
    with CaptureQueriesContext(connection) as placing:
        answer = client.post("/orders/", json.dumps(body), content_type="application/json")
    if answer.status_code != HTTPStatus.CREATED:
        raise RuntimeError(f"/orders/: {answer.status_code} {answer.content[:500]!r}")
    payment = Payment.objects.get(pk=answer.json()["payment"]["id"])
    money = IncomingMoney(payment.amount, timezone.localdate(), f"REF-{payment.pk}")
    staff.get_all_permissions()  # cached on the user, as by the page before it
    with CaptureQueriesContext(connection) as settling:
        receipt_record(payment_id=payment.pk, money=money, actor=staff)
    return number_of(placing), number_of(settling)


def number_of(captured: CaptureQueriesContext) -> int:
    return sum(not query["sql"].startswith(WITHOUT_SQL) for query in captured.captured_queries)


def main(what: str) -> None:
    if what == "bookings":
        json.dump(bookings(), sys.stdout)
        return
    backend = own_backend()
    json.dump({title: measure(read, backend) for title, read in reads().items()}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
