"""What an artisan sold equals what the books say of the same days, whatever became of it later."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.catalog.models import Artisan, Product
from artisans.core.money import Money
from artisans.earnings.releases import order_release_earnings
from artisans.earnings.selectors import LINE_LABELS, account_of, all_lines
from artisans.earnings.tests.conftest import with_commission
from artisans.figures.days import Period, today
from artisans.figures.sales.forms import SalesForm
from artisans.figures.sales.periods import GroupBy, groups_of
from artisans.figures.sales.selectors import BOOKED, CurrencySales, sales_of
from artisans.figures.tests.test_counting import BEGIN, ZONES
from orders.models import Order, OrderLine, Parcel, StoreRules
from orders.services.parcels import parcel_ship
from orders.statuses import ParcelStatus
from payments.lifecycle.parcels import parcel_return
from payments.methods import PaymentMethod
from payments.models import Earning
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus
from payments.tests.factories import apply_card_captures, start
from tests import rows
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

PAGE, API = "/shop/artisan/sales/", "/artisans/me/sales"


def found_of(artisan: Artisan, period: Period, group_by: GroupBy = GroupBy.DAY) -> dict[str, CurrencySales]:
    found = sales_of(artisan, period=period, before=Period(period.first, period.first), group_by=group_by)
    return {row.currency: row for row in found}


def booked_lines(artisan: Artisan, currency: str) -> Counter[date]:
    """Minor units of the lines on the artisan's accounts that are about earnings, as their page shows them, by day."""
    sums = Counter[date]()
    for name in ("pending", "available", "held"):
        for line in all_lines(artisan, account_of(artisan, name, currency)):
            if line.posting.entry.kind in BOOKED:
                sums[line.posting.entry.booked_on] += line.amount.minor
    return sums


class Steps:
    """Steps of trade that concern artisans, beside those of `Trade`."""

    def __init__(self, trade: Any) -> None:
        self.trade = trade
        trade.steps += [self.release, self.ship, self.take_back]

    def parcel(self, **conditions: Any) -> Parcel:
        return self.trade.one(Parcel.objects.filter(**conditions).select_related("artisan__user"))

    def release(self) -> None:
        order_release_earnings(self.trade.one(Order.objects.filter(released_at__isnull=False)).pk)

    def ship(self) -> None:
        parcel = self.parcel(status=ParcelStatus.NEW)
        parcel_ship(parcel_id=parcel.pk, carrier="DHL", tracking="", actor=parcel.artisan.user)

    def take_back(self) -> None:
        parcel = self.parcel(status=ParcelStatus.SHIPPED)
        parcel_return(parcel_id=parcel.pk, restock=True, actor=self.trade.staff)


def dispute_lost_and_won(items: dict[Product, int], time_machine: Any) -> None:
    """A sale, a lost dispute and its end, each on a day of its own."""
    payment = start(PaymentMethod.CREDIT_CARD, items)
    apply_card_captures(payment)
    for status in (RemoteDisputeStatus.LOST, RemoteDisputeStatus.WON):
        time_machine.shift(timedelta(days=1))
        dispute = RemoteDispute(f"du_1_{payment.currency}", Money(300, payment.currency), status)
        apply_card_captures(payment, disputes=(dispute,))
    time_machine.shift(timedelta(days=1))


def assert_equal_to_the_books(artisan: Artisan, sales: CurrencySales) -> None:
    lines = booked_lines(artisan, sales.currency)
    rows_by_day = {row.period.first: row.sold.net.minor for row in sales.rows if row.sold.net}
    assert rows_by_day == {day: minor for day, minor in lines.items() if minor}
    # What the page of earnings lists:
    earnings = Earning.objects.filter(artisan=artisan, currency=sales.currency).select_related("parcel")
    total, order_lines = sales.total, OrderLine.objects.filter(parcel__earning__in=earnings)
    assert total.net.minor == sum(row.remaining.minor for row in earnings)
    assert total.parcels == len(earnings)
    assert total.sales.minor == sum(row.parcel.total_minor for row in earnings)
    assert total.commission.minor == sum(row.parcel.commission_minor for row in earnings)
    assert total.units == sum(line.quantity for line in order_lines)
    in_all = sum(line.line_total_minor for line in order_lines)
    assert sum(row.sales.minor for row in sales.products) == in_all


