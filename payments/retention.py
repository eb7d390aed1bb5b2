"""What is deleted of events, calls and attempts after a time.

Payments, captures, receipts, refunds and disputes stay.
"""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from artisans.core.retention import Retention
from payments.models import (
    CallState,
    EventState,
    Payment,
    PaymentAttempt,
    PaymentFlag,
    ProviderAlert,
    ProviderCall,
    ProviderRequest,
    ReconciliationRun,
    WebhookEvent,
    WebhookRefusal,
)
from payments.statuses import OPEN


def settled_events(time: datetime) -> QuerySet[WebhookEvent]:
    """Failed events, and those that wait or need staff, are kept until they are settled."""
    settled = [EventState.DONE, EventState.IGNORED]
    return WebhookEvent.objects.filter(state__in=settled, created_at__lt=time)


def delete_content(events: QuerySet[Any]) -> None:
    events.update(content={}, content_deleted_at=timezone.now())


def settled_calls(time: datetime) -> QuerySet[ProviderCall]:
    """Of payments that have ended. Calls about saved methods keep their ids, which later calls look for."""
    ended = Payment.objects.filter(pk=OuterRef("payment")).exclude(status__in=OPEN)
    settled = [CallState.DONE, CallState.REFUSED]
    calls = ProviderCall.objects.filter(state__in=settled, finished_at__lt=time, created_at__lt=time)
    return calls.filter(Exists(ended), request_deleted_at__isnull=True)


def delete_request(calls: QuerySet[Any]) -> None:
    calls.update(request={}, request_deleted_at=timezone.now())


def old_fingerprints(time: datetime) -> QuerySet[PaymentAttempt]:
    return PaymentAttempt.objects.filter(created_at__lt=time).exclude(fingerprint_hash="")


def replaced_runs(time: datetime) -> QuerySet[ReconciliationRun]:
    """Each provider's last run is kept: the next one starts where it ended."""
    newer = ReconciliationRun.objects.filter(
        provider=OuterRef("provider"), error="", finished_at__isnull=False, until__gt=OuterRef("until")
    )
    return ReconciliationRun.objects.filter(Exists(newer), created_at__lt=time)


PAYMENT_RULES = (
    Retention("webhooks", settled_events, minimum_days=35),
    Retention(
        "webhook_content",
        lambda before: settled_events(before).filter(content_deleted_at__isnull=True),
        remove=delete_content,
        minimum_days=7,
    ),
    Retention(
        "webhook_refusals",
        lambda before: WebhookRefusal.objects.filter(hour__lt=before),
        clock="hour",
        minimum_days=35,
        is_personal=False,
    ),
    Retention("provider_requests", settled_calls, remove=delete_request, minimum_days=30),
    Retention(
        "request_times",
        lambda before: ProviderRequest.objects.filter(started_at__lt=before),
        clock="started_at",
        minimum_days=7,
        is_personal=False,
    ),
    Retention(
        "card_fingerprints",
        old_fingerprints,
        remove=lambda attempts: attempts.update(fingerprint_hash=""),
        minimum_days=7,
    ),
    Retention("reconciliations", replaced_runs, minimum_days=35, is_personal=False),
    Retention(
        "resolved_flags",
        lambda before: PaymentFlag.objects.filter(created_at__lt=before, resolved_at__lt=before),
        minimum_days=30,
        is_personal=False,
    ),
    Retention(
        "resolved_alerts",
        lambda before: ProviderAlert.objects.filter(created_at__lt=before, resolved_at__lt=before),
        minimum_days=7,
        is_personal=False,
    ),
)
