"""Sign-in pages in the shop's words: every refusal names its own cause."""

from typing import Any

from allauth.account import forms as account
from django import forms

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
}
WORDS["login"] |= {"invalid": WORDS["email"]["invalid"]}


class OwnWords(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & WORDS.keys():
            self.fields[name].error_messages |= WORDS[name]


class LoginForm(OwnWords, account.LoginForm):
    pass


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
