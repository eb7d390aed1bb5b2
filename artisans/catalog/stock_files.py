"""Reading a file of counts. Knows no products."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from artisans.core.csv_files import FileRefused, read_table
from artisans.core.texts import search_text

MAX_ROWS = 10_000
MAX_CELL = 120
HEADINGS = ("product_id", "name", "sku", "seen_stock", "last_count", "counted")
NEEDED = ("product_id", "seen_stock", "last_count", "counted")
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


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
    rows = []
    for line, row in read_table(raw, HEADINGS, needed=NEEDED):
        if row["counted"]:
            rows.append(row_of(line, row))
        if len(rows) > MAX_ROWS:
            raise FileRefused(
                _("The file counts more than %(count)d products. Split it.") % {"count": MAX_ROWS}
            )
    if not rows:
        raise FileRefused(_("No line has a number in the column “counted”, so there is nothing to import."))
    return rows


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