@pytest.mark.parametrize("zone", ZONES)
def test_sales_equal_the_books_day_by_day(trade, bowl, scarf, settings, time_machine, zone):
    settings.TIME_ZONE = zone
    Steps(trade)
    artisans = [with_commission(product.artisan) for product in (bowl, scarf)]
    time_machine.move_to(BEGIN, tick=False)
    for currency in ("USD", "EUR"):
        StoreRules.objects.update(currency=currency)
        Product.objects.update(currency=currency)
        for product in trade.products:
            product.refresh_from_db()
        dispute_lost_and_won({bowl: 1, scarf: 2}, time_machine)
        for _ in range(120):
            time_machine.shift(timedelta(minutes=trade.random.choice([10, 90, 200])))
            trade.step()
    period = Period(date(2026, 10, 1), today())

    for artisan in artisans:
        found = found_of(artisan, period)
        assert set(found) == {"USD", "EUR"}
        for currency, sales in found.items():
            assert_equal_to_the_books(artisan, sales)
            refunds = [row.sold.refunds.minor for row in sales.rows]
            assert min(refunds) < 0 < max(refunds)  # the dispute that was lost, and won after all
            for group_by in GroupBy:  # the groups of a period are the same days
                grouped = found_of(artisan, period, group_by)[currency]
                assert sum(row.sold.net.minor for row in grouped.rows) == sales.total.net.minor
                assert sum(row.sold.sales.minor for row in grouped.rows) == sales.total.sales.minor


def test_every_kind_of_line_about_earnings_counts():
    assert set(BOOKED) <= set(LINE_LABELS)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 22, 59, tzinfo=UTC), date(2026, 3, 28)),
        ("Europe/Berlin", datetime(2026, 3, 29, 21, 59, tzinfo=UTC), date(2026, 3, 29)),  # has 23 hours
        ("Europe/Berlin", datetime(2026, 10, 24, 22, 0, tzinfo=UTC), date(2026, 10, 25)),  # has 25
        ("Europe/Berlin", datetime(2026, 10, 25, 22, 59, tzinfo=UTC), date(2026, 10, 25)),
        ("America/New_York", datetime(2026, 11, 2, 4, 59, tzinfo=UTC), date(2026, 11, 1)),
    ],
)
def test_days_are_those_of_the_shop(bowl, shopper, settings, time_machine, zone, moment, day):
    settings.TIME_ZONE, settings.STRIPE_SECRET_KEY = zone, "sk_test_of_nobody"
    time_machine.move_to(moment, tick=False)
    apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 2}, user=shopper))

    found = found_of(bowl.artisan, Period(day - timedelta(days=1), day + timedelta(days=1)))["USD"]

    assert [row.sold.units for row in found.rows] == [0, 2, 0]
    assert [bool(row.sold.net) for row in found.rows] == [False, True, False]


def test_groups_of_days():
    period = Period(date(2026, 10, 29), date(2026, 11, 30))

    weeks = groups_of(period, GroupBy.WEEK)
    assert [week.first.strftime("%a") for week in weeks] == ["Thu", *["Mon"] * 5]
    assert weeks[-1] == Period(date(2026, 11, 30), date(2026, 11, 30))
    assert groups_of(period, GroupBy.MONTH) == [
        Period(date(2026, 10, 29), date(2026, 10, 31)),
        Period(date(2026, 11, 1), date(2026, 11, 30)),
    ]
    assert len(groups_of(period, GroupBy.DAY)) == 33


@pytest.mark.parametrize(
    ("today", "query", "period", "before"),
    [
        ("2026-11-30", {}, "11-01 11-30", "10-02 10-31"),
        ("2026-11-30", {"period": "7"}, "11-24 11-30", "11-17 11-23"),
        ("2026-03-30", {"period": "month"}, "03-01 03-30", "02-01 02-28"),
        ("2028-02-29", {"period": "year"}, "01-01 02-29", "01-01 02-28"),
        ("2026-01-03", {"period": "month"}, "01-01 01-03", "12-01 12-03"),
        (
            "2026-11-30",
            {"period": "free", "from": "2026-03-02", "to": "2026-03-04"},
            "03-02 03-04",
            "02-27 03-01",
        ),
    ],
)
def test_period_and_the_one_before(time_machine, today, query, period, before):
    time_machine.move_to(f"{today} 12:00:00", tick=False)
    form = SalesForm(query)
    assert form.is_valid()
    shown = [f"{one.first:%m-%d} {one.last:%m-%d}" for one in (form.asked.period, form.asked.before)]
    assert shown == [period, before]


# ---- page and API ----------------------------------------------------------------------------------------------


@pytest.fixture
def sold(bowl, scarf, shopper, seller, settings, time_machine) -> None:
    """Two bowls on Monday, one of which another artisan's scarf goes with; the first is shipped after a day."""
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    time_machine.move_to("2026-11-23 12:00:00", tick=False)
    with_commission(bowl.artisan)
    payments = [
        start(PaymentMethod.CREDIT_CARD, items, user=shopper) for items in ({bowl: 1}, {bowl: 1, scarf: 1})
    ]
    for payment in payments:
        apply_card_captures(payment)
    time_machine.move_to("2026-11-24 12:00:00", tick=False)
    parcel = Parcel.objects.get(order=payments[0].order, artisan=bowl.artisan)
    parcel_ship(parcel_id=parcel.pk, carrier="DHL", tracking="JD014", actor=seller)


