from django.db import models
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, label_of
from payments.models.payment import Payment
from payments.providers.registry import provider_choices


class FraudType(models.TextChoices):
    """Words for the provider's codes; there may be others."""

    NEVER_RECEIVED = "card_never_received", _("Card never received")
    APPLICATION = "fraudulent_card_application", _("Card applied for by fraud")
    COUNTERFEIT = "made_with_counterfeit_card", _("Counterfeit card")
    LOST = "made_with_lost_card", _("Lost card")
    STOLEN = "made_with_stolen_card", _("Stolen card")
    UNAUTHORISED = "unauthorized_use_of_card", _("Card used without permission")
    OTHER = "misc", _("Other reason")


class FraudWarning(BaseModel, AppendOnlyModel):
    """The bank of a card suspects that a payment is fraud, and a dispute may follow: an early fraud warning.

    `warned_at`: by the provider's clock, or when we learned of it. `fraud_type`: the provider's code.
    """

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="fraud_warnings")
    provider = models.CharField(max_length=32, choices=provider_choices)
    provider_warning_id = models.CharField(max_length=120)
    fraud_type = models.CharField(max_length=80, blank=True)
    warned_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("warned_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "provider_warning_id"], name="fraud_warning_recorded_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider_warning_id}: {self.reason}"

    @property
    def reason(self) -> str:
        return label_of(FraudType, self.fraud_type)
