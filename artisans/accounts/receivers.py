"""Handles allauth's signals in the transaction of the change (its pages run in one, see urls.py)."""

import logging
from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import (
    authentication_step_completed,
    email_added,
    email_changed,
    email_removed,
    password_changed,
    password_reset,
)
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from artisans.accounts import second_factor
from artisans.accounts.credentials import account_changed, acting_user, session_keep
from artisans.accounts.middleware import WEAK_PASSWORD
from artisans.accounts.models import User
from artisans.accounts.sign_in_limits import network_remember
from artisans.audit.services import Action
from artisans.core.security.events import account_hash, security_event


@receiver(password_changed)
def on_password_changed(request: HttpRequest, **kwargs: Any) -> None:
    """The new password met the rules of the user's role."""
    request.session.pop(WEAK_PASSWORD, None)


@receiver(password_reset)
def on_password_reset(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Only the owner of the mailbox can do it, so it also lifts a limit that strangers have used up."""
    network_remember(user, request)


@receiver(email_added)
def on_address_added(user: User, **kwargs: Any) -> None:
    account_changed(user=user, action=Action.ADDRESS_ADD, actor=user)


@receiver(email_changed)
def on_address_changed(
    request: HttpRequest, user: User, from_email_address: EmailAddress | None, **kwargs: Any
) -> None:
    old = (from_email_address.email,) if from_email_address else ()
    account_changed(user=user, action=Action.ADDRESS_CHANGE, actor=user, recipients=old)
    session_keep(request, user)


@receiver(email_removed)
def on_address_removed(user: User, email_address: EmailAddress, **kwargs: Any) -> None:
    removed = (email_address.email,) if email_address.verified else ()
    account_changed(user=user, action=Action.ADDRESS_REMOVE, actor=user, recipients=(user.email, *removed))


@receiver(post_save, sender=Authenticator)
def on_authenticator_saved(instance: Authenticator, created: bool, **kwargs: Any) -> None:  # noqa: FBT001  # Django's
    if created:
        if instance.type == Authenticator.Type.TOTP:
            second_factor.codes_spend(instance)
        is_codes = instance.type == Authenticator.Type.RECOVERY_CODES
        record_second_factor_change(
            instance, Action.RECOVERY_CODES_MAKE if is_codes else Action.SECOND_FACTOR_ADD
        )


@receiver(post_delete, sender=Authenticator)
def on_authenticator_deleted(instance: Authenticator, **kwargs: Any) -> None:
    if instance.type != Authenticator.Type.RECOVERY_CODES:
        record_second_factor_change(instance, Action.SECOND_FACTOR_REMOVE)


def record_second_factor_change(authenticator: Authenticator, action: Action) -> None:
    user = authenticator.user
    account_changed(user=user, action=action, actor=acting_user())
    session_keep(context.request, user)


@receiver(authentication_step_completed)
def on_sign_in_confirmed(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Rotates the session key on reauthentication, so that a stolen key does not become fresh with it."""
    if kwargs.get("reauthenticated"):
        old = request.session.session_key
        request.session.cycle_key()
        UserSession.objects.filter(session_key=old).update(session_key=request.session.session_key)


@receiver(user_logged_in)
def on_signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    network_remember(user, request)
    security_event("sign_in", {"user": str(user.pk), "is_staff": user.is_staff}, request)


@receiver(user_logged_out)
def on_signed_out(request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        security_event("sign_out", {"user": str(user.pk)}, request)


@receiver(user_login_failed)
def on_sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """By page or API: the password is wrong, or there is no such account."""
    account = account_hash(str(credentials.get("email", "")))
    security_event("sign_in_failed", {"account": account}, request, level=logging.WARNING)
