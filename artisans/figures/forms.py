"""The filters of the pages of figures: all in the address, so that a copied address shows the same."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.forms import DayField
from artisans.figures.days import Period, today
from artisans.figures.evaluate import Question
from artisans.figures.periods import CompareWith, check_period, compared_period, period_named
from artisans.journeys.models import Channel
from payments.methods import PaymentMethod
from payments.providers.registry import provider_choices

FREE = "free"
PERIODS = {
    "today": _("Today"),
    "7": _("7 days"),
    "30": _("30 days"),
    "90": _("90 days"),
    "month": _("This month"),
    "quarter": _("This quarter"),
    "year": _("This year"),
    FREE: _("From … to"),
}
FILTERS = ("currency", "provider", "method", "channel")
ANY = ("", _("All"))
LONG, VERY_LONG = 92, 400  # days; longer periods are shown by week and by month
CURRENCY = re.compile("[A-Z]{3}")


class FilterForm(forms.Form):
    period = forms.ChoiceField(label=_("Period"), choices=PERIODS, required=False)
    compare = forms.ChoiceField(
        label=_("Compare with"),
        required=False,
        choices=[
            ("", _("Nothing")),
            (CompareWith.PREVIOUS.value, _("Period before")),
            (CompareWith.PREVIOUS_YEAR.value, _("Year before")),
        ],
    )
    currency = forms.ChoiceField(label=_("Currency"), required=False)
    provider = forms.ChoiceField(label=_("Provider"), required=False)
    method = forms.ChoiceField(label=_("Method"), choices=[ANY, *PaymentMethod.choices], required=False)
    channel = forms.ChoiceField(label=_("Channel"), choices=[ANY, *Channel.choices], required=False)

    def __init__(self, data: Any, *, currencies: Iterable[str]) -> None:
        super().__init__({"period": "30", "compare": CompareWith.PREVIOUS.value} | data)
        self.fields |= {
            "from": DayField(label=_("From"), required=False),  # a keyword of Python
            "to": DayField(label=_("To"), required=False),
        }
        self.order_fields(["period", "from", "to", "compare"])
        found = {"currency": [(code, code) for code in currencies], "provider": provider_choices()}
        for name, choices in found.items():
            chosen: Any = self.fields[name]
            chosen.choices = [ANY, *choices]
        for name, field in self.fields.items():
            field.widget.attrs |= {"class": "aa-input", "id": f"filter-{name}"}

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.errors or data.get("period") != FREE:
            return data
        if data.get("from") is None:
            self.add_error("from", forms.ValidationError(_("Enter the first day."), "required"))
        else:
            check_period(Period(data["from"], data.get("to") or today()))
        return data

    def question(self) -> Question:
        """Of a valid form; by time, in steps that suit the length of the period."""
        data = self.cleaned_data
        name = data["period"] or "30"
        period = Period(data["from"], data["to"] or today()) if name == FREE else period_named(name, today())
        compare = data["compare"]
        return Question(
            period,
            {key: data[key] for key in FILTERS if data[key]},
            "day" if period.days <= LONG else "week" if period.days <= VERY_LONG else "month",
            compared_period(period, CompareWith(compare), name) if compare else None,
        )
