"""The rows of an artisan's sales as a list to export."""

from typing import NamedTuple

from django.core.exceptions import BadRequest
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from artisans.catalog.access import Membership
from artisans.core.file_columns import FileColumn, Kind
from artisans.exports.lists import ExportList
from artisans.figures.sales.forms import SalesForm
from artisans.figures.sales.selectors import CurrencySales, Row, sales_of
from artisans.workshop.export_lists import SOURCE, filters_of

NAME, TITLE = "sales", _("Sales")
SECONDS_OF_HOUR = 3600


class CurrencyRow(NamedTuple):
    currency: str
    row: Row


def sales_list(member: Membership, query: QueryDict) -> ExportList:
    """Errors: BadRequest for a period that cannot be."""
    form = SalesForm(query)
    if not form.is_valid():
        raise BadRequest
    asked = form.asked
    found = sales_of(member.artisan, period=asked.period, before=asked.before, group_by=asked.group_by)
    rows = rows_of(found)
    days = [date_format(day, "SHORT_DATE_FORMAT") for day in (asked.period.first, asked.period.last)]
    return ExportList(
        name=f"{SOURCE}:{NAME}",
        title=str(TITLE),
        columns=COLUMNS,
        count=lambda: len(rows),
        batches=lambda: iter([rows]),
        filters=filters_of((_("Period"), " – ".join(days)), (_("Group by"), asked.group_by.label)),
    )


def rows_of(found: list[CurrencySales]) -> list[CurrencyRow]:
    return [CurrencyRow(sales.currency, row) for sales in found for row in sales.rows]


def hours_to_ship(row: CurrencyRow) -> int | None:
    """Whole hours, begun ones included."""
    seconds = row.row.sold.ship_seconds
    return None if seconds is None else -(-seconds // SECONDS_OF_HOUR)


COLUMNS = (
    FileColumn("first", _("First day"), lambda found: found.row.period.first, Kind.DAY),
    FileColumn("last", _("Last day"), lambda found: found.row.period.last, Kind.DAY),
    FileColumn("currency", _("Currency"), lambda found: found.currency),
    FileColumn("parcels", _("Parcels"), lambda found: found.row.sold.parcels, Kind.NUMBER),
    FileColumn("units", _("Units"), lambda found: found.row.sold.units, Kind.NUMBER),
    FileColumn("sales", _("Sales"), lambda found: found.row.sold.sales, Kind.MONEY),
    FileColumn("commission", _("Commission"), lambda found: found.row.sold.commission, Kind.MONEY),
    FileColumn("payment_fees", _("Payment fees"), lambda found: found.row.sold.payment_fees, Kind.MONEY),
    FileColumn("refunds", _("Refunds"), lambda found: found.row.sold.refunds, Kind.MONEY),
    FileColumn("net", _("You earned"), lambda found: found.row.sold.net, Kind.MONEY),
    FileColumn("hours_to_ship", _("Hours to ship"), hours_to_ship, Kind.NUMBER),
)
