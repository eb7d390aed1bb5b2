"""How many requests to the webhook addresses were refused: facts for figures, on which no answer depends."""

import logging
from contextlib import nullcontext
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils import timezone

from artisans.core.compiled import insert
from payments.models import WebhookRefusal

logger = logging.getLogger(__name__)


def refusal_record(*, provider: str, reason: str) -> None:
    """One statement, except for the first one of an hour. Never raises."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    key = {"provider": provider, "reason": reason, "hour": hour}
    rows = WebhookRefusal.objects.filter(**key)
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            if not rows.update(count=F("count") + 1):
                insert([WebhookRefusal(**key)], ignore_conflicts=True)
                rows.update(count=F("count") + 1)
    except Exception:  # the answer to whoever sent the request does not depend on a count
        logger.warning("webhook_refusal_not_recorded", exc_info=True)


def refusal_count(provider: str) -> int:
    """Of the last day."""
    rows = WebhookRefusal.objects.filter(provider=provider, hour__gte=timezone.now() - timedelta(days=1))
    return int(rows.aggregate(number=Sum("count", default=0))["number"])
