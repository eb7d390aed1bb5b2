from collections.abc import Collection

from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint

KEY_LENGTH = 120


class MailState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENT = "sent", _("Sent")
    DEAD = "dead", _("Failed")


UNSENT = [MailState.WAITING, MailState.DEAD]


class Notification(BaseModel):
    """The outbox: one email about one fact to one recipient, written in the transaction of the fact.

    `context` is JSON of facts (facts.py), formatted when the email is rendered; links with tokens are built then too.
    Some time after it was sent, all of it but the order's number is deleted (retention.py); the row stays longer,
    so that the fact causes no second email.
    """

    kind = models.CharField(max_length=40, db_index=True)
    recipient = models.EmailField()
    context = models.JSONField(default=dict)
    dedupe_key = models.CharField(max_length=KEY_LENGTH, unique=True)
    state = models.CharField(max_length=7, choices=MailState, default=MailState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(auto_now_add=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    content_deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("email")
        default_permissions = ("view",)
        permissions = [("retry_mail", _("Can resend emails"))]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("state", MailState.values, name="mail_state_known"),
            models.CheckConstraint(
                condition=models.Q(state=MailState.SENT, sent_at__isnull=False)
                | (~models.Q(state=MailState.SENT) & models.Q(sent_at__isnull=True)),
                name="mail_sent_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(state="waiting"), name="mail_waiting"),
            models.Index(fields=["created_at"], condition=models.Q(state__in=UNSENT), name="mail_to_send"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(content_deleted_at__isnull=True),
                name="mail_content_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"


def mails_of_order(number: str) -> models.QuerySet[Notification]:
    return mails_of_orders([number])


def mails_of_orders(numbers: Collection[str]) -> models.QuerySet[Notification]:
    """The emails about orders, found by an index: the cast keeps SQLite from reading a number as JSON."""
    written = Cast(KT("context__order_number"), models.TextField())
    return Notification.objects.alias(order_number=written).filter(order_number__in=numbers)
