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
    """Money captured by a provider. Rows are added, never changed.

    `fee_minor`: what the provider keeps of it, if it said so with the capture; the ledger takes it from the movement.
    """

    personal = ("actor_name",)

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="captures")
    provider = models.CharField(max_length=32, choices=provider_choices)
    provider_capture_id = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(null=True, blank=True)
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
    """A dispute (chargeback) of captured money. While lost, it counts like a refund that was made outside the
    shop.

    Amount and currency are the provider's latest. A dispute in another currency than its payment's is never
    counted; staff determine its cost.
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
    """A change of a dispute's status or amount, with the amount from then on."""

    currency = models.CharField(max_length=3, blank=True, db_default="")
    amount_minor = models.BigIntegerField(null=True)
    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="transitions")
