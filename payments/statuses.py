"""How payments and refunds may change (product specification, section 6)."""

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
    P.CANCELLED: frozenset({P.COMPLETED}),  # late money only
    # The settled three follow the refunded sum both ways: a refund can fail after it was completed.
    # A receipt that is taken back opens the payment again, or ends it when another one has taken its place.
    P.COMPLETED: frozenset({P.PARTIALLY_REFUNDED, P.REFUNDED, P.PENDING, P.CANCELLED}),
    P.PARTIALLY_REFUNDED: frozenset({P.COMPLETED, P.REFUNDED, P.PENDING, P.CANCELLED}),
    P.REFUNDED: frozenset({P.COMPLETED, P.PARTIALLY_REFUNDED}),
}

R = RefundStatus
# The provider has the last word: what failed may be done after all. That a completed one is pending is old news.
REFUND_TRANSITIONS: Transitions[RefundStatus] = {
    R.REQUESTED: frozenset({R.PROCESSING, R.COMPLETED, R.FAILED}),
    R.PROCESSING: frozenset({R.COMPLETED, R.FAILED}),
    R.COMPLETED: frozenset({R.FAILED}),
    R.FAILED: frozenset({R.PROCESSING, R.COMPLETED}),
}
