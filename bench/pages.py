"""Measure the pages that a shopper sees, relative to a bare template view: `python -m bench.pages`, on DATABASE_URL.

It prints a line for each and marks what exceeds the limit. `python -m bench --pages` creates the shop first.
"""

import gzip
import os
import sys
import time
from collections.abc import Callable
from http import HTTPStatus

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")
django.setup()
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"

# Models can be imported after setup only.
from django.db import connection  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import path, reverse  # noqa: E402

from artisans import urls  # noqa: E402
from artisans.catalog.models import Product  # noqa: E402
from bench.lists import cpu_seconds, own_backend  # noqa: E402

TIMES_BARE = 20
ROUNDS = 12
LINES = 5
BARE = engines["django"].from_string(
    "<!doctype html><title>{{ title }}</title><ul>{% for row in rows %}"
    '<li><a href="/x/{{ row.slug }}/">{{ row.name }}</a> {{ row.price }}</li>{% endfor %}</ul>'
)
DETAILS = {
    "email": "shopper@mail-1.example",
    "name": "Ada Lovelace",
    "country": "US",
    "line1": "12 Pier Road",
    "city": "Astoria",
    "region": "OR",
    "postal_code": "97103",
    "billing_same": "on",
}


def bare(request: HttpRequest) -> HttpResponse:
    rows = [{"slug": f"bowl-{n}", "name": f"Bowl {n}", "price": n} for n in range(24)]
    return HttpResponse(BARE.render({"title": "Bowls", "rows": rows}, request))


def main() -> int:
    urls.urlpatterns.append(path("bare/", bare))
    client = Client(HTTP_HOST="127.0.0.1")
    backend = own_backend()
    products = list(Product.objects.select_related("artisan")[:LINES])
    for product in products:
        client.post(reverse("carts:item_add"), {"product_id": product.pk, "quantity": 1})
    base, *_ = cost(client, "/bare/", backend)
    print(
        f"bare template view: {base:.1f} ms of CPU; limit {TIMES_BARE} ×\n{'':22} CPU, ms      ×  statements     KiB"
    )
    misses = 0
    for title, address, before in steps(client, products[0]):
        before()
        spent, statements, size = cost(client, address, backend)
        is_over = spent > TIMES_BARE * base
        misses += is_over
        figures = f"{spent:8.1f}{spent / base:8.1f}{statements:8}{size / 1024:8.1f}"
        print(f"{title:22}{figures}  {'FAIL' if is_over else 'PASS'}", flush=True)
    return misses


def steps(client: Client, product: Product) -> list[tuple[str, str, Callable[[], object]]]:
    """Title and address of each page, and what a shopper does before they see it."""

    def nothing() -> None:
        pass

    def post(name: str, form: dict[str, str]) -> Callable[[], object]:
        return lambda: client.post(reverse(name), form)

    return [
        ("items", reverse("catalog:product_list"), nothing),
        ("search", reverse("catalog:product_list") + "?q=bowl+7", nothing),
        ("filtered", reverse("catalog:product_list") + "?category=bowls&price_max=15&in_stock=on", nothing),
        ("item", reverse("catalog:product", args=[product.slug]), nothing),
        ("artisan", reverse("catalog:artisan", args=[product.artisan.slug]), nothing),
        (f"cart, {LINES} lines", reverse("carts:cart"), nothing),
        ("delivery details", reverse("carts:checkout_details"), nothing),
        ("payment method", reverse("carts:checkout_payment"), post("carts:checkout_details", DETAILS)),
        (
            "check and order",
            reverse("carts:checkout_check"),
            post("carts:checkout_payment", {"payment_method": "bank_transfer"}),
        ),
        ("sign in", reverse("account_login"), nothing),
        ("find an order", reverse("payments:order_find"), nothing),
    ]


def cost(client: Client, address: str, backend: int) -> tuple[float, int, int]:
    """Milliseconds of CPU time of this process and its backend, the least of some rounds; statements; and bytes of the
    page as it is sent, compressed. Errors: RuntimeError if the page is not shown."""
    best = float("inf")
    for _ in range(ROUNDS):
        before, began = cpu_seconds(backend), time.thread_time()
        answer = client.get(address)
        best = min(best, time.thread_time() - began + cpu_seconds(backend) - before)
    if answer.status_code != HTTPStatus.OK:
        raise RuntimeError(f"{address}: {answer.status_code} {answer.headers.get('Location', '')}")
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    return best * 1000, len(captured), len(gzip.compress(answer.content))


if __name__ == "__main__":
    sys.exit(min(1, main()))
