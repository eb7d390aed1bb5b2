"""CSV files for spreadsheets, and of them: delimiters, encodings and headings as these write them."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO
from itertools import chain

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

from artisans.core.errors import InvalidInput

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
MAX_BYTES = 4 * 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
BOM = "\ufeff"  # without it, Excel reads UTF-8 as another encoding


class FileRefused(InvalidInput):
    """The file cannot be read as a table; nothing was imported."""

    code = "file_refused"
    remedy = "Start from the file that the page offers, fill it in, and save it as CSV."


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


def decoded(raw: bytes) -> str:
    """Errors: FileRefused."""
    if len(raw) > MAX_BYTES:
        raise FileRefused(
            _("The file is larger than %(size)d MB. Split it.") % {"size": MAX_BYTES // 1024 // 1024}
        )
    if not raw.strip():
        raise FileRefused(_("The file is empty."))
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FileRefused(_("This is a workbook of a spreadsheet program. Save it there as CSV."))
    encoding = next((name for bom, name in BOMS.items() if raw.startswith(bom)), "")
    if not encoding and b"\x00" in raw:
        raise FileRefused(_("The file is not text. Save it as CSV in the encoding UTF-8."))
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise FileRefused(_("The file is damaged. Save it as CSV in the encoding UTF-8.")) from error
        text = raw.decode(
            "cp1252", errors="replace"
        )  # of older spreadsheet programs; only names have accents
    return text.replace("\x00", "")


def read_table(
    raw: bytes, wanted: Sequence[str], *, needed: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Number and cells of each line, by the wanted headings. Errors: FileRefused."""
    lines = StringIO(decoded(raw), newline="")
    head, start = lines.readline(), 0
    if head.lower().startswith("sep="):  # which only Excel reads
        head, start = lines.readline(), 1
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(chain([head], lines), delimiter=delimiter)
    try:
        headings = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in needed if headings.count(name) != 1]
        if missing:
            raise FileRefused(
                _("The first line must name each of these columns once: %(names)s.")
                % {"names": ", ".join(missing)}
            )
        for cells in reader:
            found = dict(zip(headings, (cell.strip() for cell in cells), strict=False))
            yield start + reader.line_num, {name: found.get(name, "") for name in wanted}
    except csv.Error as error:
        raise FileRefused(
            _("Line %(line)d cannot be read: it may lack a quotation mark.")
            % {"line": start + reader.line_num}
        ) from error
