from django.db import models
from django.db.models import Q
from django.utils import timezone

from artisans.core.models import BaseModel, choices_constraint
from payments.methods import Provider
from payments.models.payment import Payment


class EventState(models.TextChoices):
    RECEIVED = "received", "Received"
    WAITING = "waiting", "Waits for what it is about"
    STAFF = "staff", "Waits for a person"
    DONE = "done", "Processed"
    IGNORED = "ignored", "Nothing to do"
    DEAD = "dead", "Given up"


class WebhookEvent(BaseModel):
    """The inbox: every verified message of a provider, once. It is processed after it was acknowledged, by a worker."""

    provider = models.CharField(max_length=10, choices=Provider)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    content = models.JSONField(help_text="What the adapter read of it, allow-listed.")
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="events")
    state = models.CharField(max_length=8, choices=EventState, default=EventState.RECEIVED)
    copies = models.PositiveIntegerField(default=1, help_text="How often it was delivered.")
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        default_permissions = ("view",)
        permissions = [("replay_webhook", "Can process messages of providers again")]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("provider", Provider.values, name="webhook_provider_known"),
            choices_constraint("state", EventState.values, name="webhook_state_known"),
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhook_once_per_provider"),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(state__in=[EventState.RECEIVED, EventState.WAITING]),
                name="webhook_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.event_id})"
