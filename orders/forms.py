from collections.abc import Collection, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from artisans.core.forms import LineField
from orders.models import OrderLine
from orders.selectors import carriers_suggested
from orders.shipments import Progress


class CarrierForm(forms.Form):
    """`countries`: where carriers are suggested; any other may be entered."""

    carrier = LineField(
        label=_("Carrier"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "carriers"}),
        error_messages={"required": _("Enter the carrier, such as USPS, or “Hand delivery”.")},
    )
    tracking = LineField(
        label=_("Tracking number"),
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, countries: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.carriers = carriers_suggested(countries)


class UnitsForm(forms.Form):
    """A field for the units of each line of a parcel of which some are left to ship."""

    label_of_units: ClassVar[Promise]

    def add_units(self, lines: Sequence[OrderLine], progress: Progress, *, are_asked: bool) -> None:
        """`progress`: what of the parcel's lines is left. `are_asked`: whether there is a choice.

        Lines that the page asked for when it was loaded have a field, too: what was entered for them is refused, not
        left out.
        """
        self.lines = [
            line
            for line in lines
            if name_units(line) in self.data or (progress.left.get(line.pk) and are_asked)
        ]
        for line in self.lines:
            self.fields[name_units(line)] = self.units_field(line, progress.left.get(line.pk, 0))

    def units_field(self, line: OrderLine, left: int) -> forms.IntegerField:
        return forms.IntegerField(
            label=self.label_of_units % {"name": line.product_name},
            min_value=0,
            required=False,
            help_text=_("%(left)s left to ship") % {"left": left},
            widget=forms.NumberInput(attrs={"max": left, "inputmode": "numeric"}),
        )

    @property
    def units_fields(self) -> list[forms.BoundField]:
        return [self[name_units(line)] for line in self.lines]

    @property
    def units(self) -> dict[UUID, int] | None:
        """The units that were entered, by order line; None if the page did not ask."""
        names = {line.pk: name_units(line) for line in self.lines if name_units(line) in self.data}
        return {key: self.cleaned_data[name] or 0 for key, name in names.items()} or None


class ShipForm(CarrierForm, UnitsForm):
    label_of_units = _("Units of %(name)s in this shipment")

    def __init__(self, *args: Any, lines: Sequence[OrderLine], progress: Progress, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_units(lines, progress, are_asked=progress.left_units > 1)
        for line in self.lines:
            self.fields[name_units(line)].initial = progress.left.get(line.pk, 0)


class CannotDeliverForm(UnitsForm):
    label_of_units = _("Units of %(name)s that you cannot deliver")

    reason = LineField(
        label=_("Reason"),
        max_length=250,
        help_text=_("Shown to the buyer, such as “The bowl broke in the kiln.”"),
        error_messages={"required": _("Enter a reason. It is shown to the buyer.")},
    )
    restock = forms.ChoiceField(
        label=_("Can these items be sold again?"),
        choices=[("yes", _("Yes, put them back on sale")), ("no", _("No, they are broken or lost"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose whether these items can be sold again.")},
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, lines: Sequence[OrderLine], progress: Progress, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = progress.left_units
        self.add_units(lines, progress, are_asked=progress.left_units > 1 or progress.shipped > 0)


def name_units(line: OrderLine) -> str:
    return f"units-{line.pk}"
