"""Figures for programs of staff."""

from datetime import date

import pytest

from artisans.core.changes import changes_note
from artisans.figures.registry import METRICS
from artisans.figures.tests.cells import put
from payments.roles import ROLES
from tests.problems import problem

pytestmark = pytest.mark.django_db

NOVEMBER = {"from": "2026-11-01", "to": "2026-11-30"}
RATE, VALUE = "payment_success_rate", "average_transaction_value"


@pytest.fixture
def get(api, admin_user):
    client = api(admin_user)
    return lambda **query: client.get("/payments/metrics", NOVEMBER | query)


@pytest.fixture
def cells():
    for day, currency, method, paid, lost in (
        (date(2026, 10, 10), "USD", "credit_card", 4, 6),
        (date(2026, 11, 2), "USD", "credit_card", 8, 1),
        (date(2026, 11, 8), "EUR", "check", 1, 1),
        (date(2026, 11, 9), "USD", "credit_card", 10, 0),
    ):
        put(
            "payments", day, provider="stripe", method=method, currency=currency, paid=paid, lost=lost, open=2
        )
        put("settled", day, method=method, currency=currency, payments=paid, payments_minor=1001 * paid)


def only(answer):
    [metric] = answer.json()["metrics"]
    return metric


def test_share_has_its_counts_interval_and_comparison(get, cells):
    metric = only(get(metrics=RATE, compare="previous"))

    assert (metric["value"], metric["numerator"], metric["denominator"]) == ("0.9048", 19, 21)
    assert (metric["is_thin"], metric["interval"]) == (False, ["0.7109", "0.9735"])
    assert metric["also"] == {"open": 6, "switched": 0}
    assert metric["compare"] == {
        "from": "2026-10-02",
        "to": "2026-10-31",
        "value": "0.4000",
        "numerator": 4,
        "denominator": 10,
    }
    assert "series" not in metric


def test_period_says_whether_money_is_real(get, request):
    assert get(metrics=RATE).json()["period"]["is_test_money"] is False
    request.getfixturevalue("card_shop")
    assert get(metrics=RATE).json()["period"]["is_test_money"] is True


def test_money_is_a_value_for_each_currency(get, cells):
    metric = only(get(metrics=VALUE, group_by="method"))

    assert [(v["currency"], v["value"], v["numerator"], v["denominator"]) for v in metric["values"]] == [
        ("EUR", "10.01", "10.01", 1),
        ("USD", "10.01", "180.18", 18),
    ]
    assert [(row["key"], [v["currency"] for v in row["values"]]) for row in metric["series"]] == [
        ("check", ["EUR"]),
        ("credit_card", ["USD"]),
    ]


@pytest.mark.parametrize(
    ("group_by", "keys"),
    [
        ("day", ["2026-11-02", "2026-11-08", "2026-11-09"]),
        ("week", ["2026-11-02", "2026-11-09"]),  # Mondays
        ("month", ["2026-11-01"]),
        ("method", ["check", "credit_card"]),
    ],
)
def test_series_adds_up_to_the_whole(get, cells, group_by, keys):
    metric = only(get(metrics=RATE, group_by=group_by))

    assert [row["key"] for row in metric["series"]] == keys
    assert sum(row["denominator"] for row in metric["series"]) == metric["denominator"] == 21


def test_hours_are_those_of_each_day(get):
    put("messages", date(2026, 11, 23), hour="13", events=4, failed=1)
    put("messages", date(2026, 11, 24), hour="13", events=2)
    put("messages", date(2026, 11, 24), hour="00", events=1)

    answer = get(group_by="hour", **{"from": "2026-11-23"}).json()

    found = {metric["name"]: metric["series"] for metric in answer["metrics"]}
    assert set(found) == {name for name, metric in METRICS.items() if "hour" in metric.dimensions}
    assert [(row["key"], row["denominator"]) for row in found["webhook_failure_rate"]] == [
        ("2026-11-23T13", 4),
        ("2026-11-24T00", 1),
        ("2026-11-24T13", 2),
    ]


def test_filter_leaves_out_the_rest_and_metrics_without_the_dimension(get, cells):
    assert only(get(metrics=RATE, currency="EUR"))["denominator"] == 2
    assert only(get(metrics=RATE, method="check", provider="paypal"))["value"] is None
    names = {metric["name"] for metric in get(method="check").json()["metrics"]}
    assert names == {name for name, metric in METRICS.items() if "method" in metric.dimensions}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"metrics": f"{RATE},happiness"}, "metric_unknown"),
        ({"metrics": RATE, "group_by": "device"}, "group_not_possible"),
        ({"metrics": "order_paid_rate", "method": "check"}, "group_not_possible"),
        ({"metrics": RATE, "group_by": "hour", "from": "2026-11-23"}, "group_not_possible"),
        ({"from": "2020-01-01"}, "period_too_long"),
        ({"group_by": "hour", "from": "2026-11-22"}, "period_too_long"),
        ({"from": "2026-12-01"}, "validation_error"),
        ({"to": "yesterday"}, "validation_error"),
        ({"group_by": "minute"}, "validation_error"),
        ({"compare": "never"}, "validation_error"),
        ({"currency": "usd"}, "validation_error"),
    ],
)
def test_what_cannot_be_answered_is_refused(get, query, code):
    problem(get(**query), 400, code)


def test_304_until_a_cell_or_the_number_of_waiting_changes_differs(api, admin_user, cells):
    client, address = api(admin_user), "/payments/metrics"
    tag = client.get(address, NOVEMBER).headers["ETag"]

    def status() -> int:
        return client.get(address, NOVEMBER, headers={"If-None-Match": tag}).status_code

    assert status() == 304
    put("payments", date(2026, 10, 31), paid=1)
    assert status() == 304
    put("payments", date(2026, 11, 30), paid=1)
    assert status() == 200
    tag = client.get(address, NOVEMBER).headers["ETag"]
    changes_note(("orders", date(2026, 11, 1)))
    assert status() == 200
    assert client.get(address, NOVEMBER).json()["period"]["waiting_changes"] == 1


def test_number_of_queries_does_not_depend_on_the_number_of_metrics(get, cells, django_assert_num_queries):
    get(metrics=RATE)  # notes that the token was used
    with django_assert_num_queries(3):  # the token, figures, changes
        get(compare="previous_year", group_by="month")
    with django_assert_num_queries(3):
        get(metrics=RATE)


def test_who_may_see_payments_may_view_metrics(api, staff, powerless_staff):
    for name, codes in ROLES.items():
        assert ("figures.view_metrics" in codes) == ("payments.view_payment" in codes), name
    address = "/payments/metrics/definitions"
    problem(api(powerless_staff).get(address), 403, "forbidden")
    body = api(staff).get(address).json()
    assert [definition["name"] for definition in body] == [*METRICS]
