"""Tax rates from a CSV file, a line each: all of them are added, or none."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.accounts.models import User
from artisans.approvals.services import approval_request
from artisans.core.csv_files import FileRefused, read_table
from artisans.core.errors import InvalidInput
from artisans.core.money import percent_read
from artisans.regions.models import TaxClass, TaxRate, TaxZone
from orders.selectors import store_rules
from orders.services.places import NewTaxRate, check_start, starts_text, tax_rate_add, zone_and_class

KIND = "tax_import"
HEADINGS = ("zone", "tax_class", "rate", "name", "valid_from")
NEEDED = ("zone", "tax_class", "rate")
MAX_ROWS = 500
LONGEST_NAME = 30
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
Start = tuple[int, int, datetime | None]  # zone, class, and when; None for at once


@dataclass(frozen=True, slots=True)
class FileRates:
    """What a file has: the rates, and a sentence for each line that cannot be added."""

    rates: tuple[NewTaxRate, ...]
    problems: tuple[str, ...]


def template_rows() -> Iterator[Sequence[str]]:
    """A line for each zone and class; those whose rate stays empty are left out when they are read."""
    yield HEADINGS
    classes = list(TaxClass.objects.order_by("code"))
    for zone in TaxZone.objects.all():
        yield from ((zone.name, each.code, "", "", "") for each in classes)


def tax_rates_read(raw: bytes) -> FileRates:
    """Errors: FileRefused for a file that has no such table."""
    zones = {zone.name: zone.pk for zone in TaxZone.objects.all()}
    classes = {each.code: each.pk for each in TaxClass.objects.all()}
    later = TaxRate.objects.filter(valid_from__gt=timezone.now()).order_by()
    seen: dict[Start, int] = dict.fromkeys(later.values_list("zone", "tax_class", "valid_from"), 0)
    rates, problems = [], []
    for line, row in read_table(raw, HEADINGS, needed=NEEDED):
        if not row["rate"]:
            continue
        try:
            rate = rate_read(row, zones, classes)
            check_starts_once(rate, line, seen)
        except InvalidInput as error:
            problems.append(_("Line %(line)d: %(problem)s") % {"line": line, "problem": error.detail})
        else:
            rates.append(rate)
        if len(rates) + len(problems) > MAX_ROWS:
            raise FileRefused(_("The file has more than %(count)d rates. Split it.") % {"count": MAX_ROWS})
    if not rates and not problems:
        raise FileRefused(_("No line has a rate, so there is nothing to import."))
    return FileRates(tuple(rates), tuple(problems))


def check_starts_once(rate: NewTaxRate, line: int, seen: dict[Start, int]) -> None:
    """Errors: InvalidInput. `seen`: the line of each start before; 0 if it is that of a rate that is stored."""
    start = datetime.fromisoformat(rate.valid_from) if rate.valid_from else None
    before = seen.setdefault((rate.zone_id, rate.class_id, start), line)
    if before == 0:
        raise InvalidInput(
            _("Another rate of this zone and class starts at the same time. Rates are not changed.")
        )
    if before != line:
        raise InvalidInput(_("It starts at the same time as the rate of line %(line)d.") % {"line": before})


def rate_read(row: Mapping[str, str], zones: Mapping[str, int], classes: Mapping[str, int]) -> NewTaxRate:
    """Errors: InvalidInput."""
    zone, tax_class = zones.get(row["zone"]), classes.get(row["tax_class"])
    if zone is None:
        raise InvalidInput(_("There is no tax zone “%(name)s”.") % {"name": row["zone"][:60]})
    if tax_class is None:
        raise InvalidInput(
            _("There is no tax class with the code “%(code)s”.") % {"code": row["tax_class"][:30]}
        )
    if len(row["name"]) > LONGEST_NAME:
        raise InvalidInput(_("The name has more than %(count)d characters.") % {"count": LONGEST_NAME})
    try:
        rate_ppm = percent_read(row["rate"].removesuffix("%").strip())
    except ValueError:
        text = _("“%(text)s” is not a rate: write it in percent, such as 10 or 8.875.")
        raise InvalidInput(text % {"text": row["rate"][:20]}) from None
    new = NewTaxRate(zone, tax_class, rate_ppm, row["name"], start_read(row["valid_from"]))
    check_start(new)
    return new


def start_read(text: str) -> str:
    """Midnight of a day in the shop's time zone; "" for at once. Errors: InvalidInput."""
    if not text:
        return ""
    try:
        day = date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidInput(_("“%(text)s” is not a date: write it as 2027-01-01.") % {"text": text[:20]})
    return timezone.make_aware(datetime.combine(day, time.min)).isoformat()


def describe_rates(rates: Sequence[NewTaxRate]) -> list[tuple[str, str]]:
    """Zone and class of each rate, and what it will be."""
    zones, classes = TaxZone.objects.in_bulk(), TaxClass.objects.in_bulk()
    return [
        (
            f"{zones[new.zone_id].name}, {classes[new.class_id].name}",
            f"{new.percent} {new.name} ({starts_text(new)})".replace("  ", " "),
        )
        for new in rates
    ]


@transaction.atomic
def tax_rates_import(rates: Sequence[NewTaxRate], *, actor: User, is_approved: bool = False) -> bool:
    """Add the rates, all or none, or request a second person's approval if the store rules require it; then False.

    Errors: those of tax_rate_add.
    """
    zones = [zone_and_class(new, actor)[0] for new in rates]
    if not is_approved:
        for new in rates:
            check_start(new)
        if store_rules().second_person_for_settings:
            count = len(rates)
            approval_request(
                KIND,
                target=zones[0],
                title=ngettext("%(count)d tax rate", "%(count)d tax rates", count) % {"count": count},
                details=describe_rates(rates),
                payload={"rates": [asdict(new) for new in rates]},
                actor=actor,
            )
            return False
    for new in rates:
        tax_rate_add(new, actor=actor, is_approved=True)
    return True


def rates_of_payload(payload: dict[str, Any]) -> list[NewTaxRate]:
    return [NewTaxRate(**new) for new in payload["rates"]]


def tax_import_execute(payload: dict[str, Any], requested_by: User, approved_by: User) -> None:
    tax_rates_import(rates_of_payload(payload), actor=requested_by, is_approved=True)


def tax_import_decidable(payload: dict[str, Any], actor: User) -> None:
    """Errors: Forbidden, NotFound."""
    for new in rates_of_payload(payload):
        zone_and_class(new, actor)
