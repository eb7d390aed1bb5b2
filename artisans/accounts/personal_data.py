"""What accounts store about a person (artisans/core/personal_data.py), with the tables of Django and allauth."""

from collections.abc import Iterable, Iterator

from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.db.models import Q
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core import personal_data
from artisans.core.personal_data import COLLECTORS, REFUSALS, Holding, Person, register


def find_users(person: Person) -> Iterable[str]:
    return [person.user_id] if person.user_id else []


def find_sessions(person: Person) -> Iterable[str]:
    own = UserSession.objects.filter(user__in=find_users(person))
    return list(own.values_list("session_key", flat=True))


def of_user(person: Person) -> Q:
    return Q(user__in=person.of("users"))


def unusable(person: Person, stored: str) -> str:
    return stored if stored.startswith(UNUSABLE_PASSWORD_PREFIX) else make_password(None)


def admin_entries(person: Person) -> Q:
    """The admin's own log names the rows that staff changed: users by their address."""
    keys = [key for holding in personal_data.HOLDINGS for key in person.of(holding.section)]
    return Q(object_id__in=set(keys)) | of_user(person)


def staff_refusals(person: Person) -> Iterator[str]:
    for user in User.objects.filter(pk__in=person.of("users")):
        if user.is_staff or user.groups.exists() or user.user_permissions.exists():
            yield _("This is a staff account. An administrator has to remove its role and permissions first.")


HOLDINGS = (
    Holding(
        "sessions.Session",
        "browser_sessions",
        lambda person: Q(pk__in=person.of("sessions")),
        is_deleted=True,
    ),
    Holding(
        "usersessions.UserSession",
        "sessions",
        of_user,
        export=("created_at", "last_seen_at", "ip", "user_agent"),
        identify=("ip",),
        is_deleted=True,
    ),
    Holding(
        "mfa.Authenticator",
        "second_factors",
        of_user,
        export=("type", "created_at", "last_used_at"),
        is_deleted=True,
    ),
    Holding(
        "accounts.AuthToken",
        "api_tokens",
        of_user,
        export=("name", "created", "expiry", "last_used_at", "granted"),
        is_deleted=True,
    ),
    Holding(
        "account.EmailConfirmation",
        "email_confirmations",
        lambda person: Q(email_address__user__in=person.of("users")),
        is_deleted=True,
    ),
    Holding(
        "account.EmailAddress",
        "email_addresses",
        of_user,
        export=("email", "verified", "primary"),
        identify=("email",),
        is_deleted=True,
    ),
    Holding("admin.LogEntry", "admin_log", admin_entries, scrub=("object_repr", "change_message")),
    Holding(
        "accounts.User",
        "users",
        lambda person: Q(pk__in=person.of("users")),
        export=(
            "id",
            "email",
            "name",
            "role",
            "currency",
            "country",
            "created_at",
            "last_login",
            "addresses_forgotten_at",
        ),
        clear={
            "email": lambda person, stored: person.alias,
            "name": "",
            "country": "",
            "password": unusable,
            "last_login": None,
            "is_active": False,
            "sign_in_networks": "",
        },
        identify=("email", "name"),
    ),
)
IMPERSONAL = {
    "accounts.User": {"role", "currency"},
    "accounts.AuthToken": {"digest", "token_key"},
    "admin.LogEntry": {"object_id"},
    "auth.Group": {"name"},
    "auth.Permission": {"name", "codename"},
    "contenttypes.ContentType": {"app_label", "model"},
}

register(*HOLDINGS, impersonal=IMPERSONAL)
COLLECTORS.update({"users": find_users, "sessions": find_sessions})
REFUSALS.append(staff_refusals)
