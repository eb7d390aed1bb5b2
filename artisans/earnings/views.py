"""Pages for artisans: what they have, what they earn with each parcel, and every line of their accounts."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from artisans.catalog.access import require_owner
from artisans.catalog.models import Artisan
from artisans.core.csv_files import csv_response
from artisans.core.money import CURRENCIES
from artisans.earnings.earning_display import EarningDisplay
from artisans.earnings.releases import with_block, with_times
from artisans.earnings.selectors import (
    ACCOUNT_LABELS,
    ACCOUNTS,
    NO_LINES,
    Line,
    account_of,
    active_holds,
    all_lines,
    balances_of,
    default_currency,
    lines_of,
    open_debts,
    reserves_of,
)
from artisans.ledger.models import LedgerAccount
from artisans.ledger.selectors import account_page
from orders.selectors import store_rules
from payments.models import Earning, EarningStatus

PER_PAGE = 20
FILTERS = {
    "all": tuple(EarningStatus),
    "pending": (EarningStatus.PENDING,),
    "released": (EarningStatus.RELEASED,),
}
MAX_DIGITS = 18  # of the key of a posting


@login_required
@require_GET
def earning_list(request: HttpRequest) -> HttpResponse:
    artisan = require_owner(request)
    chosen = request.GET.get("filter", "all")
    chosen = chosen if chosen in FILTERS else "all"
    rows = with_block(with_times(Earning.objects.filter(artisan=artisan, status__in=FILTERS[chosen])))
    rows = rows.select_related("parcel__order").order_by("-created_at", "-pk")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    store = store_rules()
    context = {
        "balances": balances_of(artisan),
        "debts": open_debts(artisan),
        "holds": active_holds(artisan),
        "reserves": reserves_of(artisan),
        "page_obj": page,
        "shown": [EarningDisplay(row, store) for row in page],
        "filter": chosen,
        "rules": store,
    }
    return render(request, "earnings/earning_list.html", context)


@login_required
@require_GET
def line_list(request: HttpRequest) -> HttpResponse:
    artisan = require_owner(request)
    name, currency, account = asked_account(request, artisan)
    page = NO_LINES
    if account is not None:
        before, after = key_in(request, "before"), key_in(request, "after")
        page = account_page(account, before=before, after=after, size=PER_PAGE)
    context: dict[str, Any] = {
        "page": page,
        "lines": lines_of(artisan, page.lines),
        "account": name,
        "accounts": ACCOUNT_LABELS,
        "currency": currency,
        "currencies": [balance.currency for balance in balances_of(artisan)],
    }
    return render(request, "earnings/line_list.html", context)


@login_required
@require_GET
def line_download(request: HttpRequest) -> StreamingHttpResponse:
    """All lines of an account as CSV, oldest first."""
    artisan = require_owner(request)
    name, currency, account = asked_account(request, artisan)
    return csv_response(csv_rows(artisan, account), name=f"account-activity-{name}-{currency}.csv")


def asked_account(request: HttpRequest, artisan: Artisan) -> tuple[str, str, LedgerAccount | None]:
    """The account's name and currency; what is unknown is replaced by the defaults."""
    name = request.GET.get("account", "")
    name = name if name in ACCOUNTS else "available"
    currency = request.GET.get("currency", "")
    if currency in CURRENCIES and (account := account_of(artisan, name, currency)):
        return name, currency, account
    currency = default_currency(artisan)
    return name, currency, account_of(artisan, name, currency)


def key_in(request: HttpRequest, parameter: str) -> int | None:
    text = request.GET.get(parameter, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def csv_rows(artisan: Artisan, account: LedgerAccount | None) -> Iterator[list[object]]:
    yield [_("Date"), _("Order"), _("Parcel"), _("What"), _("Amount"), _("Balance"), _("Currency")]
    for line in all_lines(artisan, account):
        yield csv_row(line)


def csv_row(line: Line) -> list[object]:
    entry, parcel = line.posting.entry, line.parcel
    return [
        timezone.localtime(entry.happened_at).date().isoformat(),
        parcel.order.order_number if parcel else "",
        parcel.number if parcel else "",
        line.text,
        line.amount.as_decimal(),
        line.balance.as_decimal(),
        line.posting.currency,
    ]
