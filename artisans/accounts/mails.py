"""Emails about accounts. Their links are made when the email is sent; the stored facts hold no token."""

from typing import Any
from uuid import uuid4

from allauth.account import app_settings as account_settings
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from artisans.accounts.models import User, normal_email
from artisans.accounts.reset_links import ResetTokens, reset_mailboxes
from artisans.notifications.services import MailMessage


class AccountMail(TextChoices):
    ACCOUNT_CHANGED = "account_changed", _("Account changed (to the account holder)")
    SETTING_CHANGED = "setting_changed", _("Setting changed (to administrators)")
    ARTISAN_ACCESS_CHANGED = "artisan_access_changed", _("Artisan access changed (to the artisan)")
    EMAIL_CONFIRMATION = "email_confirmation", _("Email address confirmation (to the account holder)")
    PASSWORD_RESET = "password_reset", _("Password reset (to the account holder)")
    UNKNOWN_ACCOUNT = "unknown_account", _("Unknown account (to the address entered)")


def account_mail(kind: AccountMail, email: str, facts: dict[str, Any]) -> MailMessage:
    return MailMessage(kind, email, f"{kind}:{uuid4()}", {"email": email, **facts})


def confirmation_facts(address: EmailAddress) -> dict[str, Any]:
    return {"address_id": address.pk, "days": account_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS}


def confirmation_mail(address: EmailAddress) -> MailMessage:
    """The email with the link that verifies the address."""
    return account_mail(AccountMail.EMAIL_CONFIRMATION, address.email, confirmation_facts(address))


def site_link(view: str, *args: str) -> str:
    return f"{settings.SITE_URL}{reverse(view, args=args)}"


def reset_page(facts: dict[str, Any]) -> str:
    return site_link("account_reset_password")


def signup_page(facts: dict[str, Any]) -> str:
    return site_link("account_signup")


def new_password_page(facts: dict[str, Any]) -> str:
    """Where a new password is chosen; the page that requests another email if the account changed since the request.

    Otherwise an email that waited, for example until an address was removed, would still open the account.
    """
    user = User.objects.filter(pk=facts["user_id"], is_active=True).first()
    if user is None or account_state(user) != facts["account_state"]:
        return reset_page(facts)
    mailbox = normal_email(facts["email"])
    if mailbox not in reset_mailboxes(user):
        return reset_page(facts)
    token = ResetTokens().make_token_for(user, mailbox)
    return site_link("account_reset_password_from_key", user_pk_to_url_str(user), token)


def confirm_address_page(facts: dict[str, Any]) -> str:
    key = EmailConfirmationHMAC(EmailAddress(pk=facts["address_id"])).key
    return site_link("account_confirm_email", key)


def account_state(user: User) -> list[Any]:
    """What a password reset depends on: the session epoch, raised with each new password, and the addresses."""
    addresses = EmailAddress.objects.filter(user=user).order_by("pk").values_list("pk", flat=True)
    return [user.session_epoch, user.email, *addresses]


LINKS = {
    "reset_url": reset_page,
    "signup_url": signup_page,
    "new_password_url": new_password_page,
    "confirm_address_url": confirm_address_page,
}
