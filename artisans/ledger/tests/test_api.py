"""The ledger by API, for staff who may view it."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from artisans.accounts.models import AuthToken, Role, Scope
from artisans.ledger.accounts import AccountKey, AccountKind, Leg, transfer
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerEntry
from artisans.ledger.services import Fact, fact_book
from artisans.ledger.tests.test_reading import BANK, ORDER, book, books  # noqa: F401  # a fixture
from tests.problems import problem

pytestmark = pytest.mark.django_db
LISTS = ("/ledger/balances", "/ledger/entries", "/ledger/trial_balance")


@pytest.fixture
def bookkeeper(powerless_staff):
    powerless_staff.groups.set(Group.objects.filter(name="Bookkeeping"))
    return powerless_staff


@pytest.fixture
def client(api, bookkeeper):
    return api(bookkeeper)


def walked(client, address: str) -> list[dict[str, Any]]:
    """The rows of all pages."""
    rows: list[dict[str, Any]] = []
    url = address
    while url:
        body = client.get(url).json()
        rows += body["results"]
        url = body["next"]
    return rows


@pytest.mark.parametrize("address", LISTS)
def test_only_staff_with_the_permission_read_it(api, staff, bookkeeper, address):
    problem(api().get(address), 401, "not_authenticated")
    assert "permission to view the ledger" in problem(api(staff).get(address), 403, "forbidden")["detail"]
    assert api(bookkeeper).get(address).status_code == 200
    limited = api()
    token = AuthToken.objects.create(user=bookkeeper, granted=Scope.READ.value)[1]
    limited.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert problem(limited.get(address), 403, "insufficient_scope")["scope"] == "staff"
    bookkeeper.role = Role.SHOPPER
    bookkeeper.save()
    problem(api(bookkeeper).get(address), 403, "insufficient_scope")


@pytest.mark.usefixtures("books")
def test_balances_are_those_of_now_or_of_a_day(client, seller):
    cut = AccountKey(AccountKind.SELLER_PENDING, "USD", artisan=seller.artisan.pk)
    book(date(2025, 12, 30), Leg(ORDER, 11), Leg(cut, -11))
    now = walked(client, "/ledger/balances?ordering=created")
    assert [(row["kind"], row["amount"], row["artisan_id"]) for row in now] == [
        ("bank", "15.11", None),
        ("order", "-15.00", None),
        ("seller_pending", "-0.11", str(seller.artisan.pk)),
    ]
    assert walked(client, "/ledger/balances?limit=1&ordering=created") == now
    assert walked(client, f"/ledger/balances?artisan={seller.artisan.pk}") == now[2:]
    assert walked(client, "/ledger/balances?kind=bank") == now[:1]
    then = walked(client, "/ledger/balances?ordering=created&on=2025-10-20&limit=2")
    assert [(row["kind"], row["amount"]) for row in then] == [
        ("bank", "0.03"),
        ("order", "-0.03"),
        ("seller_pending", "0.00"),
    ]


@pytest.mark.usefixtures("books")
def test_trial_balance_adds_up(client):
    body = client.get("/ledger/trial_balance?on=2025-11-30").json()
    assert body["on"] == "2025-11-30"
    assert [(row["kind"], row["debit"], row["credit"]) for row in body["rows"]] == [
        ("bank", "0.63", "0.00"),
        ("order", "0.00", "0.63"),
    ]
    assert body["totals"] == [{"currency": "USD", "debit": "0.63", "credit": "0.63"}]
    assert client.get("/ledger/trial_balance").json()["on"] == str(timezone.localdate())


def test_entries_are_listed_once_and_filtered(client):
    order, cash = uuid4(), AccountKey(AccountKind.CASH, "USD")
    for minor in range(1, 8):
        is_ours = minor % 3 == 0
        fact_book(
            Fact(
                id=uuid4(),
                kind=EntryKind.RECEIPT,
                legs=transfer(minor, debit=cash if is_ours else BANK, credit=ORDER),
                happened_at=timezone.now(),
                order_id=order if is_ours else None,
            )
        )
    everything = walked(client, "/ledger/entries?limit=2")
    assert [row["postings"][0]["amount"] for row in everything] == [
        f"0.0{minor}" for minor in range(7, 0, -1)
    ]
    assert {row["id"] for row in everything} == {
        str(pk) for pk in LedgerEntry.objects.values_list("pk", flat=True)
    }
    assert walked(client, "/ledger/entries?ordering=created&limit=3") == everything[::-1]
    ours = [row for row in everything if row["order_id"] == str(order)]
    assert [row["explanation"] for row in ours] == [
        "$0.06 was received in cash; held for the order.",
        "$0.03 was received in cash; held for the order.",
    ]
    assert walked(client, f"/ledger/entries?order={order}&limit=1") == ours
    account = LedgerAccount.objects.get(kind="cash").pk
    assert walked(client, f"/ledger/entries?account={account}&limit=1") == ours
    assert walked(client, f"/ledger/entries?account={account}&order={order}") == ours
    assert walked(client, f"/ledger/entries?order={uuid4()}") == []
    assert walked(client, f"/ledger/entries?account={10**17}") == []
    first = client.get("/ledger/entries?limit=3").json()
    second = client.get(first["next"]).json()
    assert client.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/ledger/balances?on=2025-13-01", "on"),
        ("/ledger/balances?on=yesterday", "on"),
        ("/ledger/balances?on=2999-01-01", "on"),
        ("/ledger/balances?kind=gold", "kind"),
        ("/ledger/balances?artisan=1", "artisan"),
        ("/ledger/entries?account=1.5", "account"),
        ("/ledger/entries?account=-1", "account"),
        ("/ledger/entries?account=" + "9" * 19, "account"),
        ("/ledger/entries?order=K7M2XQ4RT", "order"),
        ("/ledger/entries?cursor=cD0yMDI2LTExLTI2", "cursor"),
        ("/ledger/entries?kind=sale", "kind"),
        ("/ledger/trial_balance?on=2999-01-01", "on"),
        ("/ledger/trial_balance?on=", "on"),
        ("/ledger/trial_balance?day=2025-01-01", "day"),
    ],
)
def test_invalid_parameters_are_refused_and_named(client, address, name):
    body = problem(client.get(address), 400, "validation_error")
    assert [error["pointer"] for error in body["errors"]] == [f"/{name}"]
