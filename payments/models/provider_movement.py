from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from payments.models.capture import Capture, Dispute
from payments.models.payment import Payment
from payments.models.refund import PaymentRefund
from payments.providers.contract import MovementKind
from payments.providers.registry import provider_choices


class Explanation(models.TextChoices):
    """What of our books a movement belongs to."""

    NONE = "", _("Unexplained")
    CAPTURE = "capture", _("Captured money")
    REFUND = "refund", _("A refund")
    DISPUTE = "dispute", _("A dispute")
    ACCOUNT = "account", _("The shop’s account")


KINDS = (
    (MovementKind.PAYMENT.value, _("Payment")),
    (MovementKind.REFUND.value, _("Refund")),
    (MovementKind.REFUND_FAILED.value, _("Refund that failed")),
    (MovementKind.REVERSAL.value, _("Reversal")),
    (MovementKind.DISPUTE.value, _("Dispute")),
    (MovementKind.DISPUTE_FEE.value, _("Fee of a dispute")),
    (MovementKind.FEE.value, _("Fee")),
    (MovementKind.WITHDRAWAL.value, _("To or from the bank")),
    (MovementKind.CONVERSION.value, _("Currency exchanged")),
    (MovementKind.UNKNOWN.value, _("Unknown")),
)


class ProviderMovement(BaseModel, AppendOnlyModel):
    """A change of our balance at a provider, as the provider lists it: `net_minor` is `gross_minor` less `fee_minor`.

    Rows are added, never changed, except that one without an explanation gets it when the capture, refund or dispute is
    known, or is closed by staff as not the shop's. `code`: the provider's name of the kind. `source_id`,
    `provider_capture_id`: the provider's ids of what moved and of the capture that it is about, "" if unknown.
    `charged_minor`, `charged_currency`: what the provider converted to the gross amount, null and "" if nothing.
    """

    undecided = ("explained_by", "")

    provider = models.CharField(max_length=32, choices=provider_choices)
    external_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, blank=True, choices=KINDS)
    code = models.CharField(max_length=40, blank=True)
    source_id = models.CharField(max_length=255, blank=True)
    provider_capture_id = models.CharField(max_length=255, blank=True)
    currency = models.CharField(max_length=3)
    gross_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    net_minor = models.BigIntegerField()
    charged_minor = models.BigIntegerField(null=True, blank=True)
    charged_currency = models.CharField(max_length=3, blank=True, default="", db_default="")
    occurred_at = models.DateTimeField()
    available_on = models.DateTimeField(null=True, blank=True)
    explained_by = models.CharField(max_length=7, blank=True, choices=Explanation)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, blank=True, related_name="movements")
    capture = models.ForeignKey(Capture, models.PROTECT, null=True, blank=True, related_name="movements")
    refund = models.ForeignKey(PaymentRefund, models.PROTECT, null=True, blank=True, related_name="movements")
    dispute = models.ForeignKey(Dispute, models.PROTECT, null=True, blank=True, related_name="movements")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    close_reason = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text=_("Why it is not the shop’s.")
    )

    class Meta:
        default_permissions = ("view",)
        ordering = ("-occurred_at", "id")
        constraints = [
            currency_constraint("provider_movement_currency_iso"),
            choices_constraint("kind", [kind for kind, _label in KINDS], name="provider_movement_kind_known"),
            models.CheckConstraint(
                condition=Q(net_minor=F("gross_minor") - F("fee_minor")), name="provider_movement_net_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(charged_minor__isnull=True, charged_currency="")
                | Q(charged_minor__isnull=False, charged_currency__regex=r"^[A-Z]{3}$")
                & ~Q(charged_currency=F("currency")),
                name="provider_movement_charged_in_another_currency",
            ),
            models.UniqueConstraint(fields=["provider", "external_id"], name="provider_movement_once"),
            models.CheckConstraint(
                condition=Q(
                    explained_by__in=["", "account"], payment=None, capture=None, refund=None, dispute=None
                )
                | Q(payment__isnull=False)
                & (
                    Q(explained_by="capture", capture__isnull=False, refund=None, dispute=None)
                    | Q(explained_by="refund", capture=None, refund__isnull=False, dispute=None)
                    | Q(explained_by="dispute", capture=None, refund=None, dispute__isnull=False)
                ),
                name="provider_movement_names_its_explanation",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None, close_reason="")
                | Q(closed_at__isnull=False, closed_by__isnull=False, explained_by="") & ~Q(close_reason=""),
                name="provider_movement_closed_by_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "currency", "occurred_at"], name="provider_movement_by_time"),
            models.Index(
                fields=["provider"], condition=Q(explained_by=""), name="provider_movement_unexplained"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.external_id}: {self.net}"

    @property
    def gross(self) -> Money:
        return Money.stored(self.gross_minor, self.currency)

    @property
    def fee(self) -> Money:
        return Money.stored(self.fee_minor, self.currency)

    @property
    def net(self) -> Money:
        return Money.stored(self.net_minor, self.currency)

    @property
    def charged(self) -> Money | None:
        minor = self.charged_minor
        return None if minor is None else Money.stored(minor, self.charged_currency)

    @property
    def exchanged(self) -> list[Money]:
        """What a conversion gave to our balance (positive) and took from it (negative), by currency; none if nothing
        was converted."""
        if self.charged is not None:
            return [self.charged * -1, self.gross]
        return [self.gross] if self.kind == MovementKind.CONVERSION else []
