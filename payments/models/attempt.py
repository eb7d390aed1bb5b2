from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint, label_of
from artisans.core.money import Money
from payments.codes import provider_code_text
from payments.models.payment import Payment
from payments.providers.contract import Check, Liability, Verdict
from payments.providers.registry import provider_choices


class AttemptOutcome(models.TextChoices):
    CHALLENGED = "challenged", _("3-D Secure pending")
    PENDING = "pending", _("In review")
    SUCCEEDED = "succeeded", _("Succeeded")
    DECLINED = "declined", _("Declined")
    ABANDONED = "abandoned", _("Abandoned during 3-D Secure")


UNDECIDED = (AttemptOutcome.CHALLENGED.value, AttemptOutcome.PENDING.value)


class DeclineReason(models.TextChoices):
    """`decline_group` for staff and figures: the groups of contract.DeclineGroup, and what buyers are not told."""

    FUNDS = "funds", _("Insufficient funds, or above a limit")
    EXPIRED = "expired_card", _("Card expired")
    FIX_DATA = "fix_data", _("Wrong card details")
    OTHER_CARD = "other_card", _("Card or account cannot be used")
    AUTHENTICATION = "authentication", _("3-D Secure failed")
    TRY_AGAIN = "try_again", _("Technical failure at the bank or provider")
    FRAUD = "fraud", _("Suspected fraud, or reported lost or stolen")
    DECLINED = "declined", _("No reason given")
    REJECTED = "rejected", _("Rejected by staff")


# Rows of release 0.1.0 have no `decided_at`; they were decided when they were made.
DECIDED_AT = Coalesce("decided_at", "tried_at")

# New columns only: older rows hold what the provider sent.
KNOWN_VALUES = {"address_check": Check, "liability": Liability, "verdict": Verdict}


def optional_text(length: int = 30) -> "models.CharField[str, str]":
    """A column that rows of release 0.1.0 do not fill."""
    return models.CharField(max_length=length, blank=True, default="", db_default="")


