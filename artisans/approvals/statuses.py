from django.db.models import TextChoices

from artisans.core.state import Transitions


class ApprovalStatus(TextChoices):
    """FAILED: a second person approved it, and it could no longer be carried out; nothing has changed then."""

    PENDING = "PENDING", "Awaiting approval"
    APPROVED = "APPROVED", "Approved"
    REJECTED = "REJECTED", "Rejected"
    WITHDRAWN = "WITHDRAWN", "Withdrawn"
    EXPIRED = "EXPIRED", "Expired"
    FAILED = "FAILED", "Could not be carried out"


A = ApprovalStatus
DECIDED = (A.APPROVED, A.REJECTED, A.FAILED)
APPROVAL_TRANSITIONS: Transitions[ApprovalStatus] = {
    A.PENDING: frozenset({A.APPROVED, A.REJECTED, A.WITHDRAWN, A.EXPIRED, A.FAILED}),
} | {status: frozenset() for status in A if status != A.PENDING}
