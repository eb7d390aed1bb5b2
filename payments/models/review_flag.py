from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint
from payments.models.payment import Payment


class FlagKind(models.TextChoices):
    MISMATCH = "mismatch", _("Amounts differ from the provider’s")
    DISPUTE = "dispute", _("Payment disputed")
    FRAUD_WARNING = "fraud_warning", _("Reported as fraud by the bank")
    REFUND_FAILED = "refund_failed", _("Refund failed")
    STUCK = "stuck", _("No response from the provider")
    CONFLICT = "conflict", _("More refunded than received")
    UNPROTECTED = "unprotected", _("No seller protection")
    UNREADABLE = "unreadable", _("Unreadable data from the provider")


class PaymentFlag(BaseModel):
    """A problem with a payment that staff must review. One open row per payment and kind of problem."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="flags")
    kind = models.CharField(max_length=13, choices=FlagKind)
    detail = models.CharField(max_length=300)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    resolution = models.CharField(max_length=300, blank=True)

    class Meta:
        default_permissions = ("view",)
        permissions = [("resolve_flag", _("Can resolve flagged payments"))]
        ordering = ("created_at",)
        constraints = [
            choices_constraint("kind", FlagKind.values, name="payment_flag_kind_known"),
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=Q(resolved_at__isnull=True),
                name="payment_flag_one_open_per_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.detail}"
