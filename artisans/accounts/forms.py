"""Sign-in pages in the shop's words: every refusal names its own cause."""

from collections.abc import Iterable
from typing import Any

from allauth.account import forms as account
from allauth.core import context
from allauth.mfa.base import forms as second_factor
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from artisans.accounts.middleware import WEAK_PASSWORD
from artisans.accounts.models import Scope, User
from artisans.accounts.second_factor import code_use
from artisans.core.security.encryption import encrypt, opened
from artisans.core.security.rate_limits import RateLimited

WORDS = {
    "login": {"required": "Enter your e-mail address."},
    "email": {
        "required": "Enter your e-mail address.",
        "invalid": "Enter an e-mail address with a name, an @ and a domain, such as ada@example.com.",
    },
    "password": {"required": "Enter your password."},
    "password1": {"required": "Choose a password of 8 or more characters."},
    "password2": {"required": "Enter the new password once more."},
    "oldpassword": {"required": "Enter your present password."},
    "code": {"required": "Enter the code of your authenticator app, or a recovery code."},
}
WORDS["login"] |= {"invalid": WORDS["email"]["invalid"]}


SCOPES = {
    Scope.READ: "Read",
    Scope.WRITE: "Order, pay, ship",
    Scope.REFUNDS: "Refund money",
    Scope.STAFF: "Do staff work",
}


def is_weak(password: str, user: User) -> bool:
    if settings.DEMO:
        return False  # its passwords are public
    try:
        validate_password(password, user)
    except ValidationError:
        return True
    return False


class OwnWords(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & WORDS.keys():
            self.fields[name].error_messages |= WORDS[name]


class LoginForm(OwnWords, account.LoginForm):
    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """The only moment at which the password of somebody who became staff can be measured."""
        request.session[WEAK_PASSWORD] = self.user.is_staff and is_weak(
            self.cleaned_data["password"], self.user
        )
        response: HttpResponse = super().login(request, redirect_url)
        return response


class SignupForm(OwnWords, account.SignupForm):
    pass


class AddEmailForm(OwnWords, account.AddEmailForm):
    pass


class ChangePasswordForm(OwnWords, account.ChangePasswordForm):
    pass


class ResetPasswordForm(OwnWords, account.ResetPasswordForm):
    pass


class ResetPasswordKeyForm(OwnWords, account.ResetPasswordKeyForm):
    pass


class CodeForm(OwnWords):
    """A code works once, in pages and API together."""

    user: Any

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        try:
            self.authenticator = code_use(self.user, code)
        except RateLimited as error:
            raise ValidationError(error.detail) from error
        if self.authenticator is None:
            raise ValidationError(
                "This code is wrong or was used already. Wait for the next one, or use a recovery code."
            )
        return code


class ActivateTotpForm(OwnWords, ActivateTOTPForm):
    """The secret waits in the session, which is a row of the database, encrypted."""

    secret: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.secret = opened(self.secret)
        context.request.session[SECRET_SESSION_KEY] = encrypt(self.secret)


class SecondFactorForm(CodeForm, second_factor.AuthenticateForm):
    pass


class ConfirmBySecondFactorForm(CodeForm, second_factor.ReauthenticateForm):
    pass


class TokenForm(forms.Form):
    name = forms.CharField(
        label="What it is for", max_length=80, error_messages={"required": "Say what the token is for."}
    )
    scopes = forms.MultipleChoiceField(
        label="What it may be used for",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that it may be used for."},
    )

    def __init__(self, *args: Any, scopes: Iterable[Scope], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].choices = [(scope.value, SCOPES[scope]) for scope in scopes]  # type: ignore[attr-defined]
