from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from artisans.core.state import Transitions


class ApprovalStatus(TextChoices):
    """FAILED: a second person approved it, and it could no longer be carried out; nothing has changed then."""

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
