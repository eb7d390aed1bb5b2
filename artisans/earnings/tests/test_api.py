"""The API of artisans' money."""

from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest

from artisans.earnings.holds import HoldRequest, hold_place
from artisans.earnings.models import HoldReason
from payments.models import Earning
from payments.refunds.staff import refund_open
from payments.tests.factories import usd
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def client(api, seller):
    return api(seller)


def pages(client, address: str) -> list[Any]:
    found, url = [], address
    while url:
        body = client.get(url).json()
        found.append(body)
        url = body["next"]
    return found


def rows(client, address: str) -> list[Any]:
    return [row for body in pages(client, address) for row in body["results"]]


def test_balance(released, sell, client, potter, admin_user, staff):
    payment = released()
    sell()
    request = HoldRequest(amount=usd("20.00"), reason=HoldReason.STAFF, note="x")
    hold_place(artisan_id=potter.pk, request=request, actor=admin_user)
    refund_open(payment_id=payment.pk, reason="Chipped.", actor=staff, amount=usd("10.00"))

    assert client.get("/earnings/balance").json() == {
        "next": None,
        "previous": None,
        "results": [
            {
                "currency": "USD",
                "pending": "91.44",
                "available": "71.44",
                "held": "20.00",
                "promised": "9.15",
                "payable": "62.29",
            }
        ],
    }


def test_earnings(sell, deliver, client, dispute):
    payment = sell()
    deliver(payment)
    [row] = rows(client, "/earnings/")
    assert row["order_number"] == payment.order.order_number
    assert (row["status"], row["net"], row["returned"], row["blocked_by"]) == ("pending", "91.44", "0.00", "")
    assert row["release_at"] is not None
    dispute(payment, "5.00", "open")
    assert rows(client, "/earnings")[0]["blocked_by"] == "dispute"


def test_released_earnings_have_no_day_to_come(released, client):
    released()
    [row] = rows(client, "/earnings/?status=released")
    assert (row["status"], row["release_at"]) == ("released", None)
    assert row["released_at"] is not None
    assert rows(client, "/earnings/?status=pending") == []
    assert len(rows(client, f"/earnings/?order_number={row['order_number']}")) == 1


@pytest.mark.parametrize("ordering", ["-created", "created"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_lines_have_the_balance_after_them_on_every_page(sell, deliver, later, client, limit, ordering):
    for _ in range(3):
        deliver(sell())
    later(days=15)
    balances = ["91.44", "182.88", "274.32"]
    if ordering == "-created":
        balances.reverse()
    address = f"/earnings/lines?limit={limit}&ordering={ordering}"

    found = pages(client, address)

    assert [row["balance"] for body in found for row in body["results"]] == balances
    assert {(row["kind"], row["text"], row["amount"]) for body in found for row in body["results"]} == {
        ("release", "Released", "91.44")
    }
    for before, body in pairwise(found):
        assert client.get(body["previous"]).json()["results"] == before["results"]


def test_lines_of_other_accounts(released, client):
    released()
    amounts = [row["amount"] for row in rows(client, "/earnings/lines?account=pending&currency=USD")]
    assert amounts == ["-91.44", "91.44"]
    assert rows(client, "/earnings/lines?account=held") == []
    assert rows(client, "/earnings/lines?currency=EUR") == []


@pytest.mark.parametrize(
    "query",
    [
        "account=order",
        "account=",
        "limit=0",
        "ordering=amount",
        "cursor=x",
        "cursor=cD0yMDI2LTExLTI2",
        "kind=x",
    ],
)
def test_unknown_parameters_are_refused(released, client, query):
    released()
    problem(client.get(f"/earnings/lines?{query}"), 400, "validation_error")


@pytest.mark.parametrize("position", ["o=7&p=1", "r=1", "r=1&p=0", "p=999999999999999999", "o=3&r=1&p=1"])
def test_a_made_up_cursor_shows_right_balances(released, sell, deliver, later, client, position):
    released()
    deliver(sell())
    later(days=15)
    known = {row["id"]: row for row in rows(client, "/earnings/lines")}
    cursor = b64encode(position.encode()).decode()

    shown = client.get("/earnings/lines", {"cursor": cursor, "limit": "1"}).json()["results"]
    assert len(known) > 1
    assert [known[row["id"]] for row in shown] == shown


def test_only_own_money(released, api, shopper, other_seller, staff, admin_user):
    released()
    assert Earning.objects.exists()
    for user in (shopper, other_seller, staff, admin_user):
        for address in ("/earnings/balance", "/earnings/", "/earnings/lines"):
            assert api(user).get(address).json()["results"] == []
    assert api().get("/earnings/balance").status_code == 401
