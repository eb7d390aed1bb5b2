"""The page on which artisans see what they sold."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from artisans.catalog.access import require_owner
from artisans.core.money import half_up
from artisans.core.templatetags.money import money
from artisans.figures.days import Period, today
from artisans.figures.display import Cell, period_text, series_text
from artisans.figures.sales.forms import SalesForm
from artisans.figures.sales.periods import GroupBy, PeriodChoice, end_of_group
from artisans.figures.sales.selectors import CurrencySales, last_sale, sales_of

HOUR, HOURS = 3600, 24
NOTHING = "–"
AMOUNTS = {
    "sales": gettext_lazy("Sales"),
    "commission": gettext_lazy("Commission"),
    "payment_fees": gettext_lazy("Payment fees"),
    "refunds": gettext_lazy("Refunds"),
    "net": gettext_lazy("You earned"),
}
CHARTED = ("sales", "net")
ALWAYS = {AMOUNTS["sales"], AMOUNTS["net"]}


class ComparedRow(NamedTuple):
    """A figure of the period and of the one before, as texts."""

    label: str
    now: str
    before: str
    change: str


@login_required
@require_GET
def sales(request: HttpRequest) -> HttpResponse:
    artisan = require_owner(request)
    form = SalesForm(request.GET)
    context: dict[str, Any] = {"form": form, "periods": PeriodChoice, "groups": GroupBy}
    if not form.is_valid():
        return render(request, "figures/sales.html", context, status=400)
    asked = form.asked
    found = sales_of(artisan, period=asked.period, before=asked.before, group_by=asked.group_by)
    latest = None if found else last_sale(artisan)
    context |= {
        "asked": asked,
        "shown": [(row, comparisons(row), {name: series_of(row, name) for name in CHARTED}) for row in found],
        "is_new": not found and latest is None,
        "latest": latest and month_of(latest),
    }
    return render(request, "figures/sales.html", context)


def month_of(day: date) -> Period:
    """Its month up to today."""
    return Period(day.replace(day=1), min(end_of_group(day, GroupBy.MONTH), today()))


def series_of(found: CurrencySales, name: str) -> str:
    """A line of the chart in words."""
    amounts = [(period_text(period), getattr(sold, name)) for period, sold in found.rows]
    return series_text(
        str(AMOUNTS[name]), [(label, Cell(money(amount), amount.amount)) for label, amount in amounts]
    )


def comparisons(found: CurrencySales) -> list[ComparedRow]:
    now, before = found.total, found.before
    counts = ((_("Parcels"), now.parcels, before.parcels), (_("Units"), now.units, before.units))
    amounts = [(label, getattr(now, name), getattr(before, name)) for name, label in AMOUNTS.items()]
    return [
        *(ComparedRow(label, str(a), str(b), change_text(a, b)) for label, a, b in counts),
        *(
            ComparedRow(str(label), money(a), money(b), change_text(a.minor, b.minor))
            for label, a, b in amounts
            if a or b or label in ALWAYS
        ),
        ComparedRow(
            _("Time to ship"),
            duration(now.ship_seconds),
            duration(before.ship_seconds),
            change_text(now.ship_seconds or 0, before.ship_seconds or 0),
        ),
    ]


def change_text(now: int, before: int) -> str:
    """In percent of what was before; a dash where that says nothing."""
    if before <= 0 or now < 0:
        return NOTHING
    tenths = half_up(abs(now - before) * 1000, before)
    sign = "" if now == before else "+" if now > before else "\N{MINUS SIGN}"
    return _("%(sign)s%(number)s %%") % {
        "sign": sign,
        "number": number_format(Decimal(tenths).scaleb(-1), decimal_pos=1),
    }


def duration(seconds: int | None) -> str:
    """In hours, and from two days on in days, rounded half up."""
    if seconds is None:
        return NOTHING
    hours = half_up(seconds, HOUR)
    if not hours:
        return _("Less than an hour")
    if hours < 2 * HOURS:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = half_up(hours, HOURS)
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
