from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models.artisan import Artisan
from artisans.core.models import BaseModel, choices_constraint


class MemberRole(models.TextChoices):
    OWNER = "owner", _("Owner")
    HELPER = "helper", _("Helper")


class ArtisanMember(BaseModel):
    """Someone who acts for a workshop beside its first owner (`Artisan.user`). One workshop per person."""

    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="members")
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="artisan_member")
    role = models.CharField(max_length=6, choices=MemberRole)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at",)
        verbose_name = _("member of a workshop")
        verbose_name_plural = _("members of workshops")
        constraints = [choices_constraint("role", MemberRole.values, name="artisan_member_role_known")]

    def __str__(self) -> str:
        return f"{self.artisan_id} {self.role}"


class ArtisanInvitation(BaseModel):
    """An invitation that is neither accepted nor withdrawn: then its row is gone.

    The link in its email names it with its `version`, which counts the emails: earlier links do not work any more.
    """

    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=6, choices=MemberRole)
    version = models.PositiveIntegerField(default=1)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    sent_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at",)
        verbose_name = _("invitation to a workshop")
        verbose_name_plural = _("invitations to workshops")
        constraints = [
            choices_constraint("role", MemberRole.values, name="artisan_invitation_role_known"),
            models.UniqueConstraint(fields=["artisan", "email"], name="artisan_invitation_once_per_address"),
        ]

    def __str__(self) -> str:
        return f"{self.artisan_id} {self.role}"

    @property
    def is_open(self) -> bool:
        return self.expires_at > timezone.now()
