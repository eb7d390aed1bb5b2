"""The pages of figures in each of their states."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from artisans.core.heartbeats import heartbeat_record
from artisans.core.models import Heartbeat
from artisans.core.money import CURRENCIES
from artisans.figures.admin import page_address
from artisans.figures.counting import DRAIN, figures_check, marks_drain
from artisans.figures.days import DAY, today
from artisans.figures.display import comparison, shown_value
from artisans.figures.doctor import check_figures
from artisans.figures.evaluate import Figure
from artisans.figures.families import FAMILIES
from artisans.figures.models import PaymentCell
from artisans.figures.pages import DIVIDED, PAGES, RECORDED, TODAY
from artisans.figures.registry import METRICS
from artisans.figures.tests.cells import put
from artisans.figures.words import code_text
from payments.tests.factories import start
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

EACH_PAGE = pytest.mark.parametrize("name", PAGES)


@pytest.fixture
def get(browser, staff):
    client = browser(staff)
    client.get("/admin/")
    return lambda name="payments", headers=None, **query: client.get(
        f"{page_address(name)}?{urlencode(query)}", headers=headers
    )


@pytest.fixture
def cells(bowl):
    """Of two periods of a week, beside a fact, without which there is nothing to count."""
    start(items={bowl: 1})
    marks_drain()
    for family in ("payments", "orders", "settled", "refunds", "disputes", "journeys", "problems"):
        FAMILIES[family].model._default_manager.all().delete()
    for days, paid, lost in ((1, 15, 10), (8, 9, 1)):
        day, card = today() - days * DAY, {"method": "credit_card", "provider": "stripe", "currency": "USD"}
        put("payments", day, **card, paid=paid, lost=lost, switched=2)
        put("orders", day, currency="USD", paid=paid, closed=lost)
        put(
            "settled",
            day,
            **card,
            payments=paid,
            payments_minor=1050 * paid,
            captures=paid,
            captures_minor=10_000,
        )
        put("refunds", day, **card, refunds=1, refunds_minor=100 * days)
        put("journeys", day, channel="page", currency="USD", started=50, cart=40, details=30, placed=20)
        put("problems", day, channel="page", step="payment", kind="form", code="phone", problems=3)


def text(answer, status=200):
    assert answer.status_code == status
    return " ".join(page(answer).text.split())


def test_each_metric_is_on_one_page():
    shown = [name for one in PAGES.values() for name in one.metrics]

    assert sorted(shown) == sorted(METRICS)
    assert set(TODAY) <= set(METRICS)
    assert all(METRICS[name].dimensions.count(dimension) for name, dimension in DIVIDED.items())
    assert set(RECORDED) <= set(FAMILIES)


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (12, 10, "20.0 % higher (it was 10)"),
        (8, 10, "20.0 % lower (it was 10)"),
        (99, 10, "890.0 % higher (it was 10)"),
        (100, 10, "10 times as much (it was 10)"),
        (2002, 9, "222 times as much (it was 9)"),
        (0, 10, "100.0 % lower (it was 10)"),
        (3, 0, "Previously: none."),
        (0, 0, "Unchanged."),
    ],
)
def test_counts_are_compared_in_percent_or_times(now, before, words):
    metric = replace(METRICS["recovered_carts"], better="")
    figures = (Figure("", count, None, Decimal(count), is_thin=False) for count in (now, before))

    assert comparison(metric, *figures) == (words, "")


@pytest.mark.parametrize(
    ("is_over", "words", "tone"),
    [(True, "50.0 % worse (it was 8)", "worse"), (False, "Until now; it was 8.", "")],
)
def test_numbers_are_not_judged_before_the_day_is_over(is_over, words, tone):
    metric = replace(METRICS["recovered_carts"], better="up")
    now, before = (Figure("", count, None, Decimal(count), is_thin=False) for count in (4, 8))

    shown = shown_value(metric, now, {"": before}, is_over=is_over)

    assert (shown.comparison, shown.tone) == (words, tone)


def test_period_of_whole_days_or_with_today_is_over_or_not(get, cells):
    assert "Until now; it was" in text(get("checkout", period="7", compare="previous"))
    first, last = today() - 7 * DAY, today() - DAY
    shown = text(get("checkout", period="free", compare="previous", **{"from": first, "to": last}))
    assert "Until now" not in shown


def test_figure_has_its_comparison_interval_definition_and_table(get, cells):
    shown = page(get(period="7", compare="previous"))
    card = next(
        node
        for node in shown.all("section")
        if node.attrs["aria-labelledby"] == "figure-payment_success_rate"
    )

    assert [node.text for node in card.all("p")][:2] == ["60.0 %", "30.0 points worse (it was 90.0 %)"]
    assert str(METRICS["payment_success_rate"].sentence) in card.text
    assert "Replaced by another payment: 2." in card.text
    rows = [[cell.text for cell in row.all("td")] for row in card.all("tr")[1:]]
    assert len(rows) == 7
    assert [row for row in rows if row[0] != "–"] == [["60.0 %", "15", "25"]]
    assert [cell.attrs["data-value"] for cell in card.all("tr")[-2].all("td")] == ["0.6000", "15", "25"]


@pytest.mark.parametrize(
    ("disputes", "label"),
    [(4, ""), (5, "Needs attention: 0.5 % or more"), (9, "Needs attention"), (10, "Too high: 1.0 % or more")],
)
def test_ratio_of_disputes_says_which_limit_it_has_reached(get, cells, disputes, label):
    card = {"method": "credit_card", "provider": "stripe", "currency": "EUR"}
    put("settled", today(), **card, captures=1000)
    put("disputes", today(), **card, opened=disputes - 1, warnings=1)

    shown = text(get("refunds", period="today"))

    assert label in shown
    assert ("Needs attention" in shown or "Too high" in shown) == bool(label)


def test_thin_figure_has_its_interval_and_a_declined_sense_of_better(get, cells):
    day = today() - 8 * DAY
    shown = text(get(period="free", **{"from": day, "to": day}))

    assert "Only 10 in this period: the true share may be from 59.6 % to 98.2 %." in shown
    assert "$10.50" in shown


def test_period_filters_and_division_are_in_the_address(get, cells):
    assert "25" in text(get(period="30", provider="stripe", method="credit_card", currency="USD"))
    assert "cannot be filtered like that" in text(get(period="30", channel="page"))
    assert "Phone" in text(get("checkout", channel="page"))
    shown = text(get("checkout", period="7"))
    assert re.search(r"First item in the cart 50 100.0 % .* Placed 20 40.0 %", shown)


@EACH_PAGE
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"period": "week"}, "Select a valid choice"),
        ({"period": "free"}, "Enter the first day"),
        ({"period": "free", "from": "2026-13-01"}, "Enter a valid date"),
        ({"period": "free", "from": "0001-01-01"}, "2000 or later"),
        ({"period": "free", "from": "2026-02-01", "to": "2026-01-01"}, "not before the first"),
        ({"period": "free", "from": "2010-01-01", "to": "2020-01-01"}, "five years at most"),
        ({"period": "free", "from": "2026-01-01", "to": "2099-01-01"}, "today or an earlier day"),
        ({"currency": "XXX"}, "Select a valid choice"),
        ({"method": "gold\x00"}, "Select a valid choice"),
    ],
)
def test_bad_filter_is_an_error_of_the_form(get, name, query, words):
    assert words in text(get(name, **query), 400)


@EACH_PAGE
@pytest.mark.parametrize("period", ["today", "7", "30", "90", "month", "quarter", "year"])
def test_each_page_takes_at_most_eight_queries(get, cells, name, period, django_assert_max_num_queries):
    get(name, period=period)
    with django_assert_max_num_queries(8):
        get(name, period=period, compare="previous_year")


@EACH_PAGE
def test_empty_shop_says_so(get, name):
    assert "There is nothing to count yet." in text(get(name))


@pytest.mark.parametrize("name", ["payments", "refunds"])
def test_period_without_anything_links_to_the_nearest_with_something(get, cells, name):
    answer = get(name, period="free", **{"from": "2020-01-01", "to": "2020-01-07"})
    shown = page(answer)
    link = next(node for node in shown.all("a") if node.text.startswith("Show "))

    assert "Nothing in this period with these filters." in shown.text
    nearest = get(name, **dict(parse_qsl(link.attrs["href"][1:])))
    assert "with these filters" not in text(nearest)


def test_days_that_are_not_counted_yet_are_told(get, bowl):
    start(items={bowl: 1})
    assert "1 day of this period is still being counted" in text(get())
    marks_drain()
    assert "being counted" not in text(get())


def test_silent_worker_is_told_with_its_time(get, cells):
    heartbeat_record(DRAIN)
    assert "Not updated since" not in text(get())
    Heartbeat.objects.filter(pk=DRAIN).update(at=timezone.now() - timedelta(minutes=4))
    assert "Not updated since" in text(get())


def test_difference_of_the_nightly_check_is_a_red_line_until_the_next_one(bowl, time_machine, request):
    start(items={bowl: 1})
    marks_drain()
    time_machine.move_to(timezone.now() + DAY)
    marks_drain()
    get = request.getfixturevalue("get")  # signed in today
    PaymentCell.objects.update(paid=7)
    assert len(figures_check()) == 1
    assert "Some figures are wrong." in text(get())
    [line] = check_figures()
    assert (line.state, "payments" in line.value) == ("problem", True)
    assert "Some figures are wrong." not in text(get("refunds"))
    PaymentCell.objects.update(paid=0)
    assert figures_check() == []
    assert "Some figures are wrong." not in text(get())
    assert [line.state for line in check_figures()] == ["ok"]


def test_recorded_later_than_the_period_begins_is_told(get, cells):
    assert "Recorded since" in text(get("checkout", period="90"))
    assert "Recorded since" not in text(get("refunds", period="90"))


def test_polling_gets_the_figures_once_and_then_304(get, cells):
    asked = {"HX-Request": "true"}
    tag = get().headers["ETag"]
    answer = get(headers=asked | {"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    put("payments", today() - 2 * DAY, provider="stripe", paid=1)
    answer = get(headers=asked | {"If-None-Match": tag})
    assert (answer.status_code, b"<html" in answer.content) == (200, False)
    assert answer.headers["ETag"] != tag


def test_polling_after_the_session_ended_gets_the_sign_in_without_a_tag(get, client, cells):
    """By which the script knows that it ended (static/js/figures.js)."""
    answer = client.get(page_address("payments"), headers={"HX-Request": "true"}, follow=True)
    assert (answer.status_code, "ETag" in answer.headers) == (200, False)
    assert "/login/" in answer.redirect_chain[-1][0]


def test_fifty_currencies_are_columns_of_one_table_each_with_its_number(get, cells):
    codes = [code for code in sorted(CURRENCIES) if code != "USD"][:49]
    for code in codes:
        put("settled", today() - DAY, method="credit_card", currency=code, payments=2, payments_minor=2100)

    shown = page(get(period="7"))

    [card] = [
        node
        for node in shown.all("section")
        if node.attrs["aria-labelledby"] == "figure-average_transaction_value"
    ]
    assert [node.text for node in card.all("th")][1:51] == sorted([*codes, "USD"])
    assert len([node for node in card.all("p") if node.attrs.get("class") == "aa-number"]) == 50


def test_file_has_the_numbers_of_the_table(get, cells):
    answer = get(period="7", csv="payment_success_rate")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "Day,Share,Number,Out of"
    assert f"{today() - DAY},0.6000,15,25" in lines
    assert len(lines) == 8
    assert get(csv="happiness").status_code == 400
    assert b"phone,3" in b"".join(get("checkout", period="7", csv="problems").streaming_content)


def test_figures_of_test_money_say_so_on_each_page_and_in_files(get, browser, staff, cells, card_shop):
    assert "Test money" in text(get())
    assert "Figures of today Test money" in text(browser(staff).get("/admin/"))
    answer = get(csv="payment_success_rate")
    assert b"".join(answer.streaming_content).decode("utf-8-sig").startswith("Day (test money),Share")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("insufficient_funds", "Insufficient funds"),
        ("INSTRUMENT_DECLINED", "Card or bank account declined"),
        ("billing_city", "Town or city (billing)"),
        ("of_next_year", "Of next year"),
        ("ReadTimeout", "No answer within the time limit"),
        ("5120", "Code 5120"),
        ("", "none"),
    ],
)
def test_codes_have_words(code, words):
    assert code_text(code) == words


def test_start_page_has_the_figures_of_today(get, browser, staff, cells, django_assert_max_num_queries):
    put("payments", today(), method="check", paid=3, lost=1)
    client = browser(staff)
    client.get("/admin/")
    with django_assert_max_num_queries(9):
        shown = text(client.get("/admin/"))
    assert "Payments that succeeded 75.0 %" in shown


def test_only_who_may_view_metrics_sees_pages_and_links(browser, powerless_staff, staff):
    client, addresses = browser(powerless_staff), [page_address(name) for name in PAGES]
    assert [client.get(address).status_code for address in addresses] == [403] * len(PAGES)
    assert "Figures of today" not in client.get("/admin/").content.decode()
    powerless_staff.groups.add(Group.objects.get(name="Auditors"))
    client = browser(powerless_staff)
    shown = client.get("/admin/").content.decode()
    assert all(address in shown for address in addresses)
    assert {client.get(address).status_code for address in addresses} == {200}
    assert client.post(addresses[0]).status_code == 405
    assert reverse("admin:figures_countedday_changelist") == addresses[0]


# ---- the chart ---------------------------------------------------------------------------------------------------


def luminance(color):
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("theme", "card"), [("light", "#ffffff"), ("dark", "#111827")])
def test_series_stand_out_from_the_card(theme, card):
    script = (Path(settings.BASE_DIR) / "static/js/figures.js").read_text()
    colors = re.findall("#[0-9A-F]{6}", re.search(rf"{theme}: \[(.*?)\]", script)[1])
    assert len(set(colors)) == 5
    for color in colors:
        low, high = sorted((luminance(color), luminance(card)))
        assert (high + 0.05) / (low + 0.05) >= 3, color
