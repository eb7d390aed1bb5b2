"""Pages that export an artisan's stock as a file and import what was counted: check, apply, progress."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_artisan
from artisans.catalog.count_problems import CountProblem
from artisans.catalog.models import CountOutcome, StockImport, StockImportRow
from artisans.catalog.stock_files import FileRow, read_rows
from artisans.catalog.stock_import import (
    export_rows,
    own_import,
    rows_by_outcome,
    stock_import_create,
    stock_import_start,
)
from artisans.core.csv_files import MAX_BYTES, FileRefused, csv_response
from artisans.core.texts import search_text
from artisans.workshop.stock_table import TONES, WhyForm

ROWS_PER_PAGE = 50
LATEST = 10
EXPECTED = {
    CountOutcome.COUNTED: _("Will be changed"),
    CountOutcome.UNCHANGED: _("Unchanged"),
    CountOutcome.REPEATED: _("Counted before"),
    CountOutcome.CONFLICT: _("Will not be changed"),
    CountOutcome.REFUSED: _("Refused"),
}


class ImportForm(WhyForm):
    """The file of counts. Clean data: arguments of `stock_import_create`, with the rows in place of the file."""

    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,  # read_rows says so
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=_("The exported file with numbers in the column “counted”, saved as CSV."),
    )
    field_order = ("file", "cause", "reason")

    def clean_file(self) -> list[FileRow]:
        file = self.cleaned_data["file"]
        self.file_name = search_text(file.name or "")
        try:
            return read_rows(file.read(MAX_BYTES + 1))
        except FileRefused as error:
            raise forms.ValidationError(error.detail) from error

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if "file" in data:
            data |= {"rows": data.pop("file"), "file_name": self.file_name}
        return data


@login_required
@require_GET
def stock_export(request: HttpRequest) -> StreamingHttpResponse:
    """All products as CSV, to be filled in and imported again."""
    artisan = require_artisan(request)
    return csv_response(export_rows(artisan), name=f"stock-{timezone.localdate().isoformat()}.csv")


@login_required
@require_http_methods(["GET", "POST"])
def import_list(request: HttpRequest) -> HttpResponse:
    """The latest imports, and a form to upload a file. POST checks it and changes no stock."""
    artisan = require_artisan(request)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_bound and form.is_valid():
        made = stock_import_create(artisan=artisan, actor=require_user(request), **form.cleaned_data)
        return redirect("workshop:stock_import", import_id=made.pk)
    latest = StockImport.objects.filter(artisan=artisan).select_related("made_by")[:LATEST]
    return render(request, "workshop/stock_import_list.html", {"form": form, "imports": latest})


@login_required
@require_http_methods(["GET", "POST"])
def import_detail(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """What is to be expected of each row, then the progress and what came of it. POST applies it."""
    made = own_import(require_artisan(request), import_id)
    if made is None:
        raise Http404
    if request.method == "POST":
        stock_import_start(import_id=made.pk, actor=require_user(request))
        return redirect("workshop:stock_import", import_id=made.pk)
    outcomes = rows_by_outcome(made)
    chosen = request.GET.get("show", "")
    rows = made.rows.filter(outcome=chosen) if chosen in CountOutcome.values else made.rows.all()
    page = Paginator(rows.select_related("product"), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    is_checked = made.started_at is None
    labels: Mapping[Any, Any] = EXPECTED if is_checked else dict(CountOutcome.choices)
    summary: Mapping[Any, Any] = labels if made.finished_at else EXPECTED
    total, done = sum(outcomes.values()), made.rows.filter(is_done=True).count()
    context = {
        "made": made,
        "show": chosen,
        "outcomes": [
            (value, summary[value], outcomes[value]) for value in CountOutcome.values if value in outcomes
        ],
        "page_obj": page,
        "rows": [shown(row, labels, is_checked=is_checked) for row in page],
        "total": total,
        "done": done,
        "can_apply": is_checked and done < total,
    }
    return render(request, "workshop/stock_import.html", context)


def shown(row: StockImportRow, labels: Mapping[Any, Any], *, is_checked: bool) -> dict[str, Any]:
    """A row that has to wait for its batch shows no outcome."""
    is_known = is_checked or row.is_done
    outcome = CountOutcome(row.outcome)
    return {
        "row": row,
        "name": row.product.name if row.product else row.given,
        "label": labels[outcome] if is_known else _("Waiting"),
        "tone": TONES[outcome] if is_known else "muted",
        "text": CountProblem(row.problem, row.facts).text if is_known else "",
    }
