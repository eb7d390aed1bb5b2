import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from artisans.accounts.credentials import password_set
from artisans.accounts.models import User
from artisans.accounts.services import EmailTaken
from artisans.core.security.client_ip import client_address
from artisans.core.security.fresh_sign_in import is_fresh

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that allauth's own limits count; forged headers have no effect."""
        return client_address(request)

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
        password_set(user=user, password=password, actor=user)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """allauth counts reauthentication only; here a recent sign-in counts too."""
        return not is_fresh(context.request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Sent at once: the email contains a credential, which must not be stored; the user can request another."""
        try:
            super().send_mail(template_prefix, email, context)
        except (SMTPException, OSError):
            logger.exception("account_mail_failed", extra={"template": template_prefix})
