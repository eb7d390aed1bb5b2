from django.db import models
from django.db.models import Q

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from orders.models import Transition
from payments.models.payment import Payment
from payments.providers.registry import provider_choices
from payments.statuses import DisputeStatus


class Capture(BaseModel, AppendOnlyModel):
    """Money that a provider took for us. Rows are added, never changed."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="captures")
    provider = models.CharField(max_length=32, choices=provider_choices)
    provider_capture_id = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    actor_name = models.CharField(max_length=150)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at",)
        constraints = [
            currency_constraint("capture_currency_iso"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="capture_amount_positive"),
            models.UniqueConstraint(fields=["provider", "provider_capture_id"], name="capture_booked_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} by {self.provider}"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)


class Dispute(BaseModel):
    """The buyer's bank wants captured money back. Lost, it counts like a refund that nobody here made.

    Amount and currency are the provider's, as it last said them. One in another currency than its payment's is never
    counted: what it costs is for a person to find out.
    """

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    provider = models.CharField(max_length=32, choices=provider_choices)
    provider_dispute_id = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    status = models.CharField(max_length=4, choices=DisputeStatus, default=DisputeStatus.OPEN)
    reason = models.CharField(max_length=100, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            currency_constraint("dispute_currency_iso"),
            choices_constraint("status", DisputeStatus.values, name="dispute_status_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="dispute_amount_positive"),
            models.UniqueConstraint(fields=["provider", "provider_dispute_id"], name="dispute_booked_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} disputed ({self.get_status_display()})"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)


class DisputeTransition(Transition):
    """A change of status or amount, with the amount since then."""

    currency = models.CharField(max_length=3, blank=True, db_default="")
    amount_minor = models.BigIntegerField(null=True)
    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="transitions")
