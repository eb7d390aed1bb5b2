from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel


class AuditEntry(AppendOnlyModel):
    """Who did what to which object, and why. Append-only."""

    personal = ("actor_name", "data")

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=50, db_index=True)
    target_type = models.CharField(max_length=50)
    target_id = models.UUIDField()
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = _("audit entries")
        default_permissions = ("view",)
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["target_id", "id"], name="audit_of_target"),
            models.Index(fields=["request_id"], condition=~models.Q(request_id=""), name="audit_of_request"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name}"
