"""Pages of figures. They have no list: the first page stands in its place."""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, QueryDict
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from artisans.core.csv_files import csv_response
from artisans.core.test_mode import is_test_mode
from artisans.figures import checkouts  # noqa: F401  # registers its lists
from artisans.figures.board import Board, Panel, board_of, currencies_known
from artisans.figures.days import Period
from artisans.figures.display import period_text
from artisans.figures.evaluate import Question
from artisans.figures.forms import FREE, FilterForm
from artisans.figures.models import CountedDay
from artisans.figures.pages import PAGES, Page
from artisans.figures.roles import VIEW_METRICS


def page_address(name: str) -> str:
    first = next(iter(PAGES))
    return reverse(f"admin:figures_countedday_{'changelist' if name == first else name}")


@admin.register(CountedDay)
class FiguresAdmin(ModelAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "" if number == 0 else f"{page.name}/",
                self.admin_site.admin_view(partial(self.figures_page, page)),
                name=f"figures_countedday_{'changelist' if number == 0 else page.name}",
            )
            for number, page in enumerate(PAGES.values())
        ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(VIEW_METRICS))

    def figures_page(self, page: Page, request: HttpRequest) -> HttpResponseBase:
        """The whole page; for a request by its script only the figures, and 304 if they are the same."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        form = FilterForm(request.GET.dict(), currencies=currencies_known())
        context: dict[str, Any] = {
            "title": page.title,
            "page": page,
            "form": form,
            "is_test_money": is_test_mode(),
        }
        if not form.is_valid():
            return self.render(request, context, status=400)
        question = form.question()
        board = board_of(page, question)
        if "csv" in request.GET:
            return csv_of(page, board, request.GET["csv"], question)
        figures = render_to_string(
            "admin/figures/_figures.html", context_of(page, board, question, request.GET)
        )
        tag = f'"{hashlib.sha256(figures.encode()).hexdigest()[:32]}"'
        is_partial = request.headers.get("HX-Request") == "true"
        if is_partial and request.headers.get("If-None-Match") == tag:
            return answer(HttpResponse(status=304), tag)
        context |= {
            "figures": figures,
            "tag": tag,
            "changed_at": timezone.now(),
            "summary": summary_of(form, question),
        }
        if is_partial:
            return answer(TemplateResponse(request, "admin/figures/_changed.html", context), tag)
        return answer(self.render(request, context), tag)

    def render(self, request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> TemplateResponse:
        request.current_app = self.admin_site.name
        whole = self.admin_site.each_context(request) | context
        return TemplateResponse(request, "admin/figures/page.html", whole, status=status)


def answer(response: HttpResponse, tag: str) -> HttpResponse:
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-store"  # the script keeps what it has
    patch_vary_headers(response, ["HX-Request"])
    return response


def context_of(page: Page, board: Board, question: Question, query: QueryDict) -> dict[str, Any]:
    kept = {name: value for name, value in query.dict().items() if name != "csv"}
    nearest = ""
    if board.nearest:
        days = {"from": board.nearest.first.isoformat(), "to": board.nearest.last.isoformat()}
        nearest = "?" + urlencode(kept | {"period": FREE} | days)
    return {
        "page": page,
        "board": board,
        "nearest": nearest,
        "nearest_text": period_text(board.nearest) if board.nearest else "",
        "csv": "?" + urlencode(kept | {"csv": ""}),
        "compared": period_text(question.compared) if question.compared else "",
    }


def summary_of(form: FilterForm, question: Question) -> str:
    """The filters in words, also for print."""
    parts = [period_text(question.period)]
    if question.compared:
        parts.append(_("compared with %(period)s") % {"period": period_text(question.compared)})
    for name, value in question.filters.items():
        field: Any = form.fields[name]
        parts.append(f"{field.label}: {dict(field.choices).get(value, value)}")
    return "; ".join(parts)


def csv_of(page: Page, board: Board, name: str, question: Question) -> HttpResponseBase:
    panel = next((panel for panel in board.panels if panel.metric.name == name and panel.table), None)
    if panel is None:
        return HttpResponse(_("There is no such figure on this page."), status=400, content_type="text/plain")
    return csv_response(csv_rows(panel), name=f"{name}-{file_days(question.period)}.csv")


def csv_rows(panel: Panel) -> Iterator[list[str]]:
    if table := panel.table:
        head = _("%(head)s (test money)") % {"head": table.head} if is_test_mode() else table.head
        yield [head, *(column.title for column in table.columns)]
        for row in table.rows:
            yield [row.key, *(cell.number for cell in row.cells)]


def file_days(period: Period) -> str:
    return f"{period.first.isoformat()}-{period.last.isoformat()}"
