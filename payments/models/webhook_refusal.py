from django.db import models
from django.utils.translation import gettext_lazy as _

from artisans.core.models import label_of
from payments.providers.registry import provider_choices


class RefusalReason(models.TextChoices):
    """Words for the codes of contract.BadSignature."""

    ALGORITHM = "algorithm", _("Other algorithm of signature")
    CERTIFICATE_ADDRESS = "certificate_address", _("Certificate for another address")
    CERTIFICATE_EXPIRED = "certificate_expired", _("Certificate expired")
    CERTIFICATE_KEY = "certificate_key", _("Certificate without a usable key")
    CERTIFICATE_MISSING = "certificate_missing", _("Certificate not found")
    CERTIFICATE_SIZE = "certificate_size", _("Certificate too large")
    CERTIFICATE_UNREADABLE = "certificate_unreadable", _("Certificate unreadable")
    CERTIFICATE_UNTRUSTED = "certificate_untrusted", _("Certificate of someone else")
    HEADER_MALFORMED = "header_malformed", _("Signature missing or malformed")
    HEADER_MISSING = "header_missing", _("Header missing or too long")
    HEADER_TOO_LONG = "header_too_long", _("Signature too long")
    NOT_AN_EVENT = "not_an_event", _("Signed, but not an event")
    NOT_JSON = "not_json", _("Not a JSON object")
    NOT_A_SNAPSHOT_EVENT = "not_a_snapshot_event", _("Signed, but of another type of destination")
    OUTSIDE_TOLERANCE = "outside_tolerance", _("Too old, or from the future")
    SIGNATURE_UNREADABLE = "signature_unreadable", _("Signature unreadable")
    SIGNATURE_WRONG = "signature_wrong", _("Signature wrong")
    TRANSMISSION_TIME = "transmission_time", _("Sent too long ago, or in the future")
    UNREADABLE = "unreadable", _("Signed, but unreadable")
    WRONG_SIGNATURE = "wrong_signature", _("Wrong signature, or secret")


class WebhookRefusal(models.Model):
    """How many requests to the webhook address of a provider were refused in an hour for this reason.

    A counter instead of a row for each request, so that nobody can fill the table. `reason`: the code of a
    contract.BadSignature.
    """

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=32, choices=provider_choices)
    reason = models.CharField(max_length=40)
    hour = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "provider", "reason"], name="webhook_refusal_once_an_hour"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()}: {self.reason_text}"

    @property
    def reason_text(self) -> str:
        return label_of(RefusalReason, self.reason)
