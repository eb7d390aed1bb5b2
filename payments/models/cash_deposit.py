from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from orders.statuses import CashHolder
from payments.models.receipt import Receipt


class DepositStatus(models.TextChoices):
    RECORDED = "recorded", _("Recorded")
    REVERSED = "reversed", _("Reversed")


class CashDeposit(BaseModel, AppendOnlyModel):
    """Cash on delivery that came to the shop's bank account: a courier's transfer for many parcels, or the shop's cash.

    `amount_minor` is what came, `fee_minor` what the courier or the bank kept of the receipts of its lines. Changed
    once, when it is reversed as a mistake.
    """

    undecided = ("status", DepositStatus.RECORDED.value)

    status = models.CharField(max_length=8, choices=DepositStatus, default=DepositStatus.RECORDED)
    holder = models.CharField(max_length=7, choices=CashHolder, help_text=_("Who had the cash before."))
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0)
    value_date = models.DateField()
    bank_reference = models.CharField(max_length=80)
    reference_key = models.CharField(max_length=120)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reversal_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-value_date", "-created_at")
        constraints = [
            choices_constraint("status", DepositStatus.values, name="cash_deposit_status_known"),
            choices_constraint(
                "holder", [CashHolder.SHOP, CashHolder.COURIER], name="cash_deposit_holder_known"
            ),
            currency_constraint("cash_deposit_currency_iso"),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, fee_minor__gte=0), name="cash_deposit_amounts_positive"
            ),
            models.CheckConstraint(
                condition=Q(status="reversed", reversed_at__isnull=False, reversed_by__isnull=False)
                | (~Q(status="reversed") & Q(reversed_at__isnull=True, reversed_by__isnull=True)),
                name="cash_deposit_reversed_by_somebody",
            ),
            models.UniqueConstraint(
                fields=["reference_key"],
                condition=Q(status="recorded"),
                name="cash_deposit_once_per_reference",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.bank_reference})"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)

    @property
    def fee(self) -> Money:
        return Money.stored(self.fee_minor, self.currency)

    @property
    def total(self) -> Money:
        """The cash that was held before."""
        return self.amount + self.fee


class CashDepositLine(BaseModel, AppendOnlyModel):
    """A receipt that a deposit covers: what was left of its cash. `status` is the deposit's, so that each receipt is
    covered once."""

    undecided = ("status", DepositStatus.RECORDED.value)

    deposit = models.ForeignKey(CashDeposit, models.PROTECT, related_name="lines")
    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="deposit_lines")
    currency = models.CharField(
        max_length=3, blank=True, default="", db_default="", help_text=_("Of what was paid back.")
    )
    paid_back_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("What the shop had paid back to the buyer from this cash.")
    )
    status = models.CharField(max_length=8, choices=DepositStatus, default=DepositStatus.RECORDED)

    class Meta:
        default_permissions = ()
        ordering = ("created_at", "pk")
        constraints = [
            choices_constraint("status", DepositStatus.values, name="cash_deposit_line_status_known"),
            models.CheckConstraint(
                condition=Q(paid_back_minor=0) | Q(paid_back_minor__gt=0, currency__regex=r"^[A-Z]{3}$"),
                name="cash_deposit_line_paid_back_in_currency",
            ),
            models.UniqueConstraint(
                fields=["receipt"], condition=Q(status="recorded"), name="cash_deposit_once_per_receipt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.receipt_id} ({self.status})"

    @property
    def amount(self) -> Money:
        return self.receipt.amount - Money(self.paid_back_minor, self.receipt.currency)
