"""Files of lists, written in constant memory."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from hashlib import file_digest
from io import TextIOWrapper
from typing import IO, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.csv_files import csv_lines
from artisans.core.file_columns import Cell, FileColumn, cells, heading
from artisans.core.xlsx_files import XlsxFile
from artisans.exports.lists import ExportList
from artisans.exports.models import FileFormat

CONTENT_TYPES = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
Progress = Callable[[int], None]  # called with the number of rows so far


class MadeFile(NamedTuple):
    rows: int
    size: int
    sha256: str
    as_of: datetime


def file_write(
    file: IO[bytes],
    *,
    found: ExportList,
    columns: Sequence[FileColumn],
    file_format: str,
    progress: Progress = lambda rows: None,
) -> MadeFile:
    """Write the whole file and go back to its start."""
    as_of = timezone.now()
    counter = Counter(found, columns, progress)
    if file_format == FileFormat.XLSX:
        write_xlsx(file, found, columns, counter, as_of)
    else:
        text = TextIOWrapper(file, "utf-8", newline="")
        text.writelines(csv_lines(with_heading(columns, counter)))
        text.detach()  # closing it would close the file
    size = file.tell()
    file.seek(0)
    digest = file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a plain binary file
    file.seek(0)
    return MadeFile(counter.rows, size, digest, as_of)


class Counter:
    """The cells of a list's rows, counted while they are read."""

    def __init__(self, found: ExportList, columns: Sequence[FileColumn], progress: Progress) -> None:
        self.found, self.columns, self.progress, self.rows = found, columns, progress, 0

    def __iter__(self) -> Iterator[list[Cell]]:
        for batch in self.found.batches():
            for row in batch:
                yield cells(self.columns, row)
            self.rows += len(batch)
            self.progress(self.rows)


def with_heading(columns: Sequence[FileColumn], rows: Counter) -> Iterator[Sequence[Cell]]:
    yield heading(columns)
    yield from rows


def write_xlsx(
    file: IO[bytes], found: ExportList, columns: Sequence[FileColumn], rows: Counter, as_of: datetime
) -> None:
    with XlsxFile(file, title=found.title, head=heading(columns)) as book:
        for row in rows:
            book.add(row)
        local = timezone.localtime(as_of)
        notes = [
            (_("List"), found.title),
            (_("Rows as of"), local.isoformat(sep=" ", timespec="seconds")),
            (_("Time zone"), timezone.get_current_timezone_name()),
            (_("Rows"), str(rows.rows)),
            *found.filters,
        ]
        book.add_notes(_("About this file"), notes)


def file_name(found: ExportList, file_format: str, as_of: datetime) -> str:
    """Such as "orders-2026-11-30T1201.csv", in the shop's time zone."""
    name = found.name.rpartition(":")[2].rpartition(".")[2]
    return f"{name}-{timezone.localtime(as_of):%Y-%m-%dT%H%M}.{file_format}"
