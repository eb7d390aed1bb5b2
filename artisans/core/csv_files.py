"""CSV files for spreadsheets."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from django.http import StreamingHttpResponse

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
BOM = "\ufeff"  # without it, Excel reads UTF-8 as another encoding


class Echo:
    """A file whose `write` returns the text."""

    def write(self, text: str) -> str:
        return text


def plain_cell(text: str) -> str:
    """Text that no spreadsheet reads as a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def cell_text(cell: object) -> object:
    """Texts of people are made harmless; numbers stay numbers; times are ISO 8601 with their offset from UTC."""
    if isinstance(cell, str):
        return plain_cell(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, Decimal):
        return format(cell, "f")
    return cell


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a file."""
    writer = csv.writer(Echo())
    yield BOM
    for row in rows:
        yield writer.writerow([cell_text(cell) for cell in row])


def csv_response(rows: Iterable[Iterable[object]], *, name: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
