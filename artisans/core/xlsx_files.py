"""XLSX files, written row by row in constant memory: XlsxWriter keeps one row and its temporary files."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from xlsxwriter import Workbook

from artisans.core.file_columns import Cell
from artisans.core.texts import shortened

SHEET_ROWS = 1_048_576  # that Excel reads, with the heading
MAX_TEXT = 32_767  # characters that Excel keeps of a cell
MAX_DIGITS = 15  # that Excel keeps of a number; longer ones are written as text
WIDTH = 18
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


class XlsxFile:
    """Use it as a context: leaving it without an error completes the file. More rows than a sheet has go on
    in the next one."""

    def __init__(self, file: IO[bytes], *, title: str, head: Sequence[str]) -> None:
        self.book = Workbook(file, OPTIONS)
        self.head, self.title, self.sheets, self.row = head, title, 0, 0
        self.bold = self.book.add_format({"bold": True})
        self.styles = {
            datetime: self.book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            date: self.book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        self.decimals: dict[int, Any] = {}
        self.sheet: Any = None
        self.start_sheet()

    def __enter__(self) -> "XlsxFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.book.close()
            return
        self.book.fileclosed = True  # or it would warn that it was never completed

    def start_sheet(self) -> None:
        self.sheets += 1
        name = "".join(sign for sign in self.title if sign not in "[]:*?/\\'")[:25].strip() or "Rows"
        self.sheet = self.book.add_worksheet(name if self.sheets == 1 else f"{name} {self.sheets}")
        self.sheet.set_column(0, max(len(self.head) - 1, 0), WIDTH)
        self.sheet.freeze_panes(1, 0)
        for at, text in enumerate(self.head):
            self.sheet.write_string(0, at, shortened(text, MAX_TEXT), self.bold)
        self.row = 1

    def add(self, row: Iterable[Cell]) -> None:
        if self.row == SHEET_ROWS:
            self.start_sheet()
        for at, cell in enumerate(row):
            self.write(at, cell)
        self.row += 1

    def write(self, at: int, cell: Cell) -> None:
        """Texts are written as texts, so that none is a formula or a link."""
        if cell is None:
            return
        if isinstance(cell, datetime):  # of the shop's time zone: Excel's times have none
            self.sheet.write_datetime(self.row, at, cell.replace(tzinfo=None), self.styles[datetime])
        elif isinstance(cell, date):
            self.sheet.write_datetime(self.row, at, cell, self.styles[date])
        elif isinstance(cell, int | Decimal) and len(Decimal(cell).as_tuple().digits) <= MAX_DIGITS:
            self.sheet.write_number(self.row, at, cell, self.style_of(cell))
        else:
            text = format(cell, "f") if isinstance(cell, Decimal) else str(cell)
            self.sheet.write_string(self.row, at, shortened(text, MAX_TEXT))

    def style_of(self, cell: int | Decimal) -> Any:
        """The decimals of an amount, such as two of 12.00."""
        places = -int(cell.as_tuple().exponent) if isinstance(cell, Decimal) else 0
        if places <= 0:
            return None
        if places not in self.decimals:
            self.decimals[places] = self.book.add_format({"num_format": "0." + "0" * places})
        return self.decimals[places]

    def add_notes(self, title: str, notes: Iterable[tuple[str, str]]) -> None:
        """A last sheet that says what the file is."""
        sheet = self.book.add_worksheet(title[:31])
        sheet.set_column(0, 1, WIDTH * 2)
        for row, (name, text) in enumerate(notes):
            sheet.write_string(row, 0, shortened(name, MAX_TEXT), self.bold)
            sheet.write_string(row, 1, shortened(text, MAX_TEXT))
