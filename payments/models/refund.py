from django.conf import settings
from django.db import models
from django.db.models import Q

from artisans.core.models import BaseModel, iso_currency, one_of
from artisans.core.money import Money
from artisans.core.numbers import new_number
from orders.models import OrderLine, Transition
from payments.models.payment import Payment
from payments.statuses import RefundStatus


def new_refund_number() -> str:
    return f"REF-{new_number()}"


class RefundOrigin(models.TextChoices):
    STAFF = "staff", "Staff"
    SYSTEM = "system", "The shop itself"
    PROVIDER = "provider", "A person at the provider"


class RefundDecision(models.TextChoices):
    """What a refund that was made at the provider means for the order; a person says it."""

    NOT_NEEDED = "", "Not needed"
    PENDING = "pending", "Waits for a decision"
    NOTHING = "nothing", "The order goes on"
    RESTOCK = "restock", "The items came back"
    CANCEL = "cancel", "The order is cancelled"


class PaymentRefund(BaseModel):
    """Money on its way back. The amount is reserved on the payment before anything leaves the house.

    By hand: COMPLETED from the start, with date and reference of the transfer that a person made.
    Made at the provider: booked as it is, and `decision` waits for staff.
    """

    refund_number = models.CharField(max_length=13, unique=True, default=new_refund_number, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    status = models.CharField(max_length=10, choices=RefundStatus, default=RefundStatus.REQUESTED)
    origin = models.CharField(max_length=8, choices=RefundOrigin, default=RefundOrigin.STAFF)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    restock = models.BooleanField(default=False, help_text="The items of its lines go back on sale.")
    decision = models.CharField(max_length=7, choices=RefundDecision, blank=True)
    failure_reason = models.CharField(max_length=300, blank=True)
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
            one_of("origin", RefundOrigin.values, name="refund_origin_known"),
            one_of("decision", RefundDecision.values, name="refund_decision_known"),
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


class RefundLine(BaseModel):
    """Which pieces of which order line a refund is for, and their frozen part of the money."""

    refund = models.ForeignKey(PaymentRefund, models.PROTECT, related_name="lines")
    order_line = models.ForeignKey(OrderLine, models.PROTECT, related_name="refund_lines")
    quantity = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["refund", "order_line"], name="refund_line_once_per_refund"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="refund_line_quantity_positive"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="refund_line_amount_not_negative"),
            iso_currency("refund_line_currency_iso"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.order_line_id}"


class RefundTransition(Transition):
    refund = models.ForeignKey(PaymentRefund, models.PROTECT, related_name="transitions")
