from typing import Any

from django import forms

from artisans.core.numbers import is_number
from payments.lifecycle.offer import MethodChoice


class FindOrderForm(forms.Form):
    order_number = forms.CharField(
        label="Order number",
        max_length=20,
        help_text="Nine letters and digits, in the mail that we sent you.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
        error_messages={"required": "Enter the order number from the mail."},
    )
    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        error_messages={
            "required": "Enter the address that you ordered with.",
            "invalid": "Enter an e-mail address with a name, an @ and a domain, such as ada@example.com.",
        },
    )

    def clean_order_number(self) -> str:
        number = "".join(self.cleaned_data["order_number"].upper().replace("-", " ").split())
        if not is_number(number):
            raise forms.ValidationError("This cannot be an order number; one of its signs is mistyped.")
        return number


class CancelForm(forms.Form):
    reason = forms.CharField(
        label="Why do you cancel?",
        required=False,
        max_length=200,
        help_text="Optional; it helps the artisans.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class PaymentForm(forms.Form):
    """The choices are given by the view; what cannot be chosen now says why."""

    payment_method = forms.ChoiceField(
        label="How do you want to pay?",
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose how you want to pay.",
            "invalid_choice": "Choose one of the ways shown.",
        },
    )

    def __init__(self, *args: Any, choices: list[MethodChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.why_not = {choice.value: choice.why_not for choice in choices}
        self.fields["payment_method"].choices = [(c.value, c.label) for c in choices]  # type: ignore[attr-defined]

    def clean_payment_method(self) -> str:
        method: str = self.cleaned_data["payment_method"]
        if self.why_not[method]:
            raise forms.ValidationError(self.why_not[method])
        return method
