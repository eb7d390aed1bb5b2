from django.conf import settings
from django.db import models
from django.db.models import F, Q

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, currency_constraint
from artisans.core.money import Money
from orders.models.line import OrderLine


class LineCancellation(BaseModel, AppendOnlyModel):
    """Units of an order line that its artisan cannot deliver, and why. Append-only.

    `amount_minor`: their price with tax, which the order costs less. `refunded_quantity` of them had been refunded
    before, with `refunded_minor`. `restocked`: whether they went back on sale. The line has the sums.
    """

    personal = ("reason", "actor_name")

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="cancellations")
    quantity = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    refunded_quantity = models.PositiveIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    restocked = models.BooleanField()
    reason = models.CharField(max_length=250)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    actor_name = models.CharField(max_length=150)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at", "id")
        constraints = [
            currency_constraint("line_cancellation_currency_iso"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="line_cancellation_quantity_positive"),
            models.CheckConstraint(
                condition=Q(
                    refunded_quantity__lte=F("quantity"),
                    refunded_minor__gte=0,
                    refunded_minor__lte=F("amount_minor"),
                ),
                name="line_cancellation_refunded_within_it",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)
