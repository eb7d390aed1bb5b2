from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.models import choices_constraint
from artisans.core.test_mode import test_mode_field
from payments.providers.registry import provider_choices
from payments.providers.round_trips import RequestOutcome

OUTCOMES = {
    RequestOutcome.ANSWERED.value: _("Answered"),
    RequestOutcome.DECLINED.value: _("Payment declined"),
    RequestOutcome.REFUSED.value: _("Refused"),
    RequestOutcome.UNKNOWN.value: _("No usable answer"),
}


class ProviderRequest(models.Model):
    """One HTTP request to a provider and how long its answer took; kept for weeks (payments/retention.py).

    The columns are those of round_trips.RoundTrip; `is_test`: with test keys. A ProviderCall is what the shop wants; it
    may take several requests, and reads are requests without a call.
    """

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=32, choices=provider_choices)
    operation = models.CharField(max_length=80, help_text=_("Method and path, without ids."))
    started_at = models.DateTimeField(db_index=True)
    duration_ms = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=OUTCOMES)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=80, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    is_test = test_mode_field()

    class Meta:
        default_permissions = ("view",)
        ordering = ("-started_at",)
        constraints = [
            choices_constraint("outcome", list(OUTCOMES), name="provider_request_outcome_known"),
            models.CheckConstraint(
                condition=Q(status_code__isnull=False) | Q(outcome=RequestOutcome.UNKNOWN.value),
                name="provider_request_without_answer_is_unknown",
            ),
        ]
        indexes = [
            models.Index(
                fields=["-started_at"],
                condition=~Q(outcome=RequestOutcome.ANSWERED.value),
                name="provider_request_not_answered",
            )
        ]

    def __str__(self) -> str:
        return f"{self.operation} ({self.outcome})"
