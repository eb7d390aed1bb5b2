import hashlib
import json

from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.regions.currencies import latest_sheet, rates_of_sheet
from artisans.regions.errors import RatesJump, RatesKnown
from artisans.regions.models import ExchangeRate, RateSheet, RateSource
from artisans.regions.rate_files import DayRates

JUMP_PERCENT = 20


@transaction.atomic
def rates_import(
    *, day: DayRates, source: RateSource, sha256: str, actor: User | None, is_confirmed: bool = False
) -> RateSheet:
    """Store the rates of a day. `is_confirmed`: a person has checked rates that jump.

    Errors: RatesKnown, RatesJump.
    """
    if known := RateSheet.objects.filter(sha256=sha256).first():
        raise RatesKnown(_("These rates were imported before: %(sheet)s.") % {"sheet": known})
    jumped = rates_that_jump(day)
    if jumped and not is_confirmed:
        raise RatesJump(jumped)
    try:
        with transaction.atomic():
            sheet = RateSheet.objects.create(
                source=source, base=day.base, valid_on=day.valid_on, sha256=sha256, imported_by=actor
            )
    except IntegrityError as error:
        raise RatesKnown(
            _("The rates of %(day)s were imported before.") % {"day": date_format(day.valid_on)}
        ) from error
    ExchangeRate.objects.bulk_create(
        ExchangeRate(sheet=sheet, currency=code, rate_e10=rate) for code, rate in sorted(day.rates.items())
    )
    data = {"source": source.value, "valid_on": day.valid_on.isoformat(), "confirmed": jumped}
    audit_record(actor=actor, action=Action.RATES_IMPORT, target=sheet, data=data)
    return sheet


def rates_that_jump(day: DayRates) -> list[str]:
    last = latest_sheet(day.base)
    before = rates_of_sheet(last) if last else {}
    return sorted(
        code
        for code, rate in day.rates.items()
        if code in before and abs(rate - before[code]) * 100 > before[code] * JUMP_PERCENT
    )


def digest_of_file(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def digest_of_typed(day: DayRates) -> str:
    """Of typed rates, so that the same ones sent twice are known."""
    text = json.dumps([day.base, day.valid_on.isoformat(), sorted(day.rates.items())])
    return hashlib.sha256(text.encode()).hexdigest()
