"""Pages of an artisan's stock: counting several products, and the history of each."""

from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.catalog.access import require_artisan
from artisans.catalog.low_stock import artisan_threshold_set, low, threshold_set
from artisans.catalog.models import Product, StockWatch
from artisans.catalog.stock_history import (
    HistoryLine,
    history_lines,
    history_page,
    products_named,
    stock_products,
)
from artisans.core.csv_files import csv_response
from artisans.core.models import get_or_none
from artisans.core.texts import search_text
from artisans.workshop.stock_table import ThresholdForm, posted_table, result_message, table_of, who

PER_PAGE = 25
MAX_DIGITS = 18  # of the key of a move
MAX_SEARCH = 60


@login_required
@require_http_methods(["GET", "POST"])
def stock_list(request: HttpRequest) -> HttpResponse:
    """All products with a field to count each; POST counts those that were filled in, or sets the low-stock number."""
    artisan = require_artisan(request)
    shown = request.GET.get("show", "all")
    q = search_text(request.GET.get("q", ""))[:MAX_SEARCH]
    products = products_named(stock_products(artisan), q)
    if shown == "low":
        products = low(products)
    elif shown == "sold_out":
        products = products.filter(stock=0)
    page = Paginator(products.order_by("name", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    form = ThresholdForm(
        request.POST if "threshold" in request.POST else None,
        initial={"threshold": artisan.low_stock},
        otherwise=settings.LOW_STOCK,
    )
    if form.is_bound:
        table = table_of(page)
        if form.is_valid():
            artisan_threshold_set(artisan=artisan, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect(request.get_full_path())
    elif request.method == "POST":
        table = posted_table(request.POST, artisan=artisan, actor=require_user(request))
        if not table.has_errors:
            return counted(request, table.outcomes)
    else:
        table = table_of(page)
    context = {"page_obj": page, "table": table, "show": shown, "q": q, "form": form}
    return render(request, "workshop/stock_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def stock_history(request: HttpRequest, product_id: UUID) -> HttpResponse:
    """What changed the stock of a product, and a field to count it."""
    artisan = require_artisan(request)
    product = get_object_or_404(artisan.products, pk=product_id)
    watch = get_or_none(StockWatch.objects.filter(product=product))
    form = ThresholdForm(
        request.POST if "threshold" in request.POST else None,
        initial={"threshold": watch.threshold if watch else None},
        otherwise=settings.LOW_STOCK if artisan.low_stock is None else artisan.low_stock,
    )
    if form.is_bound:
        table = table_of([product])
        if form.is_valid():
            threshold_set(product=product, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect(request.get_full_path())
    elif request.method == "POST":
        table = posted_table(request.POST, artisan=artisan, actor=require_user(request))
        if not table.has_errors:
            return counted(request, table.outcomes)
        product.refresh_from_db()
    else:
        table = table_of([product])
    before, after = key_in(request, "before"), key_in(request, "after")
    page = history_page(product, before=before, after=after, size=PER_PAGE)
    lines = [(line, who(line.move, require_user(request))) for line in page.lines]
    context = {"product": product, "table": table, "page": page, "lines": lines, "form": form}
    return render(request, "workshop/stock_history.html", context)


@login_required
@require_GET
def history_download(request: HttpRequest, product_id: UUID) -> StreamingHttpResponse:
    """All of a product's history as CSV, oldest first."""
    product = get_object_or_404(require_artisan(request).products, pk=product_id)
    return csv_response(history_rows(product, require_user(request)), name=f"stock-{product.slug}.csv")


def counted(request: HttpRequest, outcomes: list[str]) -> HttpResponse:
    if outcomes:
        messages.success(request, result_message(outcomes))
    else:
        messages.info(request, _("No number was entered, so nothing was changed."))
    return redirect(request.get_full_path())


def history_rows(product: Product, reader: User) -> Iterator[list[object]]:
    yield [_("Date"), _("What"), _("Note"), _("Who"), _("Quantity"), _("Stock")]
    for line in history_lines(product):
        move = line.move
        at = timezone.localtime(move.at).isoformat(sep=" ", timespec="minutes")
        yield [at, what(line), move.reason, who(line.move, reader), move.quantity, line.stock]


def what(line: HistoryLine) -> str:
    return str(line.move.get_cause_display() or line.move.get_kind_display())


def key_in(request: HttpRequest, parameter: str) -> int | None:
    text = request.GET.get(parameter, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
