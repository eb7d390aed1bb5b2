from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint
from artisans.core.test_mode import test_mode_field
from payments.models.payment import Payment
from payments.providers.registry import provider_choices


class EventState(models.TextChoices):
    RECEIVED = "received", _("Received")
    WAITING = "waiting", _("Waiting for its payment")
    STAFF = "staff", _("Needs attention")
    DONE = "done", _("Processed")
    IGNORED = "ignored", _("Ignored")
    DEAD = "dead", _("Failed")


UNSETTLED = [EventState.RECEIVED, EventState.WAITING, EventState.STAFF, EventState.DEAD]


class WebhookEvent(BaseModel):
    """A verified provider event, stored once and acknowledged, then processed by a worker.

    `content` is deleted after a time (payments/retention.py); the row stays longer, so that a repeated delivery is
    recognised. `sent_at`: when the provider made the event, by its clock; null if it does not say so.
    `first_processed_at` stays when staff reprocess the event; `processed_at` is the last time.
    """

    provider = models.CharField(max_length=32, choices=provider_choices)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    content = models.JSONField(help_text=_("Fields read by the adapter (allow-list)."))
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="events")
    state = models.CharField(max_length=8, choices=EventState, default=EventState.RECEIVED)
    copies = models.PositiveIntegerField(default=1, help_text=_("Number of deliveries."))
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    first_processed_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_test = test_mode_field()
    note = models.CharField(max_length=300, blank=True)
    content_deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        default_permissions = ("view",)
        permissions = [("replay_webhook", _("Can reprocess webhook events"))]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("state", EventState.values, name="webhook_state_known"),
            models.CheckConstraint(
                condition=Q(first_processed_at__isnull=True) | Q(processed_at__isnull=False),
                name="webhook_first_processed_was_processed",
            ),
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhook_once_per_provider"),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(state__in=[EventState.RECEIVED, EventState.WAITING]),
                name="webhook_due",
            ),
            models.Index(fields=["created_at"], condition=Q(state__in=UNSETTLED), name="webhook_unsettled"),
            models.Index(fields=["kind", "created_at"], name="webhook_kind"),
            models.Index(
                fields=["created_at"],
                condition=Q(content_deleted_at__isnull=True),
                name="webhook_content_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.event_id})"
