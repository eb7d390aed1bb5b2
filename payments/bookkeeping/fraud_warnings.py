"""Early fraud warnings of banks. They move no money; staff review the payment, and figures count them."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.changes import changes_note
from payments.bookkeeping.review_flags import flag_raise
from payments.models import FlagKind, FraudType, FraudWarning, Payment

LONGEST_TYPE = 80  # of our column


def fraud_warning_record(
    *, payment: Payment, warning_id: str, fraud_type: str, warned_at: datetime | None
) -> FraudWarning:
    """Recorded once, however often the provider sends it. The payment is flagged unless all of it went back."""
    with transaction.atomic():
        warning, is_new = FraudWarning.objects.get_or_create(
            provider=payment.payment_provider,
            provider_warning_id=warning_id,
            defaults={
                "payment": payment,
                "fraud_type": fraud_type[:LONGEST_TYPE],
                "warned_at": warned_at or timezone.now(),
            },
        )
        if is_new:
            changes_note(("disputes", warning.warned_at))
            if payment.received_minor and not payment.refundable.minor:
                return warning
            reason = warning.reason or FraudType.OTHER.label
            detail = _("The buyer’s bank reported fraud: %(reason)s") % {"reason": reason}
            flag_raise(payment, FlagKind.FRAUD_WARNING, detail)
    return warning
