from django import forms


class ShipForm(forms.Form):
    carrier = forms.CharField(
        label="Carrier",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Enter who carries the parcel, such as USPS, or “by hand”."},
    )
    tracking = forms.CharField(
        label="Tracking number",
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
