from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.approvals.statuses import DECIDED, ApprovalStatus
from artisans.core.models import BaseModel, choices_constraint
from artisans.core.security.encryption import EncryptedTextField


class ApprovalRequest(BaseModel):
    """An operation requested by one person that awaits approval by another. Nothing happens until it is APPROVED.

    `kind` names the handler that executes it with `payload` (JSON); `details` (JSON, pairs of label and text) is
    exactly what the approver is shown. Both can hold bank data and are encrypted. `target` is the model's label and
    key, such as "payments.Payment:<id>"; only one request for each target and kind is open at a time.
    """

    kind = models.CharField(max_length=40)
    status = models.CharField(max_length=9, choices=ApprovalStatus, default=ApprovalStatus.PENDING)
    target = models.CharField(max_length=100, db_index=True)
    title = models.CharField(max_length=200)
    details = EncryptedTextField()
    payload = EncryptedTextField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text=_("Why it was rejected or failed."))

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("status", ApprovalStatus.values, name="approval_status_known"),
            models.UniqueConstraint(
                fields=["kind", "target"],
                condition=Q(status=ApprovalStatus.PENDING),
                name="approval_one_pending_per_target",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="approval_by_a_second_person",
            ),
            models.CheckConstraint(
                condition=Q(status__in=DECIDED, decided_by__isnull=False)
                | (~Q(status__in=DECIDED) & Q(decided_by__isnull=True)),
                name="approval_decided_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(status=ApprovalStatus.PENDING), name="approval_to_expire"
            )
        ]

    def __str__(self) -> str:
        return self.title
