"""Reading the files of the European Central Bank, daily or historical, as XML or as CSV in its zip.

Shapes seen at ecb.europa.eu: `Cube time="2026-11-30"` around `Cube currency="USD" rate="1.0705"`; and a heading
`Date, USD, JPY, ` over lines `30 November 2026, 1.0705, 171.94, ` or `2026-11-30,1.0705,N/A,`.
"""

import csv
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO, StringIO
from typing import Any
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from django.utils.translation import gettext as _

from artisans.core.errors import InvalidInput
from artisans.core.money import CURRENCIES

BASE = "EUR"
MAX_BYTES = 5 * 1024 * 1024
RATE = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,10})?", re.ASCII)
PARTS = 10  # decimals of a stored rate
MAX_E10 = 10**18
DAY_FORMATS = ("%Y-%m-%d", "%d %B %Y")
NO_RATE = "N/A"


class RatesRefused(InvalidInput):
    """Exchange rates cannot be read; nothing was imported."""

    code = "rates_refused"
    remedy = "Download the file from the European Central Bank again, and upload it unchanged."


@dataclass(frozen=True, slots=True)
class DayRates:
    """Rates of a day: what one unit of `base` is worth, in parts of 10**10. `unknown`: codes that are no currency
    in use, which are left out."""

    base: str
    valid_on: date
    rates: Mapping[str, int]
    unknown: tuple[str, ...] = ()


def read_rates(raw: bytes) -> DayRates:
    """The latest day of a file, which is read to its end. Errors: RatesRefused."""
    if raw.startswith(b"PK\x03\x04"):
        raw = unzipped(raw)
    check_size(len(raw))
    days = days_of_xml(raw) if b"<" in raw[:200] else days_of_csv(raw)
    if not days:
        raise RatesRefused(_("The file has no exchange rates."))
    latest = max(days)
    found = {code: rate for code, text in days[latest].items() if (rate := read_rate(text, code))}
    known = {code: rate for code, rate in found.items() if code in CURRENCIES and code != BASE}
    if not known:
        raise RatesRefused(_("The file has no exchange rates."))
    return DayRates(BASE, latest, known | {BASE: 10**PARTS}, tuple(sorted(found.keys() - known.keys())))


def check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise RatesRefused(
            _("The file is larger than %(size)d MB. Take the daily one.") % {"size": MAX_BYTES >> 20}
        )


def unzipped(raw: bytes) -> bytes:
    """The only file of an archive."""
    try:
        with ZipFile(BytesIO(raw)) as archive:
            files = archive.infolist()
            if len(files) != 1:
                raise RatesRefused(_("The archive must have exactly one file."))
            with archive.open(files[0]) as file:
                return file.read(MAX_BYTES + 1)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        raise RatesRefused(_("The archive is damaged or incomplete.")) from error


def days_of_xml(raw: bytes) -> dict[date, dict[str, str]]:
    days: dict[date, dict[str, str]] = {}
    current: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] != "Cube":
            return
        if "time" in attributes:
            current[:] = [days.setdefault(read_day(attributes["time"]), {})]
        elif "currency" in attributes:
            if not current or "rate" not in attributes:
                raise RatesRefused(_("The file is not one of the European Central Bank."))
            add_rate(current[0], attributes["currency"], attributes["rate"])

    def refuse(*_args: Any) -> None:
        raise RatesRefused(_("The file declares a document type or entities, which is not accepted."))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(raw, True)  # noqa: FBT003  # that this is all of it; expat takes no names
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise RatesRefused(_("The file is damaged or incomplete.")) from error
    return days


def days_of_csv(raw: bytes) -> dict[date, dict[str, str]]:
    days: dict[date, dict[str, str]] = {}
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(StringIO(raw.decode("utf-8-sig")))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RatesRefused(_("The file is damaged or incomplete.")) from error
    heading, *lines = [row for row in rows if any(row)] or [[]]
    if heading[:1] != ["Date"]:
        raise RatesRefused(_("The file is not one of the European Central Bank."))
    for line in lines:
        if len(line) != len(heading):
            raise RatesRefused(
                _("Line of %(day)s: expected %(count)d values. The file is incomplete or has decimal commas.")
                % {"day": line[0][:40], "count": len(heading) - 1}
            )
        day = days.setdefault(read_day(line[0]), {})
        for code, text in zip(heading[1:], line[1:], strict=True):
            if code or text:
                add_rate(day, code, text)
    return days


def add_rate(day: dict[str, str], code: str, text: str) -> None:
    if day.setdefault(code, text) != text:
        raise RatesRefused(_("The file has two rates of %(code)s for one day.") % {"code": code[:10]})


def read_day(text: str) -> date:
    for form in DAY_FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  # a day has no time zone
        except ValueError:
            continue
    raise RatesRefused(_("“%(day)s” is not a day.") % {"day": text[:40]})


def read_rate(text: str, code: str) -> int:
    """In parts of 10**10; 0 if there is none for the day. Errors: RatesRefused."""
    if text == NO_RATE:
        return 0
    if "," in text:
        raise RatesRefused(
            _("The rate of %(code)s has a decimal comma: “%(rate)s”. Use a point.")
            % {"code": code[:10], "rate": text[:40]}
        )
    whole, _point, fraction = text.partition(".")
    rate = int(whole + fraction.ljust(PARTS, "0")) if RATE.fullmatch(text) else 0
    if not 0 < rate <= MAX_E10:
        raise RatesRefused(
            _("The rate of %(code)s is not a positive number: “%(rate)s”.")
            % {"code": code[:10], "rate": text[:40]}
        )
    return rate


def rate_text(rate_e10: int) -> str:
    """As it is typed: 10705000000 is "1.0705"."""
    whole, rest = divmod(rate_e10, 10**PARTS)
    return f"{whole}.{rest:0{PARTS}d}".rstrip("0").rstrip(".")
