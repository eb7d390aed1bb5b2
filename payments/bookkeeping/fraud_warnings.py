"""Early fraud warnings of banks. They move no money; staff see them, and figures count them."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from artisans.core.changes import changes_note
from payments.models import FraudWarning, Payment


def fraud_warning_record(
    *, payment: Payment, warning_id: str, fraud_type: str, warned_at: datetime | None
) -> FraudWarning:
    """Recorded once, however often the provider sends it."""
    with transaction.atomic():
        warning, is_new = FraudWarning.objects.get_or_create(
            provider=payment.payment_provider,
            provider_warning_id=warning_id,
            defaults={
                "payment": payment,
                "fraud_type": fraud_type,
                "warned_at": warned_at or timezone.now(),
            },
        )
        if is_new:
            changes_note(("disputes", warning.warned_at))
    return warning
