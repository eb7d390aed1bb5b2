from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint


class TaxIdStatus(models.TextChoices):
    """What is known of a VAT ID."""

    PENDING = "pending", _("Being checked")
    VERIFIED = "verified", _("Valid")
    UNVERIFIED = "unverified", _("Not valid")
    UNAVAILABLE = "unavailable", _("To be decided by staff")


ANSWERED = (TaxIdStatus.VERIFIED, TaxIdStatus.UNVERIFIED)
# How long an answer holds; then the next buyer who enters the VAT ID has it checked again. A registration ends without
# notice, and the seller has to know of it at the time of the sale: tax offices ask for a check in the same month. A
# business that was registered just now need not wait a day.
HOLDS = {
    TaxIdStatus.VERIFIED: timedelta(days=30),
    TaxIdStatus.UNVERIFIED: timedelta(hours=1),
    TaxIdStatus.UNAVAILABLE: timedelta(minutes=15),
}


class TaxId(BaseModel):
    """A VAT ID that buyers have entered, and whether it is valid, as VIES or staff said last.

    `value` is normalized, with its prefix; `country` that of the business. `checked_at`: when it was found to be valid
    or not; `asked_at`: when a check began. `next_try_at`: when VIES is asked, only while it is pending. `version`
    changes with the status, so that nobody decides on what they have not seen. `failure`: why VIES gave no answer.
    """

    value = models.CharField(_("VAT ID"), max_length=20, unique=True)
    country = models.CharField(_("country"), max_length=2)
    status = models.CharField(
        _("status"), max_length=11, choices=TaxIdStatus, default=TaxIdStatus.UNAVAILABLE
    )
    version = models.PositiveIntegerField(default=0)
    verified_name = models.CharField(_("name"), max_length=300, blank=True, default="")
    verified_address = models.CharField(_("address"), max_length=500, blank=True, default="")
    request_identifier = models.CharField(
        _("VIES’s request identifier"), max_length=60, blank=True, default=""
    )
    failure = models.CharField(_("why VIES gave no answer"), max_length=60, blank=True, default="")
    asked_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(_("checked"), null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(_("last used"), default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=300, blank=True, default="")

    class Meta:
        default_permissions = ("view",)
        permissions = [("decide_taxid", _("Can decide whether a VAT ID is valid"))]
        verbose_name = _("VAT ID")
        verbose_name_plural = _("VAT IDs")
        ordering = ("-used_at",)
        constraints = [
            choices_constraint("status", TaxIdStatus.values, name="tax_id_status_known"),
            models.CheckConstraint(
                condition=Q(value__regex=r"^[A-Z]{2}[0-9A-Z+*]{2,18}$"), name="tax_id_normalized"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=ANSWERED) | Q(checked_at__isnull=False), name="tax_id_answered_at"
            ),
            models.CheckConstraint(
                condition=Q(status=TaxIdStatus.PENDING, next_try_at__isnull=False)
                | (~Q(status=TaxIdStatus.PENDING) & Q(next_try_at__isnull=True)),
                name="tax_id_tried_while_pending",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True, reason="")
                | (Q(decided_by__isnull=False, status__in=ANSWERED) & ~Q(reason="")),
                name="tax_id_decided_with_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["used_at"], name="tax_id_used"),
            models.Index(
                fields=["used_at"], condition=Q(status=TaxIdStatus.UNAVAILABLE), name="tax_id_to_decide"
            ),
            models.Index(
                fields=["next_try_at"], condition=Q(status=TaxIdStatus.PENDING), name="tax_id_to_try"
            ),
        ]

    def __str__(self) -> str:
        return self.value

    def is_due(self, now: datetime) -> bool:
        """Whether it is checked when a buyer enters it."""
        if self.status == TaxIdStatus.PENDING:
            return False
        last = self.checked_at if self.status in ANSWERED else self.asked_at
        return last is None or last < now - HOLDS[TaxIdStatus(self.status)]

    def as_check(self) -> dict[str, Any]:
        """What an order keeps: the status, and whoever said so, when and about whom."""
        return {
            "status": self.status,
            "checked_at": self.checked_at.isoformat() if self.checked_at else "",
            "name": self.verified_name,
            "address": self.verified_address,
            "request_identifier": self.request_identifier,
            "is_decided_by_staff": self.decided_by_id is not None,
        }

    @property
    def is_verified(self) -> bool:
        """Whether it was found to be valid, and not too long ago."""
        return self.status == TaxIdStatus.VERIFIED and not self.is_due(timezone.now())


class StoredCheck(NamedTuple):
    """What an order keeps of a check, as TaxId.as_check writes it."""

    status: str = ""
    checked_at: datetime | None = None
    is_decided_by_staff: bool = False
    facts: tuple[str, ...] = ()


def check_read(stored: object) -> StoredCheck:
    """Anything else in it is ignored. `facts`: VIES's identifier of the request, name, address. Never raises."""
    found = stored if isinstance(stored, dict) else {}
    texts = {name: value for name, value in found.items() if isinstance(value, str)}
    try:
        time = datetime.fromisoformat(texts.get("checked_at", ""))
    except ValueError:
        time = None
    return StoredCheck(
        status=status if (status := texts.get("status")) in TaxIdStatus.values else "",
        checked_at=time if time and timezone.is_aware(time) else None,
        is_decided_by_staff=found.get("is_decided_by_staff") is True,
        facts=tuple(fact for name in ("request_identifier", "name", "address") if (fact := texts.get(name))),
    )


class TaxIdNotice(models.Model):
    """Who gets an email when it is known whether a VAT ID is valid.

    `is_promised`: they were told so, because VIES did not answer at once; others see it on the page.
    """

    tax_id = models.ForeignKey(TaxId, models.CASCADE, related_name="notices")
    email = models.EmailField()
    is_promised = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["tax_id", "email"], name="tax_id_one_notice_per_address")
        ]

    def __str__(self) -> str:
        return f"{self.tax_id}: {self.email}"
