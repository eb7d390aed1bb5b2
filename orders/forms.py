from django import forms
from django.utils.translation import gettext_lazy as _

from artisans.core.forms import LineField


class ShipForm(forms.Form):
    carrier = LineField(
        label=_("Carrier"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Enter the carrier, such as USPS, or “Hand delivery”.")},
    )
    tracking = LineField(
        label=_("Tracking number"),
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
