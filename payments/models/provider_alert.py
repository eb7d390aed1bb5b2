from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel
from payments.providers.registry import provider_choices


class ProviderAlert(BaseModel):
    """A part of a provider's API that fails, such as its list of disputes. One open row per part.

    Resolved by the next successful call.
    """

    provider = models.CharField(max_length=32, choices=provider_choices)
    part = models.CharField(max_length=40)
    detail = models.CharField(max_length=300)
    count = models.PositiveIntegerField(default=1, help_text=_("Number of failures."))
    last_seen_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "part"],
                condition=Q(resolved_at__isnull=True),
                name="provider_alert_one_open_per_part",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()}: {self.part}"
