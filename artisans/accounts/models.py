from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from knox.models import AbstractAuthToken

from artisans.core.models import BaseModel, one_of


class Role(models.TextChoices):
    SHOPPER = "shopper", "Shopper"
    ARTISAN = "artisan", "Artisan"
    STAFF = "staff", "Staff"


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=normal_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"role": Role.STAFF, "is_superuser": True} | fields)


class User(BaseModel, AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # knox is untyped
    """A person who signs in by e-mail address. Rights to do a staff job are permissions, given by group."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=10, choices=Role, default=Role.SHOPPER)
    is_active = models.BooleanField(default=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case"),
            one_of("role", Role.values, name="user_role_known"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_staff(self) -> bool:
        return self.role == Role.STAFF or self.is_superuser

    @property
    def is_artisan(self) -> bool:
        return self.role == Role.ARTISAN


class AuthToken(AbstractAuthToken):
    """A bearer token: digest and a few leading characters, never the token itself."""


def normal_email(email: str) -> str:
    """One spelling per address: two cases of it are one account."""
    return email.strip().lower()
