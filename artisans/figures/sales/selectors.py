"""What an artisan sold in a period, by day: from their earnings, and from what was booked on their accounts.

A parcel counts on the day on which it was earned, with its amounts as agreed. What refunds, cancellations and disputes
took back of it later counts on the day on which it was booked, so that the days of the past stay as they were, and add
up to the lines of the artisan's accounts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, F, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from artisans.catalog.models import Artisan
from artisans.core.changes import day_of
from artisans.core.money import Money
from artisans.figures.days import DAY, Period, Span, start_of
from artisans.figures.sales.periods import GroupBy, groups_of
from artisans.ledger.models import EntryKind, LedgerPosting
from orders.models import LINE_NET, OrderLine, ParcelTransition
from orders.statuses import ParcelStatus
from payments.models import Earning

# What is booked for the earnings of an order (payments/bookkeeping/earnings.py). A release only moves money between
# the artisan's accounts, unless something else changed with it.
BOOKED = (
    *(EntryKind.SALE, EntryKind.SALE_CANCELLED, EntryKind.CLAWBACK, EntryKind.CLAWBACK_REVERSED),
    *(EntryKind.FEE_SHARE, EntryKind.RELEASE),
)
SHOWN_PRODUCTS = 10


@dataclass(frozen=True, slots=True)
class Sold:
    """Of one currency and some days. `sales`: totals of the parcels without the tax that the shop remits; `commission`:
    with the tax on it; `refunds`: the artisan's part of what was taken back, less what came back again."""

    parcels: int
    units: int
    sales: Money
    commission: Money
    payment_fees: Money
    refunds: Money
    net: Money
    ship_seconds: int | None  # half of the parcels that were shipped took at most as long

    def __bool__(self) -> bool:
        return bool(self.parcels or self.net or self.refunds or self.payment_fees)


class Row(NamedTuple):
    period: Period
    sold: Sold


class ProductSales(NamedTuple):
    """`sales`: of its units, without tax and shipping."""

    product_id: UUID
    name: str
    units: int
    sales: Money


@dataclass(frozen=True, slots=True)
class CurrencySales:
    """`before`: of the period before. `products`: those that brought in most, at most ten."""

    currency: str
    total: Sold
    before: Sold
    rows: list[Row]
    products: list[ProductSales]

    @property
    def has_payment_fees(self) -> bool:
        return any(row.sold.payment_fees for row in self.rows)


@dataclass(slots=True)
class Day:
    """`sums`: parcels and units, and minor units by the names of `Sold`. `ship_times`: in seconds."""

    sums: Counter[str]
    ship_times: list[int]


Days = Mapping[str, Mapping[date, Day]]  # by currency
Rows = Iterable[Mapping[str, Any]]


def sales_of(artisan: Artisan, *, period: Period, before: Period, group_by: GroupBy) -> list[CurrencySales]:
    """One for each currency in which something was sold or booked in the period or the one before."""
    days = read_days(artisan, Period(before.first, period.last))
    products = best_products(artisan, period) if days else {}
    found = []
    for currency in sorted(days):
        total, earlier = (sold(currency, days[currency], part) for part in (period, before))
        if total or earlier:
            rows = [Row(part, sold(currency, days[currency], part)) for part in groups_of(period, group_by)]
            found.append(CurrencySales(currency, total, earlier, rows, products.get(currency, [])))
    return found


def sold(currency: str, days: Mapping[date, Day], period: Period) -> Sold:
    sums, times = Counter[str](), list[int]()
    day = period.first
    while day <= period.last:
        if found := days.get(day):
            sums.update(found.sums)
            times += found.ship_times
        day += DAY
    refunds = sums["sales"] - sums["commission"] - sums["payment_fees"] - sums["net"]
    return Sold(
        parcels=sums["parcels"],
        units=sums["units"],
        sales=Money.stored(sums["sales"], currency),
        commission=Money.stored(sums["commission"], currency),
        payment_fees=Money.stored(sums["payment_fees"], currency),
        refunds=Money.stored(refunds, currency),
        net=Money.stored(sums["net"], currency),
        ship_seconds=median(times),
    )


