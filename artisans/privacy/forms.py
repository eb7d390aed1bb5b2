from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from artisans.accounts.models import normal_email
from artisans.core.forms import LineField
from artisans.privacy.selectors import Whose


class ConfirmForm(forms.Form):
    """The address of the account, typed as a confirmation."""

    confirmation = LineField(
        label=_("Type your email address to confirm"),
        max_length=254,
        widget=forms.TextInput({"autocomplete": "off", "inputmode": "email", "spellcheck": "false"}),
        error_messages={"required": _("Type the email address of your account.")},
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if normal_email(typed) != self.email:
            raise forms.ValidationError(
                gettext("This is not the email address of your account: %(email)s.") % {"email": self.email}
            )
        return typed


class PersonForm(forms.Form):
    """Whom staff look up, and the address once more when they erase."""

    email = forms.EmailField(
        label=_("Email address"),
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "inputmode": "email"}),
    )
    whose = forms.TypedChoiceField(
        label=_("Whose data"),
        choices=Whose.choices,
        coerce=Whose,
        empty_value=Whose.CONFIRMED,
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )


class ErasePersonForm(forms.Form):
    confirmation = LineField(
        label=_("Type the email address again to erase"),
        max_length=254,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "inputmode": "email"}),
        error_messages={"required": _("Type the email address again.")},
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if normal_email(typed) != normal_email(self.email):
            raise forms.ValidationError(gettext("The two addresses differ. Nothing was erased."))
        return typed


class RecordForm(forms.Form):
    reason = LineField(
        label=_("Reason"),
        max_length=200,
        help_text=_("Recorded in the audit log, such as “tax audit of 2026”."),
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        error_messages={"required": _("Enter why you need to see this record.")},
    )
