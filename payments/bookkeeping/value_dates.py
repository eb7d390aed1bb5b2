"""The days on which money can have moved."""

from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.core.errors import InvalidInput

MOST_BEFORE = timedelta(days=366)


def earliest_value_date(begun_at: datetime) -> date:
    """Of money for what began then; an earlier one is a typing error, such as a year of two digits. It would be booked
    on that day for good, and months be closed from there on."""
    return timezone.localdate(begun_at - MOST_BEFORE)


def check_value_date(value_date: date, *, begun_at: datetime) -> None:
    """Errors: InvalidInput."""
    if value_date > timezone.localdate():
        raise InvalidInput(_("The value date cannot be in the future."))
    if value_date < (earliest := earliest_value_date(begun_at)):
        raise InvalidInput(
            _("The value date cannot be before %(day)s. Check its year.") % {"day": date_format(earliest)}
        )
