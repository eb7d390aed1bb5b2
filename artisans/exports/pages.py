"""What the pages of staff and artisans have in common: the form, and the answer to it."""

from dataclasses import dataclass

from django.http import FileResponse, HttpRequest, QueryDict, StreamingHttpResponse
from django.utils import timezone

from artisans.accounts.principals import require_user
from artisans.exports.files import CONTENT_TYPES, file_name
from artisans.exports.forms import ExportForm
from artisans.exports.lists import ExportList, find_list
from artisans.exports.models import Export, FileFormat
from artisans.exports.services import (
    AT_ONCE,
    TooManyExports,
    export_request,
    export_send,
    kept_for,
    kept_until,
    stored_file,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the form: the file, an export that the worker makes, or a page with the form."""

    form: ExportForm
    rows: int
    file: FileResponse | None = None
    export: Export | None = None
    has_too_many: bool = False

    @property
    def is_large(self) -> bool:
        return self.rows > AT_ONCE

    @property
    def kept_days(self) -> int:
        return kept_for().days


def export_answer(request: HttpRequest, found: ExportList, query: str, *, is_sent: bool) -> Answer:
    """`query`: as it is stored. `is_sent`: whether the form was sent."""
    form = ExportForm(request.POST if is_sent else None, found=found)
    rows = found.count()
    if not is_sent or not form.is_valid():
        return Answer(form, rows)
    columns = found.chosen(form.cleaned_data["columns"])
    file_format = form.cleaned_data["file_format"]
    owner = require_user(request)
    if rows > AT_ONCE:
        try:
            export = export_request(
                owner=owner, found=found, columns=columns, file_format=file_format, query=query
            )
        except TooManyExports:
            return Answer(form, rows, has_too_many=True)
        return Answer(form, rows, export=export)
    export, file = export_send(
        owner=owner, found=found, columns=columns, file_format=file_format, query=query
    )
    response = FileResponse(
        file,
        as_attachment=True,
        filename=download_name(export, found),
        content_type=CONTENT_TYPES[FileFormat(file_format)],
    )
    response["Cache-Control"] = "no-store"
    return Answer(form, rows, file=response)


def download_name(export: Export, found: ExportList) -> str:
    return file_name(found, export.file_format, export.as_of or export.created_at)


def is_ready(export: Export) -> bool:
    """Whether there is a file to fetch, which is not older than it is kept."""
    return bool(export.is_stored and export.finished_at and kept_until(export) > timezone.now())


def stored_response(request: HttpRequest, export: Export) -> StreamingHttpResponse:
    """The stored file. Errors: PermissionDenied, Http404 if its owner may not see the list any more."""
    found = find_list(export.list_name, require_user(request), QueryDict(export.query))
    response = StreamingHttpResponse(
        stored_file(export), content_type=CONTENT_TYPES[FileFormat(export.file_format)]
    )
    response["Content-Disposition"] = f'attachment; filename="{download_name(export, found)}"'
    response["Content-Length"] = str(export.size)
    response["Cache-Control"] = "no-store"
    return response
