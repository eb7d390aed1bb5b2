from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.core.numbers import new_number
from artisans.core.test_mode import test_mode_field
from orders.models import Order, Transition
from payments.methods import OFFLINE_METHODS, PaymentMethod
from payments.providers.registry import find_facts, provider_choices
from payments.statuses import OPEN, SETTLED, PaymentStatus


def new_payment_number() -> str:
    return f"PAY-{new_number()}"


class Payment(BaseModel):
    """One attempt to pay an order. An order has at most one open payment.

    `received_minor`, `refunded_minor` (completed), `refund_reserved_minor` and `disputed_minor` (lost) are
    sums over related rows. `provider_payment_id` is the current object at the provider; earlier ones are kept
    in `calls`. `is_test`: it moves test money (`is_test_money` of the registry).
    """

    payment_number = models.CharField(max_length=13, unique=True, default=new_payment_number, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="payments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="payments")
    payment_method = models.CharField(max_length=20, choices=PaymentMethod)
    payment_provider = models.CharField(max_length=32, choices=provider_choices)
    status = models.CharField(max_length=18, choices=PaymentStatus, default=PaymentStatus.PENDING)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    received_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    refund_reserved_minor = models.BigIntegerField(default=0)
    disputed_minor = models.BigIntegerField(default=0)
    provider_payment_id = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001  # unique when known
    in_review = models.BooleanField(
        default=False, help_text=_("The provider is reviewing the payment; no action needed.")
    )
    failure_reason = models.CharField(max_length=300, blank=True)
    failure_code = models.CharField(max_length=80, blank=True)
    declines = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text=_("Number of declined attempts.")
    )
    pending_reason = models.CharField(
        max_length=10, blank=True, db_default="", help_text=_("What a payment in review is waiting for.")
    )
    pending_code = models.CharField(
        max_length=80, blank=True, db_default="", help_text=_("The provider’s code for it.")
    )
    checks = models.PositiveIntegerField(default=0, help_text=_("Number of polls without a change."))
    next_check_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the buyer was reminded of the open payment.")
    )
    is_test = test_mode_field()
    processed_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("approve_manual", _("Can record or reject offline payments")),
            ("refund", _("Can make refunds")),
            ("sync_payment", _("Can sync payments with the provider")),
        ]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("status", PaymentStatus.values, name="payment_status_known"),
            currency_constraint("payment_currency_iso"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(
                    received_minor__gte=0,
                    refunded_minor__gte=0,
                    refund_reserved_minor__gte=0,
                    disputed_minor__gte=0,
                ),
                name="payment_sums_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(
                    received_minor__gte=F("refunded_minor") + F("refund_reserved_minor") + F("disputed_minor")
                ),
                name="payment_refunds_at_most_received",
            ),
            models.CheckConstraint(
                condition=~Q(status="COMPLETED")
                | Q(received_minor__gte=F("amount_minor"), completed_at__isnull=False),
                name="payment_completed_has_the_money",
            ),
            models.CheckConstraint(
                condition=Q(in_review=False) | Q(status="PROCESSING"), name="payment_in_review_is_processing"
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(status__in=[status.value for status in OPEN]),
                name="payment_one_open_per_order",
            ),
            models.UniqueConstraint(
                fields=["payment_provider", "provider_payment_id"],
                condition=Q(provider_payment_id__isnull=False),
                name="payment_provider_id_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="payment_of_user"),
            models.Index(fields=["amount_minor"], name="payment_amount"),
            models.Index(
                fields=["completed_at"], condition=Q(completed_at__isnull=False), name="payment_completed_on"
            ),
            models.Index(fields=["status", "payment_provider", "created_at"], name="payment_queue"),
            models.Index(
                fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="payment_to_check"
            ),
        ]

    def __str__(self) -> str:
        return self.payment_number

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)

    @property
    def received(self) -> Money:
        return Money.stored(self.received_minor, self.currency)

    @property
    def outstanding(self) -> Money:
        """What is missing for it to complete; what went back before that is missing again."""
        missing = 0 if self.status in SETTLED else self.amount_minor - self.net_received_minor
        return Money.stored(max(0, missing), self.currency)

    @property
    def refunded(self) -> Money:
        return Money.stored(self.refunded_minor, self.currency)

    @property
    def refund_reserved(self) -> Money:
        return Money.stored(self.refund_reserved_minor, self.currency)

    @property
    def disputed(self) -> Money:
        return Money.stored(self.disputed_minor, self.currency)

    @property
    def refundable(self) -> Money:
        """What can still be refunded: received, less refunded, reserved for refunds, and lost in disputes."""
        return Money.stored(self.net_received_minor - self.refund_reserved_minor, self.currency)

    @property
    def net_received_minor(self) -> int:
        """Received, less refunded and lost in disputes."""
        return self.received_minor - self.refunded_minor - self.disputed_minor

    @property
    def due_at(self) -> datetime | None:
        """The due date shown to the buyer: of an offline payment, while something is due. Cash has none."""
        is_shown = (
            self.payment_method in OFFLINE_METHODS and self.payment_method != PaymentMethod.CASH_ON_DELIVERY
        )
        return self.order.due_at if self.is_open and is_shown else None

    @property
    def is_remote(self) -> bool:
        """Whether a provider processes the payment; true for a provider that is no longer registered."""
        facts = find_facts(self.payment_provider)
        return facts is None or facts.page is not None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


class PaymentTransition(Transition):
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="transitions")
