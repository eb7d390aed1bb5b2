"""The filters of the shop's list, read from the address."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.forms import LineField

MAX_MATERIAL = 60
PRICE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,3})?", re.ASCII)


class PriceFilterField(forms.CharField):
    """A price in plain digits, in no particular currency: text in, Decimal or None out."""

    widget = forms.TextInput({"inputmode": "decimal", "autocomplete": "off", "maxlength": 20})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text and not PRICE.fullmatch(text):
            raise forms.ValidationError(_("Enter a price such as 25 or 25.50."), code="invalid")
        return Decimal(text) if text else None


class FilterForm(forms.Form):
    """A filter with an error is not applied; the others are."""

    price_min = PriceFilterField(label=gettext_lazy("Price from"), required=False)
    price_max = PriceFilterField(label=gettext_lazy("Price up to"), required=False)
    material = LineField(
        label=gettext_lazy("Material"),
        required=False,
        max_length=MAX_MATERIAL,
        widget=forms.TextInput({"list": "materials", "autocomplete": "off"}),
    )
    in_stock = forms.BooleanField(label=gettext_lazy("Only what can be bought now"), required=False)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        lowest, highest = data.get("price_min"), data.get("price_max")
        if lowest is not None and highest is not None and lowest > highest:
            self.add_error(
                "price_max",
                forms.ValidationError(
                    _("This is less than the lowest price. Enter a higher one."), code="invalid"
                ),
            )
        return data

    @property
    def filters(self) -> dict[str, Any]:
        """What `narrowed` takes: the values without an error."""
        self.is_valid()
        data = self.cleaned_data
        return {
            "price_min": data.get("price_min"),
            "price_max": data.get("price_max"),
            "material": data.get("material", ""),
            "only_in_stock": data.get("in_stock", False),
        }