def test_artisan_reads_their_own_sales_and_nothing_else(sold, browser, seller, shopper, scarf):
    response = browser(seller).get(f"{PAGE}?period=7")
    shown = page(response).text

    for text in ("Parcels 2 0 –", "Units 2 0 –", "Sales $198.30", "Commission $17.10", "You earned $181.20"):
        assert text in shown
    assert "Time to ship 24 hours" in shown
    assert "Nov 23, 2026 2 2 $198.30 $17.10 $0.00 $181.20" in shown
    content = response.content.decode()
    series = "first $0.00, last $0.00, highest $181.20 (Nov 23, 2026)."
    assert f'data-series="You earned: {series}"' in content
    assert 'data-value="181.20"' in content
    for secret in (shopper.email, shopper.name, scarf.name, scarf.artisan.name, "JD014"):
        assert secret not in content


def test_sales_of_a_year_are_read_in_four_queries(sold, bowl):
    period = Period(date(2026, 1, 1), date(2026, 11, 24))
    with CaptureQueriesContext(connection) as asked:
        assert found_of(bowl.artisan, period, GroupBy.MONTH)
    assert len(asked) == 4  # beside who signed in, and what every page of a workshop asks


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("period=free", "Choose the first and the last day."),
        ("period=free&from=2026-11-02&to=2026-11-01", "not before the first"),
        ("period=free&from=2026-11-02&to=2999-11-01", "Choose today or an earlier day."),
        ("period=free&from=1999-11-02&to=2026-11-01", "2000 or later"),
        ("period=free&from=2016-11-02&to=2026-11-01", "five years at most"),
        ("period=free&from=2024-11-02&to=2026-11-01&group_by=day", "Group by week or month"),
        ("period=decade", "Select a valid choice"),
        ("period=free&from=2026-02-30&to=x", "Enter a valid date."),
    ],
)
def test_period_that_cannot_be(sold, browser, seller, query, text):
    response = browser(seller).get(f"{PAGE}?{query}")
    assert response.status_code == 400
    assert text in page(response).text
    assert browser(seller).get(f"/shop/artisan/exports/sales/?{query}").status_code == 400


def test_no_sales_at_all_and_none_on_these_days(browser, seller, bowl, request):
    assert "Nothing sold yet" in page(browser(seller).get(PAGE)).text

    request.getfixturevalue("sold")

    shown = page(browser(seller).get(f"{PAGE}?period=free&from=2026-01-01&to=2026-02-01"))
    assert "No sales in this period" in shown.text
    assert "Show November 2026, when you last sold something" in shown.text


def test_helpers_do_not_see_sales(sold, browser, api):
    helper = rows.helper()
    assert browser(helper).get(PAGE).status_code == 404
    assert browser(helper).get("/shop/artisan/exports/sales/").status_code == 404
    assert problem(api(helper).get(API), 404)["code"] == "not_found"


def test_file_has_the_rows_of_the_page(sold, browser, seller):
    response = browser(seller).post(
        "/shop/artisan/exports/sales/?period=7&group_by=week",
        {
            "file_format": "csv",
            "columns": ["first", "last", "currency", "units", "sales", "net", "hours_to_ship"],
        },
    )
    shown = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert shown[1:] == [
        "2026-11-18,2026-11-22,USD,0,0.00,USD,0.00,USD,",
        "2026-11-23,2026-11-24,USD,2,198.30,USD,181.20,USD,24",
    ]


def test_sales_by_api(sold, api, seller, bowl):
    body = api(seller).get(f"{API}?from=2026-11-23&to=2026-11-24&group_by=week").json()

    assert body["before"] == {"from": "2026-11-21", "to": "2026-11-22"}
    [usd] = body["currencies"]
    expected = {
        "parcels": 2,
        "units": 2,
        "sales": "198.30",
        "commission": "17.10",
        "payment_fees": "0.00",
        "refunds": "0.00",
        "net": "181.20",
        "ship_seconds": 86_400,
    }
    assert usd["total"] == expected
    assert usd["rows"] == [{"from": "2026-11-23", "to": "2026-11-24"} | expected]
    [product] = usd["products"]
    assert (product["product_id"], product["units"]) == (str(bowl.pk), 2)


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("from=2026-11-23", "to", "required"),
        ("from=2026-11-23&to=2026-11-22", "to", "order"),
        ("from=2026-11-23&to=2026-11-29&group_by=hour", "group_by", "invalid_choice"),
        ("from=23.11.2026&to=2026-11-29", "from", "invalid"),
        ("period=7", "period", "unknown"),
    ],
)
def test_api_refuses_a_period_that_cannot_be(sold, api, seller, query, field, code):
    body = problem(api(seller).get(f"{API}?{query}"), 400)
    [error] = [row for row in body["errors"] if field in str(row)]
    assert error["code"] == code
