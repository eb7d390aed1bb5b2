from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class ApprovalMail(TextChoices):
    APPROVAL_REQUESTED = "approval_requested", _("Approval requested (to staff)")
    APPROVAL_DECIDED = "approval_decided", _("Approval decided (to staff)")


def approval_url(facts: dict[str, Any]) -> str:
    page = reverse("admin:approvals_approvalrequest_change", args=[facts["approval_id"]])
    return f"{settings.SITE_URL}{page}"
