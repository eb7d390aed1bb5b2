"""Measure every list and search of the admin on the database of DATABASE_URL: `python -m bench.lists`.

It prints a line for each and marks what exceeds the limits; with `--explain` also the slowest statements of those.
"""

import os
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from math import inf
from pathlib import Path

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")
django.setup()
settings.DEBUG = settings.STAFF_NEED_SECOND_FACTOR = False  # as in production, but without signing in
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"

# Models can be imported after setup only.
from django.contrib import admin  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from artisans.accounts.models import User  # noqa: E402
from artisans.core.admin.paging import MOST, PER_PAGE  # noqa: E402
from orders.models import Order  # noqa: E402

MILLISECONDS, STATEMENTS = 150, 12
ROUNDS = 3
SLOW = 0.02  # seconds of a statement that is shown

DAYS = "2026-11-01", "2026-11-10"
FILTERS = {
    "orders_order": (
        "payment_status__exact=PAID",
        "artisan={artisan}",
        "o=2",
        "o=3",
        "method=paypal",
        "created_at_from={}&created_at_to={}".format(*DAYS),
    ),
    "payments_payment": (
        "status__exact=COMPLETED",
        "payment_method__exact=bank_transfer",
        "received=today",
        "o=3",
        "o=4",
        "artisan={artisan}",
        "o=2",
    ),
    "payments_transaction": (
        "kind=refund",
        "kind=dispute_lost",
        "payment_method=credit_card",
        "payment_method=check",
        "payment_method=bank_transfer&kind=refund",
        "payment_provider=paypal",
        "payment_provider=manual",
        "happened_at_from={}&happened_at_to={}".format(*DAYS),
    ),
    "payments_providerrequest": (
        "provider__exact=paypal",
        "started_at_from={}&started_at_to={}".format(*DAYS),
    ),
}


def searches() -> dict[str, list[str]]:
    """Terms that staff search, by list: of a row in the middle of the table, and of no row."""
    order = Order.objects.order_by("created_at")[Order.objects.count() // 2]
    payment = order.payments.get()
    name = order.shipping_address["name"]
    money = [
        order.order_number,
        order.order_number.lower()[:6],
        f"Order {order.order_number}",
        payment.payment_number,
        f"REF-{order.order_number}",
        payment.provider_payment_id or "BANK1001",
        name,
        " ".join(reversed(name.split())),
        name[:5],
        name.split("-")[0],
        order.email,
        order.email[:8],
        order.email.partition("@")[2],
        order.shipping_address["postal_code"],
        order.phone,
        str(order.total.amount),
        "Bowl 77",
        "Workshop",
        "nothing of this kind",
    ]
    return {
        "orders_order": money,
        "payments_payment": money,
        "payments_paymentrefund": [f"REF-{order.order_number}"],
        "payments_receipt": ["BANK1000"],
        "payments_transaction": [
            order.order_number,
            payment.payment_number,
            "BANK1000",
            "nothing of this kind",
        ],
        "payments_webhookevent": [order.order_number, payment.payment_number, "pi_123"],
        "orders_parcel": [order.order_number, "TRK1000-1"],
        "carts_cart": ["buyer-77"],
        "notifications_notification": [order.email, order.order_number],
        "catalog_product": ["bowl 77"],
        "catalog_stockmove": ["Bowl 77", "opening"],
        "audit_auditentry": ["staff-7", str(order.pk)],
        "accounts_user": ["buyer-77", "example.test"],
        "account_emailaddress": ["buyer-77"],
    }


def pages() -> Iterator[tuple[str, str]]:
    """Title and address of every list: its first and last page, each saved view, filters and searches."""
    terms = searches()
    yield "home", reverse("admin:index")
    for model, owner in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        address = reverse(f"admin:{name}_changelist")
        yield name, address
        last = min(model._default_manager.count(), MOST) // PER_PAGE
        if last > 1:
            yield f"{name}, page {last}", f"{address}?p={last}"
        for query in filter(None, getattr(owner, "views", {})):
            yield f"{name} {query}", f"{address}?{query}"
        for term in terms.get(name, []):
            yield f"{name} search {term}", f"{address}?q={term.replace(' ', '+')}"
    artisan = Order.objects.order_by("created_at")[0].lines.all()[0].artisan_id
    for name, queries in FILTERS.items():
        for query in queries:
            asked = query.format(artisan=artisan)
            yield f"{name} {asked}", f"{reverse(f'admin:{name}_changelist')}?{asked}"


def main() -> int:
    staff, _ = User.objects.get_or_create(
        email="bench@example.test", defaults={"role": "staff", "is_superuser": True}
    )
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(staff)
    misses = 0
    backend = own_backend()
    print(f"{'':69} {'CPU':>5}      SQL  statements")
    for title, address in pages():
        misses += measure(client, title, address, backend)
    print(f"{misses} over the limits" if misses else "All within the limits")
    return misses


def measure(client: Client, title: str, address: str, backend: int) -> bool:
    """Print a line, and return whether a limit is exceeded. The time is CPU time of this process and of its backend in
    PostgreSQL, the best of some rounds: other work on the machine does not change it."""
    best, sql = inf, 0.0
    for _ in range(ROUNDS):
        before, began = cpu_seconds(backend), time.thread_time()
        answer = client.get(address, follow=True)
        spent = cpu_seconds(backend) - before
        if (total := (time.thread_time() - began + spent) * 1000) < best:
            best, sql = total, spent * 1000
    captured = min(
        (statements(client, address) for _ in range(2)), key=len
    )  # one a minute notes the session's use
    is_over = best > MILLISECONDS or len(captured) > STATEMENTS or answer.status_code != HTTPStatus.OK
    mark = "FAIL" if is_over else "    "
    print(f"{mark} {title[:64]:64} {best:5.0f} ms {sql:5.0f} {len(captured):4}", flush=True)
    if "--explain" in sys.argv and is_over:
        for query in sorted(captured.captured_queries, key=lambda query: -float(query["time"]))[:3]:
            if float(query["time"]) > SLOW:
                print("      ", query["time"], query["sql"][:4000])
    return is_over


def statements(client: Client, address: str) -> CaptureQueriesContext:
    with CaptureQueriesContext(connection) as captured:
        client.get(address, follow=True)
    return captured


def cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def own_backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")  # their time would be missing
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    sys.exit(min(1, main()))
