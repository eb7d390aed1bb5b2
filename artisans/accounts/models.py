import uuid
from typing import Any, ClassVar

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

from artisans.core.models import BaseModel, ChangedColumnsModel, choices_constraint

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
SESSION_SALT = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"  # Django's own salt


class Role(models.TextChoices):
    SHOPPER = "shopper", _("Shopper")
    ARTISAN = "artisan", _("Artisan")
    STAFF = "staff", _("Staff")


class Scope(models.TextChoices):
    """What a token may be used for, within its user's permissions."""

    READ = "read", _("Read")
    WRITE = "write", _("Order, pay and ship")
    PRODUCTS = "products", _("Manage products, stock and profile")
    REFUNDS = "refunds", _("Refund payments")
    STAFF = "staff", _("Staff actions")


STAFF_SCOPES = frozenset({Scope.STAFF.value, Scope.REFUNDS.value})


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=normal_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"role": Role.STAFF, "is_superuser": True} | fields)


class User(ChangedColumnsModel, BaseModel, AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # knox is untyped
    """A user, who signs in by email address. Permissions for staff work come from groups.

    `currency`: the one chosen for prices, if any. `country`: the one chosen for deliveries, if any.
    `addresses_forgotten_at`: addresses of earlier orders are not filled in at checkout.
    `sign_in_networks`: keyed hashes of the networks of the last sign-ins, newest first. `sign_in_window`,
    `sign_in_count`: attempts to sign in as staff from other networks, in this window of the limit `login_everywhere`.
    """

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=10, choices=Role, default=Role.SHOPPER)
    is_active = models.BooleanField(default=True)
    currency = models.CharField(max_length=3, default="", db_default="", blank=True, editable=False)
    country = models.CharField(max_length=2, default="", db_default="", blank=True, editable=False)
    addresses_forgotten_at = models.DateTimeField(null=True, editable=False)
    session_epoch = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    sign_in_networks = models.CharField(max_length=200, default="", db_default="", blank=True, editable=False)
    sign_in_window = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    sign_in_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    # Not stored: the mailbox of the link with which this request sets a new password.
    reset_mailbox: str = ""

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case"),
            choices_constraint("role", Role.values, name="user_role_known"),
        ]

    def __str__(self) -> str:
        return self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Stored in each session: sessions end when the password or `session_epoch` changes."""
        stamp = f"{self.password}:{self.session_epoch}" if self.session_epoch else self.password
        return salted_hmac(SESSION_SALT, stamp, secret=secret, algorithm="sha256").hexdigest()

    @property
    def is_staff(self) -> bool:
        return self.role == Role.STAFF or self.is_superuser

    @property
    def is_artisan(self) -> bool:
        return self.role == Role.ARTISAN

    @property
    def has_second_factor(self) -> bool:
        return bool(Authenticator.objects.filter(user=self, type__in=FACTORS).exists())

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """All scopes that a token of this user may have."""
        if self.is_staff:
            return tuple(Scope)
        own = (Scope.READ, Scope.WRITE)
        return (*own, Scope.PRODUCTS) if self.is_artisan else own


class AuthToken(AbstractAuthToken):
    """A bearer token: its digest and first characters, never the token itself.

    `granted`: scopes separated by spaces. `scopes`: those that the user may still have by role; staff scopes require a
    second factor where staff need one, also for tokens issued before that rule.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80, blank=True)
    granted = models.CharField(max_length=60, default=f"{Scope.READ} {Scope.WRITE}")
    last_used_at = models.DateTimeField(null=True, blank=True)

    @property
    def scopes(self) -> list[str]:
        granted = set(self.granted.split())
        if settings.STAFF_NEED_SECOND_FACTOR and granted & STAFF_SCOPES and not self.user.has_second_factor:
            granted -= STAFF_SCOPES
        return [scope.value for scope in self.user.scopes if scope in granted]


def normal_email(email: str) -> str:
    """The canonical form of an address; upper and lower case are the same account."""
    return email.strip().lower()
