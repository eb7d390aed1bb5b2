from django.db import models
from django.db.models import F, Q
from django.utils.formats import date_format
from django.utils.timezone import localtime

from artisans.core.models import BaseModel
from payments.providers.registry import provider_choices


class ReconciliationRun(BaseModel):
    """One reconciliation of a provider's transactions from `since` to before `until` with our records.

    `seen`: objects that the provider listed; `synced_count`: payments with changes that no event had reported
    and that were booked now; `differences`: what is left to review, each with `kind`, `object_id`, `payment`
    (our id or "") and `detail`; `closed`: the same for those that staff closed, with `by` (their key), `at` and
    `reason`. A run without `finished_at` is still running or crashed; it is continued from
    `compared_until`. `movements_until`: the provider's movements before it are stored. `balances`: what the provider,
    its movements and the ledger have of each currency (payments/reconciliation/movements.py).
    """

    provider = models.CharField(max_length=32, choices=provider_choices)
    since = models.DateTimeField()
    until = models.DateTimeField()
    compared_until = models.DateTimeField(null=True, blank=True)
    seen = models.PositiveIntegerField(default=0)
    synced_count = models.PositiveIntegerField(default=0)
    differences = models.JSONField(default=list)
    closed = models.JSONField(null=True, blank=True, default=list)
    error = models.CharField(max_length=300, blank=True)
    movements_until = models.DateTimeField(null=True, blank=True)
    balances = models.JSONField(null=True, blank=True, default=list)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                condition=Q(since__lt=F("until")), name="reconciliation_run_begins_before_its_end"
            ),
        ]

    def __str__(self) -> str:
        start, end = (date_format(localtime(at), "DATETIME_FORMAT") for at in (self.since, self.until))
        return f"{self.get_provider_display()}, {start} – {end}"
