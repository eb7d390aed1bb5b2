from django import forms
from django.utils.translation import gettext_lazy as _

from artisans.core.validators import validate_line


class ShipForm(forms.Form):
    carrier = forms.CharField(
        label=_("Carrier"),
        max_length=60,
        validators=[validate_line],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Enter the carrier, such as USPS, or “Hand delivery”.")},
    )
    tracking = forms.CharField(
        label=_("Tracking number"),
        max_length=80,
        validators=[validate_line],
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
