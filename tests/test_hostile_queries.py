"""Hostile queries and paths: control characters, invalid UTF-8, long numbers, invalid cursors."""

import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from rest_framework.test import APIClient

from artisans.accounts.models import User
from artisans.accounts.tests.sign_in import api_client, browser_client
from artisans.site.docs.document import document
from payments.tests.factories import start
from tests import rows
from tests.problems import problem
from tests.test_access import lines

pytestmark = pytest.mark.django_db

UNREADABLE = [
    "%00",
    "a%00b",
    "%01",
    "%7F",
    "x%1Bx",
    "a%0D%0AX: 1",
    "%C2%85x",
    "%ED%A0%80",
    "x%FF%FE",
    "%C0%80",
]
ODD = ["9" * 400, "-" + "9" * 20, "1e999999999", "x" * 3000, "%EF%BF%BF"]
CURSORS = [
    *("o", "o=", "o=x", "o=-1", "o=" + "9" * 5000, "r=2", "r=x", "p=", "p=x", "p=%00", "p=2026-01-01", "q=1"),
    *("p=9999-12-31T23:59:59-14:00", "p=0001-01-01T00:00:00%2B14:00", "p=2026-02-30T00:00:00Z", "p=1&p=2"),
    *("\x00", "\x00o=1", "é", "p=2026-11-26T09:00:00Z&x=1"),
]
READS = {
    path: [row["name"] for row in methods["get"].get("parameters", []) if row["in"] == "query"]
    for path, methods in document()["paths"].items()
    if "get" in methods
}
LISTS = [path for path, names in READS.items() if "cursor" in names]
BELOW_A_KEY = [path for path in document()["paths"] if "{" in path]
PAGES = [
    row[1] for row in lines().values() if row[0] == "get" and (row[1] == "/" or row[1].startswith("/shop/"))
]
PAGE_PARAMETERS = {"next"}.union(
    *(
        re.findall(r'\bGET\.get\(\s*"(\w+)"', path.read_text())
        for package in ("artisans", "carts", "orders", "payments")
        for path in Path(settings.BASE_DIR, package).rglob("*.py")
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def existing(module_db) -> dict[str, Any]:
    """Ids of existing objects that belong to the caller."""
    rows.store()
    order = start(items={rows.bowl(): 1}, user=rows.shopper()).order
    cart = api_client(rows.shopper()).post("/carts/", {}).json()
    return {
        "carts": cart["id"],
        "orders": order.pk,
        "payments": order.payments.get().pk,
        "token": order.access_token,
        "products": rows.bowl().pk,
        "artisan": rows.bowl().pk,  # an artisan's product
    }


def address_of(path: str, existing: dict[str, Any]) -> str:
    return re.sub(r"\{\w+\}", str(existing.get(path.split("/")[1])), path)


def caller(path: str) -> User:
    """Who may read there."""
    if path.startswith(("/ledger/", "/payments/metrics")):
        return rows.superuser()
    return rows.seller() if path.startswith("/artisan/") else rows.shopper()


@pytest.fixture
def api(existing, request) -> APIClient:
    path = getattr(request.node, "callspec", None) and request.node.callspec.params.get("path", "")
    with override_settings(RATE_LIMIT_FACTOR=10_000):
        yield api_client(caller(path or ""))


@pytest.mark.parametrize("path", [path for path, names in READS.items() if names])
def test_invalid_parameter_is_refused_and_named(api, existing, path):
    address = address_of(path, existing)

    for name in READS[path]:
        for value in UNREADABLE:
            body = problem(api.get(f"{address}?{name}={value}"), 400, "validation_error")
            assert [error["pointer"] for error in body["errors"]] == [f"/{name}"], value


@pytest.mark.parametrize("path", [path for path, names in READS.items() if names])
def test_unusual_value_finds_nothing_or_is_refused(api, existing, path):
    address = address_of(path, existing)

    for name in READS[path]:
        for value in ODD:
            answer = api.get(f"{address}?{name}={value}")
            if answer.status_code != 200:
                problem(answer, (400, 409))  # a price that is not the cart's is a conflict


@pytest.mark.parametrize("path", LISTS)
def test_made_up_cursor_is_refused(api, existing, path):
    for cursor in CURSORS:
        for sent in (b64encode(cursor.encode()).decode(), cursor):
            body = problem(api.get(address_of(path, existing), {"cursor": sent}), 400, "validation_error")
            assert [error["pointer"] for error in body["errors"]] == ["/cursor"], cursor


@pytest.mark.parametrize("path", BELOW_A_KEY)
def test_malformed_id_is_not_found(api, path):
    for method in document()["paths"][path]:
        for value in UNREADABLE + ODD:
            problem(getattr(api, method)(re.sub(r"\{\w+\}", value, path)), 404, "not_found")


@pytest.mark.parametrize("path", PAGES)
def test_no_page_fails(existing, path):
    client = browser_client(rows.seller() if path.startswith("/shop/artisan/") else rows.shopper())
    address = re.sub(r"\{\w+\}", str(existing["orders"]), path.replace("{token}", existing["token"]))

    for value in ("%00", "a%00b", "%ED%A0%80", ODD[0], ODD[1]):
        query = "&".join(f"{name}={value}" for name in PAGE_PARAMETERS)
        assert client.get(f"{address}?{query}").status_code < 500
        if "{" in path:
            assert client.get(re.sub(r"\{\w+\}", value, path)).status_code < 500