def median(values: Iterable[int]) -> int | None:
    """By nearest rank: one of the values."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def read_days(artisan: Artisan, period: Period) -> Days:
    """In three queries."""
    days: dict[str, dict[date, Day]] = defaultdict(lambda: defaultdict(lambda: Day(Counter(), [])))
    for row in earned(artisan, period):
        commission = row["commission"] + row["commission_tax"]
        days[row["currency"]][row["day"]].sums.update(
            parcels=row["parcels"],
            units=row["units"] or 0,
            sales=row["agreed"] + commission,
            commission=commission,
        )
    for row in booked(artisan, period):
        sums = {"net": -row["sum"], "payment_fees": row["fees"] or 0}
        days[row["currency"]][row["entry__booked_on"]].sums.update(sums)
    for currency, shipped_at, released_at in shipped(artisan, period):
        days[currency][day_of(shipped_at)].ship_times.append(
            (shipped_at - released_at) // timedelta(seconds=1)
        )
    return days


def span_of_period(period: Period) -> Span:
    return Span(start_of(period.first), start_of(period.last + DAY))


def earned(artisan: Artisan, period: Period) -> Rows:
    """Also what is not earned any more: that was booked on a day of its own."""
    units = OrderLine.objects.filter(parcel=OuterRef("parcel")).order_by().values("parcel")
    rows = Earning.objects.filter(artisan=artisan, **span_of_period(period).of("created_at")).annotate(
        day=TruncDate("created_at", tzinfo=timezone.get_default_timezone()),
        parcel_units=Subquery(units.values(sum=Sum("quantity"))),
    )
    found: Rows = (
        rows.order_by()
        .values("currency", "day")
        .annotate(
            parcels=Count("pk"),
            units=Sum("parcel_units"),
            agreed=Sum("net_minor"),
            commission=Sum("parcel__commission_minor"),
            commission_tax=Sum("parcel__commission_tax_minor"),
        )
    )
    return found


def booked(artisan: Artisan, period: Period) -> Rows:
    """What changed all accounts of the artisan together; credits are negative."""
    rows = LedgerPosting.objects.filter(
        account__artisan=artisan,
        entry__kind__in=BOOKED,
        entry__booked_on__gte=period.first,
        entry__booked_on__lte=period.last,
    )
    found: Rows = (
        rows.order_by()
        .values("currency", "entry__booked_on")
        .annotate(
            sum=Sum("amount_minor"), fees=Sum("amount_minor", filter=Q(entry__kind=EntryKind.FEE_SHARE))
        )
    )
    return found


def shipped(artisan: Artisan, period: Period) -> Iterable[tuple[str, datetime, Any]]:
    """Currency, when it was shipped, and since when it could be."""
    moves = ParcelTransition.objects.filter(
        new=ParcelStatus.SHIPPED,
        parcel__artisan=artisan,
        parcel__order__released_at__isnull=False,
        **span_of_period(period).of("at"),
    )
    return moves.order_by().values_list("parcel__currency", "at", "parcel__order__released_at")


def best_products(artisan: Artisan, period: Period) -> dict[str, list[ProductSales]]:
    """By currency, of the parcels that were earned in the period."""
    earned_in = {
        f"parcel__earning__{name}": at for name, at in span_of_period(period).of("created_at").items()
    }
    lines = OrderLine.objects.filter(parcel__earning__artisan=artisan, **earned_in)
    sums = (
        lines.order_by()
        .values("currency", "product")
        .annotate(name=Max("product_name"), units=Sum("quantity"), minor=Sum(LINE_NET))
    )
    found: dict[str, list[ProductSales]] = defaultdict(list)
    for row in sums.order_by("currency", F("minor").desc(), "product"):
        if len(found[row["currency"]]) < SHOWN_PRODUCTS:
            money = Money.stored(row["minor"], row["currency"])
            found[row["currency"]].append(ProductSales(row["product"], row["name"], row["units"], money))
    return found


def last_sale(artisan: Artisan) -> date | None:
    """The day of the latest sale of all."""
    at = Earning.objects.filter(artisan=artisan).order_by("-created_at").values_list("created_at", flat=True)
    latest = at.first()
    return day_of(latest) if latest else None
