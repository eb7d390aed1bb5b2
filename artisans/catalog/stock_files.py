"""Reading a file of counts as spreadsheets write it: delimiters, encodings and headings. Knows no products."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import chain

from django.utils.translation import gettext as _

from artisans.core.errors import InvalidInput
from artisans.core.texts import search_text

MAX_BYTES = 4 * 1024 * 1024
MAX_ROWS = 10_000
MAX_CELL = 120
HEADINGS = ("product_id", "name", "sku", "seen_stock", "last_count", "counted")
NEEDED = ("product_id", "seen_stock", "last_count", "counted")
DELIMITERS = (",", ";", "\t", "|")
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


class FileRefused(InvalidInput):
    """The file cannot be read as a table of counts; nothing was imported."""

    code = "file_refused"
    remedy = "Export the stock, enter numbers in the column `counted`, and save the file as CSV."


@dataclass(frozen=True, slots=True)
class FileRow:
    """A line of the file with a number to count. Numbers are None where the file has something else."""

    line: int
    product: str
    name: str
    counted_text: str
    counted: int | None
    seen_stock: int | None
    last_count: int | None


def read_rows(raw: bytes) -> list[FileRow]:
    """Errors: FileRefused."""
    text = decoded(raw)
    rows = []
    for line, row in table_of(text):
        if row["counted"]:
            rows.append(row_of(line, row))
        if len(rows) > MAX_ROWS:
            raise FileRefused(
                _("The file counts more than %(count)d products. Split it.") % {"count": MAX_ROWS}
            )
    if not rows:
        raise FileRefused(_("No line has a number in the column “counted”, so there is nothing to import."))
    return rows


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


def table_of(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Number and cells of each line, by heading. Errors: FileRefused."""
    lines = StringIO(text, newline="")
    head, start = lines.readline(), 0
    if head.lower().startswith("sep="):  # which only Excel reads
        head, start = lines.readline(), 1
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(chain([head], lines), delimiter=delimiter)
    try:
        headings = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in NEEDED if headings.count(name) != 1]
        if missing:
            raise FileRefused(
                _("The first line must name each of these columns once: %(names)s. Start from an export.")
                % {"names": ", ".join(missing)}
            )
        for cells in reader:
            found = dict(zip(headings, (cell.strip() for cell in cells), strict=False))
            yield start + reader.line_num, {name: found.get(name, "") for name in HEADINGS}
    except csv.Error as error:
        raise FileRefused(
            _("Line %(line)d cannot be read: it may lack a quotation mark.")
            % {"line": start + reader.line_num}
        ) from error


def row_of(line: int, row: Mapping[str, str]) -> FileRow:
    return FileRow(
        line,
        search_text(row["product_id"])[:MAX_CELL],
        search_text(row["name"])[:MAX_CELL],
        search_text(row["counted"])[:MAX_CELL],
        *(number(row[name]) for name in ("counted", "seen_stock", "last_count")),
    )


def number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None
