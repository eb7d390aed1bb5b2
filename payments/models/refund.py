from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.core.numbers import new_number
from orders.models import OrderLine, Transition
from payments.methods import MANUAL
from payments.models.payment import Payment
from payments.statuses import RefundStatus


def new_refund_number() -> str:
    return f"REF-{new_number()}"


class RefundOrigin(models.TextChoices):
    STAFF = "staff", _("Staff")
    SYSTEM = "system", _("Automatic")
    PROVIDER = "provider", _("Provider’s dashboard")


class RefundDecision(models.TextChoices):
    """What a refund made at the provider means for the order, as decided by staff."""

    NOT_NEEDED = "", _("Not needed")
    PENDING = "pending", _("Awaiting decision")
    NOTHING = "nothing", _("Order continues")
    RESTOCK = "restock", _("Items restocked")
    CANCEL = "cancel", _("Order cancelled")


class Bearer(models.TextChoices):
    """Who pays for a refund: the artisans of what it is for, or the shop, whose artisans keep their earnings."""

    ARTISAN = "artisan", _("Artisans")
    SHOP = "shop", _("The shop")


class PaidFrom(models.TextChoices):
    """Whose money an offline refund was."""

    BANK = "bank", _("The shop, by bank transfer")
    CASH = "cash", _("The shop, in cash")
    ARTISAN = "artisan", _("The artisan, in cash")


class PaymentRefund(BaseModel):
    """A refund. Its amount is reserved on the payment before anything is sent.

    Offline: COMPLETED from the start, with date and reference of the transfer that staff made. Made at the
    provider: booked as it is, and `decision` awaits staff.

    `paid_from`: of offline refunds; those without it were bank transfers. `paid_by`: the artisan who handed the money
    back.
    """

    refund_number = models.CharField(max_length=13, unique=True, default=new_refund_number, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    status = models.CharField(max_length=10, choices=RefundStatus, default=RefundStatus.REQUESTED)
    origin = models.CharField(max_length=8, choices=RefundOrigin, default=RefundOrigin.STAFF)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    shipping_minor = models.BigIntegerField(default=0, help_text=_("Shipping included in the amount."))
    goodwill_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Goodwill included in the amount.")
    )
    restock = models.BooleanField(default=False, help_text=_("Restock the items of its lines."))
    borne_by = models.CharField(
        max_length=7, choices=Bearer, default=Bearer.ARTISAN, db_default=Bearer.ARTISAN
    )
    keeps_commission = models.BooleanField(
        default=False, db_default=False, help_text=_("The shop keeps its commission on the refunded amount.")
    )
    decision = models.CharField(max_length=7, choices=RefundDecision, blank=True)
    retry_of = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="retries")
    failure_reason = models.CharField(max_length=300, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    provider_refund_id = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001  # unique when known
    value_date = models.DateField(null=True, blank=True)
    bank_reference = models.CharField(max_length=80, blank=True, db_index=True)
    reference_key = models.CharField(max_length=120, blank=True, db_default="", default="")
    paid_from = models.CharField(max_length=7, choices=PaidFrom, blank=True, db_default="", default="")
    paid_by = models.ForeignKey(
        Artisan, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("status", RefundStatus.values, name="refund_status_known"),
            choices_constraint("origin", RefundOrigin.values, name="refund_origin_known"),
            choices_constraint("decision", RefundDecision.values, name="refund_decision_known"),
            choices_constraint("borne_by", Bearer.values, name="refund_bearer_known"),
            currency_constraint("refund_currency_iso"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(shipping_minor__gte=0, shipping_minor__lte=F("amount_minor")),
                name="refund_shipping_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(goodwill_minor__gte=0, goodwill_minor__lte=F("amount_minor")),
                name="refund_goodwill_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(paid_from=PaidFrom.ARTISAN, paid_by__isnull=False)
                | Q(paid_from__in=["", PaidFrom.BANK, PaidFrom.CASH], paid_by__isnull=True),
                name="refund_paid_by_artisan_names_one",
            ),
            models.CheckConstraint(
                condition=Q(paid_from="") | Q(value_date__isnull=False),
                name="refund_paid_offline_has_a_date",
            ),
            models.UniqueConstraint(
                fields=["retry_of"], condition=Q(retry_of__isnull=False), name="refund_tried_again_once"
            ),
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
            models.UniqueConstraint(
                fields=["reference_key"],
                condition=~Q(reference_key=""),
                name="refund_reference_once_in_the_shop",
            ),
        ]
        indexes = [
            models.Index(
                fields=["bank_reference"], condition=~Q(bank_reference=""), name="refund_bank_reference"
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(decision=RefundDecision.PENDING),
                name="refund_to_be_decided",
            ),
            models.Index(
                fields=["processed_at"],
                condition=Q(status=RefundStatus.COMPLETED),
                name="refund_completed_on",
            ),
        ]

    def __str__(self) -> str:
        return self.refund_number

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)

    @property
    def goodwill(self) -> Money:
        return Money(self.goodwill_minor, self.currency)

    @property
    def is_pending(self) -> bool:
        return self.status in {RefundStatus.REQUESTED, RefundStatus.PROCESSING}

    @property
    def is_manual(self) -> bool:
        """Staff made the transfer; no provider sends anything."""
        return self.payment.payment_provider == MANUAL


class RefundLine(BaseModel):
    """The units of an order line that a refund is for, and their share of the frozen amounts.

    For a refund made at the provider staff name the units later; its amount is the provider's then.
    """

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
            currency_constraint("refund_line_currency_iso"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.order_line_id}"


class RefundTransition(Transition):
    refund = models.ForeignKey(PaymentRefund, models.PROTECT, related_name="transitions")
