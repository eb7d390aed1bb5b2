from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from artisans.core.state import Transitions


class ApprovalStatus(TextChoices):
    """FAILED: approved, but it could no longer be executed; nothing has changed."""

    PENDING = "PENDING", _("Awaiting approval")
    APPROVED = "APPROVED", _("Approved")
    REJECTED = "REJECTED", _("Rejected")
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")
    EXPIRED = "EXPIRED", _("Expired")
    FAILED = "FAILED", _("Failed")


A = ApprovalStatus
DECIDED = (A.APPROVED, A.REJECTED, A.FAILED)
APPROVAL_TRANSITIONS: Transitions[ApprovalStatus] = {
    A.PENDING: frozenset({A.APPROVED, A.REJECTED, A.WITHDRAWN, A.EXPIRED, A.FAILED}),
} | {status: frozenset() for status in A if status != A.PENDING}
