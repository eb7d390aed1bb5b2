"""Changes of credentials: each is audited, mailed to the account's owner, and ends earlier sessions and tokens."""

from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from artisans.accounts.mails import AccountMail
from artisans.accounts.models import AuthToken, User
from artisans.audit.services import Action, audit_record
from artisans.notifications.facts import fact_renderer, render_later
from artisans.notifications.services import MailMessage, notifications_enqueue

# The subject of the email, and whether all tokens and sessions end.
CHANGES = {
    Action.ADDRESS_ADD: (_("An email address was added to your account"), False),
    Action.ADDRESS_CHANGE: (_("The primary email address of your account was changed"), True),
    Action.ADDRESS_REMOVE: (_("An email address was removed from your account"), False),
    Action.PASSWORD_CHANGE: (_("The password of your account was changed"), True),
    Action.SECOND_FACTOR_ADD: (_("A two-factor authentication method was added to your account"), True),
    Action.SECOND_FACTOR_REMOVE: (
        _("A two-factor authentication method was removed from your account"),
        True,
    ),
    Action.RECOVERY_CODES_MAKE: (_("New recovery codes were created for your account"), False),
}


@fact_renderer
def account_change(action: str) -> str:
    return str(CHANGES[Action(action)][0])


def account_changed(
    *, user: User, action: Action, actor: User | None, recipients: tuple[str, ...] = ()
) -> None:
    """Call in the transaction of the change. `recipients` get the email; by default the main address.

    To keep the user's current session, call `session_keep`.
    """
    ends_access = CHANGES[action][1]
    entry = audit_record(actor=actor, action=action, target=user)
    is_own = actor is not None and actor.pk == user.pk
    notifications_enqueue(
        *(
            MailMessage(
                kind=AccountMail.ACCOUNT_CHANGED,
                recipient=recipient,
                key=f"account:{entry.pk}:{number}",
                context={
                    "what": render_later(account_change, action=action),
                    "is_own": is_own,
                    "ends_access": ends_access,
                },
            )
            for number, recipient in enumerate(recipients or (user.email,))
        )
    )
    if ends_access:
        access_end(user)


def acting_user() -> User | None:
    """The user signed in on the current request; None for commands and anonymous requests."""
    request = context.request
    return request.user if request is not None and request.user.is_authenticated else None


def access_end(user: User) -> None:
    """Revoke all tokens and end all sessions of the user."""
    AuthToken.objects.filter(user=user).delete()
    sessions_end(user)


def sessions_end(user: User) -> None:
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])
    UserSession.objects.filter(user=user).delete()


def session_keep(request: HttpRequest | None, user: User) -> None:
    """Keep the current request's session under a new key, if it is the user's own."""
    if request is not None and request.user == user:
        update_session_auth_hash(request, user)
        UserSession.objects.create_from_request(request)


@transaction.atomic
def password_set(*, user: User, password: str, actor: User | None) -> None:
    """Set a new password that the caller has validated."""
    user.set_password(password)
    user.save(update_fields=["password", "updated_at"])
    account_changed(user=user, action=Action.PASSWORD_CHANGE, actor=actor)


@transaction.atomic
def mailbox_confirm(*, user: User, email: str) -> None:
    """Call after a reset through this mailbox, with which tokens and sessions have ended.

    If it was not verified before, someone else may have registered the account with it: their other addresses and
    second factors go. Staff keep them: operators make those accounts, and a mailbox alone must not remove a second
    factor.
    """
    addresses = EmailAddress.objects.filter(user=user)
    if user.is_staff or addresses.filter(email=email, verified=True).exists():
        return
    Authenticator.objects.filter(user=user).delete()
    if addresses.exclude(email=email).delete()[0]:
        account_changed(user=user, action=Action.ADDRESS_REMOVE, actor=user)
    address = addresses.get_or_create(user=user, email=email)[0]
    address.primary = True
    address.verified = address.can_set_verified()
    address.save(update_fields=["primary", "verified"])


@transaction.atomic
def sessions_end_others(request: HttpRequest, user: User) -> None:
    sessions_end(user)
    session_keep(request, user)
    audit_record(actor=user, action=Action.SESSIONS_END, target=user)


@transaction.atomic
def second_factor_remove(user: User) -> str:
    """For a user who lost it. Returns a message for staff; receivers notify the owner and write the audit log."""
    removed = Authenticator.objects.filter(user=user).delete()[0]
    if not removed:
        return str(_("There was no two-factor authentication to remove."))
    return str(_("Two-factor authentication was removed."))
