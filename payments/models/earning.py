from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan
from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from orders.models import Parcel
from orders.shares import Shares
from payments.models.refund import PaymentRefund


class EarningStatus(models.TextChoices):
    PENDING = "pending", _("Earned, not released yet")
    RELEASED = "released", _("Released")
    CANCELLED = "cancelled", _("No longer earned")


class Earning(BaseModel):
    """What an artisan earns with a parcel, from the moment its money is here.

    `net_minor`: as agreed. `returned_minor`: what completed refunds and lost disputes took back of it; they also took
    `returned_commission_minor`, its tax and remitted tax of the shop's shares of the parcel. `promised_minor`: what
    refunds in progress will take. `payment_fee_minor`: what the artisan bears of the payment provider's fees, with the
    tax on it (`payment_fee_tax_minor`); it stays when the rest goes back. CANCELLED: the parcel was cancelled or
    returned, or the order is unpaid again; it can be earned anew.
    """

    parcel = models.OneToOneField(Parcel, models.PROTECT, related_name="earning")
    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="earnings")
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=9, choices=EarningStatus, default=EarningStatus.PENDING)
    net_minor = models.BigIntegerField()
    returned_minor = models.BigIntegerField(default=0)
    returned_commission_minor = models.BigIntegerField(default=0, db_default=0)
    returned_commission_tax_minor = models.BigIntegerField(default=0, db_default=0)
    returned_remitted_tax_minor = models.BigIntegerField(default=0, db_default=0)
    promised_minor = models.BigIntegerField(default=0)
    payment_fee_minor = models.BigIntegerField(default=0, db_default=0)
    payment_fee_tax_minor = models.BigIntegerField(default=0, db_default=0)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("status", EarningStatus.values, name="earning_status_known"),
            currency_constraint("earning_currency_iso"),
            models.CheckConstraint(
                condition=Q(
                    returned_minor__gte=0,
                    promised_minor__gte=0,
                    net_minor__gte=F("returned_minor") + F("promised_minor"),
                ),
                name="earning_returned_at_most_net",
            ),
            models.CheckConstraint(
                condition=Q(
                    returned_commission_minor__gte=0,
                    returned_commission_tax_minor__gte=0,
                    returned_remitted_tax_minor__gte=0,
                ),
                name="earning_returned_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(payment_fee_tax_minor__gte=0, payment_fee_minor__gte=F("payment_fee_tax_minor")),
                name="earning_payment_fee_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(status=EarningStatus.RELEASED, released_at__isnull=False)
                | (~Q(status=EarningStatus.RELEASED) & Q(released_at__isnull=True)),
                name="earning_released_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["artisan", "-created_at"], name="earning_of_artisan"),
            models.Index(
                fields=["created_at"], condition=Q(status=EarningStatus.PENDING), name="earning_to_release"
            ),
            models.Index(fields=["artisan"], condition=Q(promised_minor__gt=0), name="earning_promised"),
        ]

    def __str__(self) -> str:
        return f"{self.net} ({self.get_status_display()})"

    @property
    def net(self) -> Money:
        return Money.stored(self.net_minor, self.currency)

    @property
    def returned(self) -> Money:
        return Money.stored(self.returned_minor, self.currency)

    @property
    def promised(self) -> Money:
        return Money.stored(self.promised_minor, self.currency)

    @property
    def payment_fee(self) -> Money:
        """With the tax on it."""
        return Money.stored(self.payment_fee_minor, self.currency)

    @property
    def remaining(self) -> Money:
        """What is left for the artisan; negative if the payment fee is more."""
        left = 0 if self.is_cancelled else self.net_minor - self.returned_minor
        return Money.stored(left - self.payment_fee_minor, self.currency)

    @property
    def is_cancelled(self) -> bool:
        return self.status == EarningStatus.CANCELLED

    def left_of(self, agreed: Shares) -> Shares:
        """What is left of the parcel's shares as agreed."""
        returned = (
            self.returned_minor,
            self.returned_commission_minor,
            self.returned_commission_tax_minor,
            self.returned_remitted_tax_minor,
        )
        return Shares() if self.is_cancelled else agreed.minus(Shares(*returned))


class RefundShare(AppendOnlyModel):
    """The part of a refund's shipping and goodwill that concerns one parcel; `RefundLine` has that of its items.

    Shared once, when the refund is made, over what is left of each parcel.
    """

    id = models.BigAutoField(primary_key=True)
    refund = models.ForeignKey(PaymentRefund, models.PROTECT, related_name="shares")
    parcel = models.ForeignKey(Parcel, models.PROTECT, related_name="refund_shares")
    currency = models.CharField(max_length=3)
    shipping_minor = models.BigIntegerField(default=0)
    goodwill_minor = models.BigIntegerField(default=0)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("id",)
        constraints = [
            currency_constraint("refund_share_currency_iso"),
            models.CheckConstraint(
                condition=Q(shipping_minor__gte=0, goodwill_minor__gte=0)
                & (Q(shipping_minor__gt=0) | Q(goodwill_minor__gt=0)),
                name="refund_share_is_an_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.refund_id} → {self.parcel_id}"
