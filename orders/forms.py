from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django import forms
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


class ShipForm(CarrierForm):
    def __init__(self, *args: Any, lines: Sequence[OrderLine], progress: Progress, **kwargs: Any) -> None:
        """`progress`: what of the parcel's lines is left; each gets a field for its units if there are several.

        So do lines that the page asked for when it was loaded: what was entered for them is refused, not left out.
        """
        super().__init__(*args, **kwargs)
        self.lines = [
            line
            for line in lines
            if name_units(line) in self.data or (progress.left.get(line.pk) and progress.left_units > 1)
        ]
        for line in self.lines:
            self.fields[name_units(line)] = self.units_field(line, progress.left.get(line.pk, 0))

    def units_field(self, line: OrderLine, left: int) -> forms.IntegerField:
        return forms.IntegerField(
            label=_("Units of %(name)s in this shipment") % {"name": line.product_name},
            min_value=0,
            initial=left,
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


def name_units(line: OrderLine) -> str:
    return f"units-{line.pk}"
