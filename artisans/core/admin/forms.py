"""Form fields of the admin for amounts, percentages and dates, read exactly."""

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.widgets import BASE_INPUT_CLASSES, UnfoldAdminTextInputWidget

from artisans.core.admin.pages import StrOrPromise
from artisans.core.admin.seen_forms import SeenForm
from artisans.core.money import PPM, Money


class AmountField(forms.CharField):
    """An amount entered as text and parsed exactly: Money in, Money out."""

    def __init__(self, *, currency: str, **options: Any) -> None:
        self.currency = currency
        widget = UnfoldAdminTextInputWidget(
            {"inputmode": "decimal", "autocomplete": "off", "suffix": currency}
        )
        super().__init__(**{"widget": widget, "max_length": 30} | options)

    def prepare_value(self, value: Any) -> Any:
        return value.amount if isinstance(value, Money) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return amount_read(text, self.currency) if text else None


class DayField(forms.DateField):
    """A date with the browser's built-in date picker, which needs no JavaScript."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": " ".join(BASE_INPUT_CLASSES)})


def limit_to_past(field: forms.Field, *, first: date) -> None:
    """Have the browser refuse days before `first` and after today, which is filled in."""
    field.initial = timezone.localdate()
    field.widget.attrs |= {"min": first.isoformat(), "max": field.initial.isoformat()}


def amount_read(text: str, currency: str) -> Money:
    """Errors: ValidationError with what is wrong with the amount."""
    try:
        return Money.parse(text.strip(), currency)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class FiguresForm(SeenForm):
    """A model form that shows columns of minor units as amounts and of millionths as percentages.

    `amounts` and `percents` map form fields to their columns. Amounts are parsed in the row's currency: changing
    the currency parses them again, and an amount entered under another currency is refused.
    """

    amounts: ClassVar[dict[str, str]] = {}
    percents: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            return
        for name, stored in self.amounts.items():
            minor = getattr(self.instance, stored)
            self.initial[name] = "" if minor is None else Money(minor, self.instance.currency).amount
        for name, stored in self.percents.items():
            percent = Decimal(getattr(self.instance, stored) * 100) / PPM
            self.initial[name] = format(percent.normalize(), "f")

    @cached_property
    def changed_data(self) -> list[str]:
        changed = super().changed_data
        return changed + [n for n in self.amounts if "currency" in changed and n not in changed]

    def changed_columns(self) -> list[str]:
        stored = self.amounts | self.percents
        figures = [stored[name] for name in self.changed_data if name in stored]
        return super().changed_columns() + figures

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        is_new = self.instance._state.adding
        if (
            not is_new
            and "currency" not in data
            and (self.seen or {}).get("currency") != self.current.get("currency")
        ):
            for name in self.amounts.keys() & data.keys():
                message = _("The currency has changed to %(currency)s. Reload this page before you save.")
                self.add_error(name, message % {"currency": self.instance.currency})
        currency = data.get("currency") or getattr(self.instance, "currency", "")
        for name in self.amounts.keys() & data.keys():
            self.read_amount(name, data[name], str(currency))
        for name, stored in self.percents.items():
            if data.get(name) is not None:
                setattr(self.instance, stored, int(data[name] * PPM / 100))
        return data

    def read_amount(self, name: str, text: str, currency: str) -> None:
        """Empty text keeps a required amount and clears an optional one."""
        try:
            minor = amount_read(text, currency).minor if text else None
        except ValidationError as error:
            self.add_error(name, error)
        else:
            if text or not self.fields[name].required:
                setattr(self.instance, self.amounts[name], minor)


def amount_text(label: StrOrPromise, **options: Any) -> forms.CharField:
    """A FiguresForm field for an amount in the row's currency."""
    widget = UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"})
    return forms.CharField(label=label, max_length=30, widget=widget, **options)


def percent_text(label: StrOrPromise, **options: Any) -> forms.DecimalField:
    """A FiguresForm field for a percentage with up to four decimals."""
    widget = UnfoldAdminTextInputWidget({"inputmode": "decimal", "suffix": "%"})
    return forms.DecimalField(
        label=label, min_value=0, max_value=100, max_digits=7, decimal_places=4, widget=widget, **options
    )
