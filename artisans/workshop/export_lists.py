"""Lists that artisans export: products, stock, parcels, earnings, and the lines of their accounts."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.http import Http404, QueryDict
from django.utils.translation import gettext_lazy as _

from artisans.accounts.models import User
from artisans.catalog.access import Membership, membership_of
from artisans.catalog.low_stock import low
from artisans.catalog.models import ProductState
from artisans.catalog.selectors import own_products
from artisans.catalog.stock_history import products_named, stock_products
from artisans.core.file_columns import FileColumn, Kind, StrOrPromise
from artisans.core.money import CURRENCIES, Money
from artisans.core.texts import search_text
from artisans.earnings.earning_display import EarningDisplay
from artisans.earnings.releases import with_block, with_times
from artisans.earnings.selectors import (
    ACCOUNT_LABELS,
    ACCOUNTS,
    Line,
    account_of,
    all_lines,
    default_currency,
    postings_of,
)
from artisans.exports.lists import BATCH, ExportList, rows_by_key
from orders.models import Parcel
from orders.parcel_display import status_text
from orders.parcel_lists import ParcelList, parcels_found, parcels_listed
from orders.selectors import parcels_of_artisan, store_rules
from orders.shipments import progress_of
from payments.models import Earning, EarningStatus

SOURCE = "artisan"
MAX_SEARCH = 60


class Found(NamedTuple):
    """The rows of a list in their order, and the chosen filters for people."""

    rows: QuerySet[Any]
    columns: Sequence[FileColumn]
    filters: Sequence[tuple[str, str]] = ()
    prepare: Callable[[list[Any]], list[Any]] = lambda rows: rows


class ArtisanList(NamedTuple):
    title: StrOrPromise
    find: Callable[[Membership, QueryDict], "Found | ExportList"]
    is_for_owners: bool = False


def artisan_list(user: User, name: str, query: QueryDict) -> ExportList:
    """Errors: Http404 for an unknown list, for people without a workshop, and for helpers where it is about money."""
    found_list, member = LISTS.get(name), membership_of(user) if user.is_artisan else None
    if found_list is None or member is None or not may_read(found_list, member):
        raise Http404
    found = found_list.find(member, query)
    if isinstance(found, ExportList):
        return found
    rows = found.rows
    all_rows = rows.order_by()

    def load(keys: Sequence[Any]) -> list[Any]:
        return found.prepare(list(all_rows.filter(pk__in=keys)))

    return ExportList(
        name=f"{SOURCE}:{name}",
        title=str(found_list.title),
        columns=found.columns,
        count=all_rows.count,
        batches=partial(rows_by_key, rows, load),
        filters=found.filters,
    )


def may_read(found: ArtisanList, member: Membership) -> bool:
    return member.is_owner or not found.is_for_owners


def text_in(query: QueryDict, name: str = "q") -> str:
    return search_text(query.get(name, ""))[:MAX_SEARCH]


def filters_of(*filters: tuple[StrOrPromise, StrOrPromise]) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in filters if value]


ID = FileColumn("id", _("ID"), lambda row: row.pk)

# ---- products and stock ----------------------------------------------------------------------------------------


def products(member: Membership, query: QueryDict) -> Found:
    q, state = text_in(query), query.get("state", "")
    label = dict(ProductState.choices).get(state, "")
    rows = own_products(member.artisan, q=q, state=state if label else "")
    return Found(rows, PRODUCT_COLUMNS, filters_of((_("Search"), q), (_("State"), label)))


PRODUCT_COLUMNS = (
    ID,
    FileColumn("name", _("Name"), lambda row: row.name),
    FileColumn("sku", _("SKU"), lambda row: row.sku),
    FileColumn("category", _("Category"), lambda row: row.category.name),
    FileColumn("state", _("State"), lambda row: ProductState(row.state).label),
    FileColumn("price", _("Price"), lambda row: row.price, Kind.MONEY),
    FileColumn("stock", _("In stock"), lambda row: row.available, Kind.NUMBER),
    FileColumn("lead_days", _("Made to order in (days)"), lambda row: row.lead_days, Kind.NUMBER),
    FileColumn("created", _("Created"), lambda row: row.created_at, Kind.TIME),
)


def stock(member: Membership, query: QueryDict) -> Found:
    q, shown = text_in(query), query.get("show", "")
    rows = products_named(stock_products(member.artisan), q)
    label: StrOrPromise = ""
    if shown == "low":
        rows, label = low(rows), _("Low")
    elif shown == "sold_out":
        rows, label = rows.filter(stock=0), _("Sold out")
    rows = rows.select_related("parent").order_by("name", "pk")
    return Found(rows, STOCK_COLUMNS, filters_of((_("Search"), q), (_("Stock"), label)))


STOCK_COLUMNS = (
    ID,
    FileColumn("name", _("Name"), lambda row: row.name),
    FileColumn("product", _("Product"), lambda row: row.parent.name if row.parent else row.name),
    FileColumn("sku", _("SKU"), lambda row: row.sku),
    FileColumn("stock", _("In stock"), lambda row: row.stock, Kind.NUMBER),
)

# ---- parcels ---------------------------------------------------------------------------------------------------


def parcels(member: Membership, query: QueryDict) -> Found:
    q, chosen = text_in(query), query.get("filter", "")
    if chosen not in ParcelList.values:
        chosen = ParcelList.ALL if q else ParcelList.TO_SHIP
    rows = parcels_listed(parcels_found(parcels_of_artisan(member.artisan), q), chosen)
    columns = PARCEL_COLUMNS + SHARE_COLUMNS * member.is_owner
    return Found(rows, columns, filters_of((_("List"), ParcelList(chosen).label), (_("Search"), q)))


def parcel_status(parcel: Parcel) -> str:
    return status_text(parcel, progress_of(list(parcel.lines.all())))


def parcel_items(parcel: Parcel) -> str:
    return "; ".join(f"{line.quantity} × {line.product_name}" for line in parcel.lines.all())


PARCEL_COLUMNS = (
    ID,
    FileColumn("order", _("Order"), lambda row: row.order.order_number),
    FileColumn("number", _("Parcel"), lambda row: row.number, Kind.NUMBER),
    FileColumn("status", _("Status"), parcel_status),
    FileColumn("released", _("Released for shipping"), lambda row: row.order.released_at, Kind.TIME),
    FileColumn("items", _("Items"), parcel_items),
    FileColumn("subtotal", _("Subtotal"), lambda row: row.subtotal, Kind.MONEY),
    FileColumn("tax", _("Tax"), lambda row: row.tax, Kind.MONEY),
    FileColumn("shipping", _("Shipping"), lambda row: row.shipping, Kind.MONEY),
    FileColumn("discount", _("Discount"), lambda row: row.discount, Kind.MONEY),
    FileColumn("tax_added", _("Tax that prices do not include"), lambda row: row.tax_added, Kind.MONEY),
    FileColumn("total", _("Total"), lambda row: row.total, Kind.MONEY),
    FileColumn("carrier", _("Carrier"), lambda row: row.carrier),
    FileColumn("tracking", _("Tracking number"), lambda row: row.tracking),
)
SHARE_COLUMNS = (FileColumn("share", _("Your share"), lambda row: row.share, Kind.MONEY),)

# ---- money -----------------------------------------------------------------------------------------------------

EARNING_LABELS = {EarningStatus.PENDING: _("Pending"), EarningStatus.RELEASED: _("Available")}


def earnings(member: Membership, query: QueryDict) -> Found:
    chosen = query.get("filter", "")
    rows = Earning.objects.filter(artisan=member.artisan)
    if chosen in EARNING_LABELS:
        rows = rows.filter(status=chosen)
    rows = with_block(with_times(rows)).select_related("parcel__order").order_by("-created_at", "-pk")
    store = store_rules()

    def shown(found: list[Any]) -> list[Any]:
        for row in found:
            row.display = EarningDisplay(row, store)
        return found

    label = EARNING_LABELS.get(chosen, "")  # type: ignore[call-overload]  # any text
    return Found(rows, EARNING_COLUMNS, filters_of((_("Status"), label)), shown)


def amount(name: str) -> Callable[[Any], Money]:
    return lambda row: Money.stored(getattr(row, f"{name}_minor"), row.currency)


EARNING_COLUMNS = (
    ID,
    FileColumn("order", _("Order"), lambda row: row.parcel.order.order_number),
    FileColumn("parcel", _("Parcel"), lambda row: row.parcel.number, Kind.NUMBER),
    FileColumn("earned", _("Earned"), lambda row: row.created_at, Kind.TIME),
    FileColumn("status", _("Status"), lambda row: row.display.label),
    FileColumn("total", _("Total of the parcel"), lambda row: row.parcel.total, Kind.MONEY),
    FileColumn("net", _("Your share"), amount("net"), Kind.MONEY),
    FileColumn("returned", _("Taken back by refunds"), amount("returned"), Kind.MONEY),
    FileColumn("fee", _("Payment fee"), amount("payment_fee"), Kind.MONEY),
    FileColumn("released", _("Released"), lambda row: row.released_at, Kind.TIME),
    FileColumn("release_at", _("To be released"), lambda row: row.display.release_at, Kind.TIME),
    FileColumn("block", _("Blocked by"), lambda row: row.display.block),
)


def lines(member: Membership, query: QueryDict) -> ExportList:
    """Oldest first, each with the balance after it: lines are only added, so that those there are stay the same."""
    artisan, name, currency = member.artisan, query.get("account", ""), query.get("currency", "")
    name = name if name in ACCOUNTS else "available"
    currency = currency if currency in CURRENCIES else default_currency(artisan)
    account = account_of(artisan, name, currency)
    return ExportList(
        name=f"{SOURCE}:lines",
        title=str(LISTS["lines"].title),
        columns=LINE_COLUMNS,
        count=postings_of(account).count,
        batches=lambda: batches_of(all_lines(artisan, account)),
        filters=filters_of((_("Account"), ACCOUNT_LABELS[name]), (_("Currency"), currency)),
    )


def batches_of(found: Iterator[Line]) -> Iterator[Sequence[Line]]:
    part: list[Line] = []
    for line in found:
        part.append(line)
        if len(part) == BATCH:
            yield part
            part = []
    yield part


LINE_COLUMNS = (
    FileColumn("id", _("ID"), lambda line: line.posting.pk, Kind.NUMBER),
    FileColumn("date", _("Date"), lambda line: line.posting.entry.happened_at, Kind.TIME),
    FileColumn("order", _("Order"), lambda line: line.parcel.order.order_number if line.parcel else None),
    FileColumn("parcel", _("Parcel"), lambda line: line.parcel.number if line.parcel else None, Kind.NUMBER),
    FileColumn("what", _("What"), lambda line: line.text),
    FileColumn("amount", _("Amount"), lambda line: line.amount, Kind.MONEY),
    FileColumn("balance", _("Balance"), lambda line: line.balance, Kind.MONEY),
)

LISTS = {
    "products": ArtisanList(_("Products"), products),
    "stock": ArtisanList(_("Stock"), stock),
    "parcels": ArtisanList(_("Parcels"), parcels),
    "earnings": ArtisanList(_("Earnings"), earnings, is_for_owners=True),
    "lines": ArtisanList(_("Account activity"), lines, is_for_owners=True),
}
