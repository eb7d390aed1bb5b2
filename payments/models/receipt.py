from django.conf import settings
from django.db import models
from django.db.models import Q

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, iso_currency
from artisans.core.money import Money
from payments.models.payment import Payment


class Receipt(BaseModel, AppendOnlyModel):
    """Manual money that a person saw arrive. Rows are added, never changed."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="receipts")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    value_date = models.DateField()
    bank_reference = models.CharField(max_length=80, db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=150)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at",)
        constraints = [
            iso_currency("receipt_currency_iso"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="receipt_amount_positive"),
            models.UniqueConstraint(
                fields=["payment", "bank_reference"], name="receipt_once_per_bank_reference"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} on {self.value_date}"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)
