from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from orders.models import Parcel
from orders.statuses import CashHolder
from payments.models.payment import Payment


class Receipt(BaseModel, AppendOnlyModel):
    """Money received offline, as recorded by staff or the bank feed. Rows are added, never changed.

    `reference_key` is the normalized reference: a bank transaction, check or cash receipt counts once in the whole
    shop. `round` increases when a receipt was reversed and the money is recorded again. `holder` says who has cash on
    delivery: "" for other money, and for cash that release 0.1.0 recorded, which the shop has. `parcel`: the one for
    which it was collected; None if it is for the whole order. Artisan and courier hold the cash of a parcel.
    """

    personal = ("actor_name",)

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="receipts")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    value_date = models.DateField()
    bank_reference = models.CharField(max_length=80, db_index=True)
    reference_key = models.CharField(max_length=120, blank=True, db_default="", default="")
    reference_round = models.PositiveSmallIntegerField(default=0, db_default=0)
    parcel = models.ForeignKey(
        Parcel, models.PROTECT, null=True, related_name="receipts", db_index=False, db_constraint=False
    )
    holder = models.CharField(max_length=7, choices=CashHolder, blank=True, db_default="", default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=150)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at",)
        constraints = [
            currency_constraint("receipt_currency_iso"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="receipt_amount_positive"),
            models.UniqueConstraint(  # for rows written by the previous release, which has no keys
                fields=["payment", "bank_reference"],
                condition=Q(reference_key=""),
                name="receipt_once_per_bank_reference",
            ),
            models.UniqueConstraint(
                fields=["reference_key", "reference_round"],
                condition=~Q(reference_key=""),
                name="receipt_reference_once_in_the_shop",
            ),
            models.CheckConstraint(
                condition=Q(parcel__isnull=True, holder__in=["", CashHolder.SHOP])
                | Q(parcel__isnull=False, holder__in=CashHolder.values),
                name="receipt_of_parcel_has_holder",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} on {self.value_date}"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)


class ReversalReason(models.TextChoices):
    BOUNCED = "bounced", _("The bank returned the payment")
    WRONG_ORDER = "wrong_order", _("Recorded on the wrong order")
    MISTAKE = "mistake", _("Wrong amount, date or reference")


class ReceiptReversal(BaseModel, AppendOnlyModel):
    """A full reversal of a receipt: the money never arrived, or belongs to another payment. It is not a
    refund."""

    personal = ("note", "actor_name")

    receipt = models.OneToOneField(Receipt, models.PROTECT, related_name="reversal")
    reason = models.CharField(max_length=11, choices=ReversalReason)
    note = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=150)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at",)
        constraints = [
            choices_constraint("reason", ReversalReason.values, name="receipt_reversal_reason_known")
        ]

    def __str__(self) -> str:
        return gettext("%(receipt)s reversed") % {"receipt": self.receipt}
