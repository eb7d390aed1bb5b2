from django.conf import settings
from django.db import models
from django.db.models import Q

from artisans.core.models import BaseModel, iso_currency, one_of
from artisans.core.money import Money
from artisans.core.numbers import new_number
from orders.models import Transition
from payments.models.payment import Payment
from payments.statuses import RefundStatus


def new_refund_number() -> str:
    return f"REF-{new_number()}"


class PaymentRefund(BaseModel):
    """Money on its way back. The amount is reserved on the payment before anything leaves the house.

    By hand: COMPLETED from the start, with date and reference of the transfer that a person made.
    """

    refund_number = models.CharField(max_length=13, unique=True, default=new_refund_number, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    status = models.CharField(max_length=10, choices=RefundStatus, default=RefundStatus.REQUESTED)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    provider_refund_id = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001  # unique when known
    value_date = models.DateField(null=True, blank=True)
    bank_reference = models.CharField(max_length=80, blank=True, db_index=True)
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            one_of("status", RefundStatus.values, name="refund_status_known"),
            iso_currency("refund_currency_iso"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive"),
            models.UniqueConstraint(
                fields=["payment", "provider_refund_id"],
                condition=Q(provider_refund_id__isnull=False),
                name="refund_provider_id_unique",
            ),
            models.UniqueConstraint(
                fields=["payment", "bank_reference"],
                condition=~Q(bank_reference=""),
                name="refund_once_per_bank_reference",
            ),
        ]

    def __str__(self) -> str:
        return self.refund_number

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class RefundTransition(Transition):
    refund = models.ForeignKey(PaymentRefund, models.PROTECT, related_name="transitions")
