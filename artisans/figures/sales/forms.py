"""What the address of the artisan's sales page may hold."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from artisans.figures.days import Period, today
from artisans.figures.periods import CompareWith, check_period, compared_period, period_named
from artisans.figures.sales.periods import (
    MAX_ROWS,
    GroupBy,
    PeriodChoice,
    group_for,
    groups_of,
)


@dataclass(frozen=True, slots=True)
class Asked:
    choice: PeriodChoice
    period: Period
    group_by: GroupBy

    @property
    def before(self) -> Period:
        return compared_period(self.period, CompareWith.PREVIOUS, self.choice)


def day_field(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget)


class SalesForm(forms.Form):
    """`period`, and `from` and `to` for a free one; `group_by`. All are optional."""

    period = forms.ChoiceField(label=_("Period"), required=False, choices=PeriodChoice.choices)
    group_by = forms.ChoiceField(label=_("Group by"), required=False, choices=GroupBy.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from"] = day_field(_("First day"))  # a keyword of Python
        self.fields["to"] = day_field(_("Last day"))

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if self.errors:
            return found
        choice = PeriodChoice(found["period"] or PeriodChoice.DAYS_30)
        if choice != PeriodChoice.FREE:
            period = period_named(choice, today())
        elif not (found["from"] and found["to"]):
            raise ValidationError(_("Choose the first and the last day."), "required")
        else:
            period = Period(found["from"], found["to"])
            check_period(period)
        group_by = GroupBy(found["group_by"] or group_for(period))
        check_rows(period, group_by)
        self.asked = Asked(choice, period, group_by)
        return found


def check_rows(period: Period, group_by: GroupBy) -> None:
    """Errors: ValidationError."""
    if len(groups_of(period, group_by)) > MAX_ROWS:
        text = _("These are too many rows. Group by week or month, or choose fewer days.")
        raise ValidationError({"group_by": ValidationError(text, "too_many_rows")})
