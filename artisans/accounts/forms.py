"""Sign-in forms with the shop's own messages: every error names its cause."""

from collections.abc import Iterable
from typing import Any

from allauth.account import forms as account
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa.base import forms as second_factor
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from artisans.accounts.middleware import WEAK_PASSWORD
from artisans.accounts.models import Scope, User, normal_email
from artisans.accounts.reset_links import reset_mailboxes
from artisans.accounts.second_factor import code_use
from artisans.accounts.services import email_is_taken
from artisans.core.forms import LineField
from artisans.core.security.encryption import decrypt_if_set, encrypt
from artisans.core.security.rate_limits import RateLimited
from artisans.core.validators import validate_stored_email

MESSAGES = {
    "login": {"required": _("Enter your email address.")},
    "email": {
        "required": _("Enter your email address."),
        "invalid": _("Enter an email address in the format name@example.com."),
    },
    "password": {"required": _("Enter your password.")},
    "password1": {"required": _("Choose a password with 8 or more characters.")},
    "password2": {"required": _("Enter the new password again.")},
    "oldpassword": {"required": _("Enter your current password.")},
    "code": {"required": _("Enter the code from your authenticator app, or a recovery code.")},
}
MESSAGES["login"] |= {"invalid": MESSAGES["email"]["invalid"]}


def is_weak(password: str, user: User) -> bool:
    if settings.DEMO:
        return False  # demo passwords are public
    try:
        validate_password(password, user)
    except ValidationError:
        return True
    return False


class OwnMessages(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & MESSAGES.keys():
            self.fields[name].error_messages |= MESSAGES[name]


class LoginForm(OwnMessages, account.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].validators = [validate_stored_email]

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Passwords can only be measured at sign-in for users who became staff after setting them."""
        request.session[WEAK_PASSWORD] = self.user.is_staff and is_weak(
            self.cleaned_data["password"], self.user
        )
        response: HttpResponse = super().login(request, redirect_url)
        return response


class SignupForm(OwnMessages, account.SignupForm):
    def validate_unique_email(self, value: str) -> str:
        """Without allauth's refusal of addresses that someone else added and never confirmed."""
        self.account_already_exists = False
        if email_is_taken(value):
            raise get_adapter().validation_error("email_taken")
        email: str = get_adapter().validate_unique_email(value)
        return email

    @transaction.atomic
    def save(self, request: HttpRequest) -> User:
        """Saves the address with the account: one without address rows would count as confirmed."""
        user: User = get_adapter().save_user(request, User(), self)
        EmailAddress.objects.create(user=user, email=user.email, primary=True)
        return user


class AddEmailForm(OwnMessages, account.AddEmailForm):
    pass


class ChangePasswordForm(OwnMessages, account.ChangePasswordForm):
    pass


class ResetPasswordForm(OwnMessages, account.ResetPasswordForm):
    users: list[User]

    def clean_email(self) -> str:
        """Addresses that were only added to an account, and not confirmed, do not reset its password."""
        email: str = super().clean_email()
        self.users = [user for user in self.users if normal_email(email) in reset_mailboxes(user)]
        return email


class ResetPasswordKeyForm(OwnMessages, account.ResetPasswordKeyForm):
    pass


class CodeForm(OwnMessages):
    """Codes are single-use across pages and API."""

    user: Any

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        try:
            self.authenticator = code_use(self.user, code)
        except RateLimited as error:
            raise ValidationError(error.detail) from error
        if self.authenticator is None:
            raise ValidationError(
                _("This code is wrong or was already used. Wait for the next one, or use a recovery code.")
            )
        return code


class ActivateTotpForm(OwnMessages, ActivateTOTPForm):
    """The new secret is kept in the session, which is stored in the database, so it is encrypted."""

    secret: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.secret = decrypt_if_set(self.secret)
        context.request.session[SECRET_SESSION_KEY] = encrypt(self.secret)


class SecondFactorForm(CodeForm, second_factor.AuthenticateForm):
    pass


class ConfirmBySecondFactorForm(CodeForm, second_factor.ReauthenticateForm):
    pass


class TokenForm(forms.Form):
    name = LineField(
        label=_("Token name"),
        max_length=80,
        error_messages={"required": _("Enter a name for the token.")},
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one scope.")},
    )

    def __init__(self, *args: Any, scopes: Iterable[Scope], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].choices = [(scope.value, scope.label) for scope in scopes]  # type: ignore[attr-defined]
