from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint
from artisans.core.security.encryption import EncryptedTextField


class ErasureState(models.TextChoices):
    RUNNING = "running", _("In progress")
    DONE = "done", _("Done")


class ErasureSource(models.TextChoices):
    PAGE = "page", _("Account page")
    STAFF = "staff", _("Staff")
    COMMAND = "command", _("Command")


class Erasure(BaseModel):
    """The erasure of a person, of an account or of a guest's orders. What it is about is known only while it runs.

    `facts`: the person (core/personal_data.py) as JSON; `address_hash`, of the address or of the account's id, finds
    an erasure that is repeated. Both are emptied at the end. `alias` replaces the person's email addresses.
    """

    state = models.CharField(max_length=7, choices=ErasureState, default=ErasureState.RUNNING)
    source = models.CharField(max_length=7, choices=ErasureSource)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    alias = models.EmailField()
    address_hash = models.CharField(max_length=64, blank=True)
    facts = EncryptedTextField(null=True, blank=True)  # null when it is done
    runs = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        default_permissions = ("view",)
        permissions = [
            ("erase_person", _("Can erase a person’s data")),
            ("export_person", _("Can export a person’s data")),
        ]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("state", ErasureState.values, name="erasure_state_known"),
            choices_constraint("source", ErasureSource.values, name="erasure_source_known"),
            models.CheckConstraint(
                condition=Q(
                    state=ErasureState.DONE, finished_at__isnull=False, facts__isnull=True, address_hash=""
                )
                | (~Q(state=ErasureState.DONE) & Q(finished_at__isnull=True)),
                name="erasure_done_forgets_the_person",
            ),
            models.UniqueConstraint(
                fields=["address_hash"], condition=~Q(address_hash=""), name="erasure_one_running_per_address"
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(state=ErasureState.RUNNING), name="erasure_running"
            )
        ]

    def __str__(self) -> str:
        return self.alias


class ErasurePermit(models.Model):
    """Lets an erasure replace the personal columns of one row of an append-only table. It exists only within the
    transaction that does so (core/append_only.py)."""

    id = models.BigAutoField(primary_key=True)
    erasure = models.ForeignKey(Erasure, models.PROTECT, related_name="+")
    table_name = models.CharField(max_length=63)
    row_id = models.CharField(max_length=36)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["table_name", "row_id"], name="erasure_permit_of_row")]

    def __str__(self) -> str:
        return f"{self.table_name} {self.row_id}"


class LockedRecord(BaseModel):
    """What the law requires to be kept of an erased person, such as the buyer's name and address on an order that was
    paid. Encrypted, and shown only to people with the permission; each view is audited."""

    erasure = models.ForeignKey(Erasure, models.PROTECT, related_name="records")
    target = models.CharField(max_length=100, unique=True)
    content = EncryptedTextField()
    kept_until = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("locked record")
        verbose_name_plural = _("locked records")
        default_permissions = ("view",)
        ordering = ("kept_until", "target")

    def __str__(self) -> str:
        return self.target
