from collections.abc import Callable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from artisans.accounts.credentials import mailbox_confirm, password_set
from artisans.accounts.mails import AccountMail, account_mail, account_state, confirmation_facts
from artisans.accounts.models import User
from artisans.accounts.services import EmailTaken
from artisans.accounts.sign_in_limits import sign_in_count
from artisans.core.security.client_ip import client_address
from artisans.core.security.fresh_sign_in import is_fresh
from artisans.core.security.rate_limits import RateLimited
from artisans.notifications.services import notifications_enqueue


def confirmation_facts_of(email: str, context: dict[str, Any]) -> dict[str, Any]:
    return confirmation_facts(EmailAddress.objects.get_for_user(context["user"], email))


def reset_facts(email: str, context: dict[str, Any]) -> dict[str, Any]:
    user = context["user"]
    return {
        "user_id": str(user.pk),
        "account_state": account_state(user),
        "days": settings.PASSWORD_RESET_TIMEOUT // (24 * 60 * 60),
    }


# The kind of each email that allauth sends, by its template prefix, and the facts of its links.
MAILS: dict[str, tuple[AccountMail, Callable[[str, dict[str, Any]], dict[str, Any]]]] = {
    "account/email/email_confirmation": (AccountMail.EMAIL_CONFIRMATION, confirmation_facts_of),
    "account/email/email_confirmation_signup": (AccountMail.EMAIL_CONFIRMATION, confirmation_facts_of),
    "account/email/password_reset_key": (AccountMail.PASSWORD_RESET, reset_facts),
    "account/email/unknown_account": (AccountMail.UNKNOWN_ACCOUNT, lambda email, context: {}),
}


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that allauth's own limits count; forged headers have no effect."""
        return client_address(request)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """The limits of the API instead of allauth's, with which five attempts by anyone lock an account."""
        try:
            sign_in_count(credentials["email"], request)
        except RateLimited as error:
            raise self.validation_error("too_many_login_attempts") from error

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # allauth's own
        """If two people sign up with one address at the same moment, the later one is asked to sign in."""
        try:
            with transaction.atomic():
                saved: User = super().save_user(request, user, form, commit)
        except IntegrityError:
            messages.error(request, EmailTaken().detail)
            raise ImmediateHttpResponse(redirect("account_login")) from None
        return saved

    def set_password(self, user: User, password: str) -> None:
        """Called by the password page and the link of a reset email."""
        with transaction.atomic():
            password_set(user=user, password=password, actor=user)
            if user.reset_mailbox:
                mailbox_confirm(user=user, email=user.reset_mailbox)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """allauth counts reauthentication only; here a recent sign-in counts too."""
        return not is_fresh(context.request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue the email in the outbox with facts instead of allauth's links, which are made when it is sent.

        Errors: KeyError for an email of allauth that no setting of ours enables.
        """
        kind, facts = MAILS[template_prefix]
        notifications_enqueue(account_mail(kind, email, facts(email, context)))
