from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from artisans.core.forms import LineField
from artisans.core.numbers import is_number
from artisans.core.validators import validate_stored_email
from payments.lifecycle.offer import MethodChoice


class FindOrderForm(forms.Form):
    order_number = forms.CharField(
        label=_("Order number"),
        max_length=20,
        help_text=_("Nine letters and digits. You can find it in the emails we sent you."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
        error_messages={"required": _("Enter the order number from our email.")},
    )
    email = forms.EmailField(
        label=_("Email address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        error_messages={
            "required": _("Enter the email address you used for the order."),
            "invalid": _("Enter an email address with a name, an @ and a domain, such as ada@example.com."),
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].validators = [validate_stored_email]

    def clean_order_number(self) -> str:
        number = "".join(self.cleaned_data["order_number"].upper().replace("-", " ").split())
        if not is_number(number):
            raise forms.ValidationError(_("This is not a valid order number. Check it for typing errors."))
        return number


class CancelForm(forms.Form):
    reason = LineField(
        label=_("Why are you cancelling?"),
        required=False,
        max_length=200,
        help_text=_("Your answer helps the artisans improve."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class PaymentForm(forms.Form):
    """The view supplies the choices; an unavailable one gives its reason."""

    payment_method = forms.ChoiceField(
        label=_("How would you like to pay?"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose how you want to pay."),
            "invalid_choice": _("Choose one of the payment methods shown."),
        },
    )

    def __init__(self, *args: Any, choices: list[MethodChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unavailable_reason = {choice.value: choice.unavailable_reason for choice in choices}
        self.fields["payment_method"].choices = [(c.value, c.label) for c in choices]  # type: ignore[attr-defined]

    def clean_payment_method(self) -> str:
        method: str = self.cleaned_data["payment_method"]
        if self.unavailable_reason[method]:
            raise forms.ValidationError(self.unavailable_reason[method])
        return method
