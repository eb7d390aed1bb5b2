"""Allowed changes of the statuses of payments and refunds (product specification, section 6)."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from artisans.core.state import Transitions


class PaymentStatus(TextChoices):
    PENDING = "PENDING", _("Pending")
    PROCESSING = "PROCESSING", _("Processing")
    COMPLETED = "COMPLETED", _("Completed")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")
    REFUNDED = "REFUNDED", _("Refunded")
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED", _("Partly refunded")


class RefundStatus(TextChoices):
    REQUESTED = "REQUESTED", _("Requested")
    PROCESSING = "PROCESSING", _("Processing")
    COMPLETED = "COMPLETED", _("Completed")
    FAILED = "FAILED", _("Failed")


class DisputeStatus(TextChoices):
    OPEN = "OPEN", _("Open")
    WON = "WON", _("Won")
    LOST = "LOST", _("Lost")


P = PaymentStatus
OPEN = (P.PENDING, P.PROCESSING, P.FAILED)
SETTLED = (P.COMPLETED, P.PARTIALLY_REFUNDED, P.REFUNDED)

PAYMENT_TRANSITIONS: Transitions[PaymentStatus] = {
    P.PENDING: frozenset({P.PROCESSING, P.COMPLETED, P.FAILED, P.CANCELLED}),
    P.PROCESSING: frozenset({P.PENDING, P.COMPLETED, P.FAILED, P.CANCELLED}),
    P.FAILED: frozenset({P.PENDING, P.PROCESSING, P.COMPLETED, P.CANCELLED}),
    P.CANCELLED: frozenset({P.COMPLETED}),  # late payments only
    # The three settled statuses follow the refunded amount both ways: a refund can fail after it completed.
    # A reversed receipt reopens the payment, or closes it if another one has replaced it.
    P.COMPLETED: frozenset({P.PARTIALLY_REFUNDED, P.REFUNDED, P.PENDING, P.CANCELLED}),
    P.PARTIALLY_REFUNDED: frozenset({P.COMPLETED, P.REFUNDED, P.PENDING, P.CANCELLED}),
    P.REFUNDED: frozenset({P.COMPLETED, P.PARTIALLY_REFUNDED}),
}

R = RefundStatus
# The provider decides: a failed refund may still complete. A completed one does not become pending again.
REFUND_TRANSITIONS: Transitions[RefundStatus] = {
    R.REQUESTED: frozenset({R.PROCESSING, R.COMPLETED, R.FAILED}),
    R.PROCESSING: frozenset({R.COMPLETED, R.FAILED}),
    R.COMPLETED: frozenset({R.FAILED}),
    R.FAILED: frozenset({R.PROCESSING, R.COMPLETED}),
}