class PaymentAttempt(BaseModel, AppendOnlyModel):
    """An attempt to pay, as the provider sees it: a charge, a capture, or a payment for which the buyer's bank requires
    3-D Secure (CHALLENGED). That one, and a capture that the provider still checks (PENDING), is decided once; all
    others are never changed, so that the declines of a payment that succeeds later are kept. Offline, a receipt is an
    attempt that succeeded, and a rejection by staff one that was declined.

    `attempt_id` is the provider's; without a charge, made of its object and a hash of the payment method; offline, the
    receipt's. `decline_group`: a DeclineReason. `tried_at` and `decided_at` (null in rows of release 0.1.0: see
    DECIDED_AT): by the provider's clock, or when we learned of it. The columns
    below `method` describe a card and what bank, network and provider said of it, as in contract.RemoteAttempt;
    unknown values are "". `fingerprint_hash`: a keyed hash, the same for every use of a card; emptied after a time
    (payments/retention.py).
    """

    undecided = ("outcome", *UNDECIDED)
    erasable = ("fingerprint_hash",)
    personal = ("last_four", "fingerprint_hash")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="attempts")
    provider = models.CharField(max_length=32, choices=provider_choices)
    attempt_id = models.CharField(max_length=120)
    number = models.PositiveSmallIntegerField(help_text=_("Counts the attempts of a payment."))
    outcome = models.CharField(max_length=10, choices=AttemptOutcome)
    decline_group = models.CharField(max_length=20, blank=True)
    decline_code = models.CharField(max_length=80, blank=True)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    tried_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    method = models.CharField(max_length=30, blank=True)
    brand = models.CharField(max_length=30, blank=True)
    last_four = optional_text(4)
    funding = models.CharField(max_length=30, blank=True)
    card_country = models.CharField(max_length=30, blank=True)
    wallet = models.CharField(max_length=30, blank=True)
    cvc_check = models.CharField(max_length=30, blank=True)
    postal_code_check = models.CharField(max_length=30, blank=True)
    three_d_secure = models.CharField(max_length=30, blank=True)
    risk_level = models.CharField(max_length=30, blank=True)
    address_check = optional_text()
    three_d_secure_flow = optional_text()
    liability = optional_text()
    fingerprint_hash = optional_text(64)
    risk_score = models.PositiveSmallIntegerField(null=True, blank=True, help_text=_("0 to 100."))
    verdict = optional_text()
    network_status = optional_text()
    network_decline_code = optional_text()
    advice_code = optional_text()
    provider_reason = optional_text()

    class Meta:
        default_permissions = ("view",)
        ordering = ("number",)
        constraints = [
            currency_constraint("attempt_currency_iso"),
            choices_constraint("outcome", AttemptOutcome.values, name="attempt_outcome_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="attempt_amount_positive"),
            models.CheckConstraint(
                condition=Q(outcome=AttemptOutcome.DECLINED) ^ Q(decline_group="", decline_code=""),
                name="attempt_declined_has_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(outcome=AttemptOutcome.CHALLENGED) | Q(decided_at__isnull=True),
                name="attempt_challenged_is_not_decided",
            ),
            models.CheckConstraint(
                condition=~Q(outcome=AttemptOutcome.PENDING) | Q(decided_at__isnull=True),
                name="attempt_pending_is_not_decided",
            ),
            *(
                choices_constraint(name, [one.value for one in values], name=f"attempt_{name}_known")
                for name, values in KNOWN_VALUES.items()
            ),
            models.CheckConstraint(condition=Q(risk_score__lte=100), name="attempt_risk_score_at_most_100"),
            models.UniqueConstraint(fields=["provider", "attempt_id"], name="attempt_booked_once"),
            models.UniqueConstraint(fields=["payment", "number"], name="attempt_number_once"),
        ]
        indexes = [
            models.Index(fields=["tried_at"], name="attempt_tried"),
            models.Index(DECIDED_AT, condition=~Q(outcome__in=UNDECIDED), name="attempt_decided"),
            models.Index(
                fields=["tried_at"], condition=Q(outcome=AttemptOutcome.CHALLENGED), name="attempt_challenged"
            ),
            models.Index(
                fields=["created_at"], condition=Q(outcome=AttemptOutcome.DECLINED), name="attempt_declined"
            ),
            models.Index(
                fields=["created_at"], condition=~Q(fingerprint_hash=""), name="attempt_fingerprint_kept"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}: {self.amount}"

    @property
    def decline_reason(self) -> str:
        """Why it was declined, in words for staff; "" if it was not."""
        return label_of(DeclineReason, self.decline_group) if self.outcome == AttemptOutcome.DECLINED else ""

    @property
    def decline_text(self) -> str:
        """The provider's code in words for staff; "" if it was not declined."""
        return provider_code_text(self.decline_code) if self.decline_code else ""

    @property
    def details(self) -> str:
        """What is known of the card or wallet, for staff."""
        card = self.brand or self.method
        if self.last_four:
            card = f"{card} •••• {self.last_four}".strip()
        known = (self.wallet, card, self.funding, self.card_country)
        return " · ".join(filter(None, known))

    @property
    def findings(self) -> list[tuple[str, str]]:
        """What bank, network and provider said of this attempt, for staff: labels and the provider's values."""
        three_d_secure = " ".join(filter(None, (self.three_d_secure, self.three_d_secure_flow)))
        risk = " ".join(
            filter(None, (self.risk_level, "" if self.risk_score is None else str(self.risk_score)))
        )
        found = [
            (_("Verdict"), self.verdict),
            (_("Reason"), self.provider_reason if self.provider_reason != self.decline_code else ""),
            (_("Network"), " ".join(filter(None, (self.network_status, self.network_decline_code)))),
            (_("Advice"), self.advice_code),
            (_("Risk"), risk),
            (_("3-D Secure"), three_d_secure),
            (_("Liability"), self.liability),
            (_("Security code"), self.cvc_check),
            (_("Street"), self.address_check),
            (_("Postal code"), self.postal_code_check),
        ]
        return [(str(label), value) for label, value in found if value]

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)
