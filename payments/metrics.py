"""Metrics of payments for /metrics."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from prometheus_client.core import Metric

from artisans.core.known_since import FACTS
from artisans.core.metrics import LARGEST_COUNT, RECENT, Backlog, backlog, count_recent, gauge
from payments.bookkeeping.provider_calls import open_calls_due
from payments.gateway.payments import checks_due
from payments.lifecycle.cancel_and_expire import orders_overdue
from payments.methods import MANUAL
from payments.models import EventState, PaymentAttempt, WebhookEvent
from payments.selectors import alerts_open, reconciliation_runs_to_review
from payments.webhooks.inbox import events_due

SLOW = timedelta(minutes=1)
BACKLOGS: dict[str, Callable[[], Backlog]] = {
    "provider_calls": lambda: backlog(open_calls_due(), due="next_try_at"),
    "payment_checks": lambda: backlog(checks_due(), due="next_check_at"),
    "webhooks": lambda: backlog(events_due(), due="next_try_at"),
    "expiring_orders": lambda: backlog(orders_overdue(), due="expires_at"),
}
BACKLOG_LABELS = {
    "provider_calls": _("Requests to payment providers"),
    "payment_checks": _("Payments to check at the providers"),
    "webhooks": _("Webhook events to process"),
    "expiring_orders": _("Unpaid orders to expire"),
}


def attempt_metrics() -> Iterator[Metric]:
    yield gauge(
        "alley_payment_attempts_last_hour",
        "Attempts to pay at a provider within the last hour.",
        ["provider", "outcome"],
        count_recent(PaymentAttempt.objects.exclude(provider=MANUAL), "provider", "outcome"),
    )


def webhook_metrics() -> Iterator[Metric]:
    yield gauge(
        "alley_webhook_events_last_hour",
        "Events that providers sent within the last hour.",
        ["provider", "state"],
        count_recent(WebhookEvent.objects.all(), "provider", "state"),
    )


def slow_webhook_metrics() -> Iterator[Metric]:
    """Above 5% of all events, the 95th percentile of their delay is above SLOW."""
    recent = WebhookEvent.objects.filter(created_at__gte=timezone.now() - RECENT)
    slow = recent.filter(processed_at__gt=F("created_at") + SLOW).order_by()[:LARGEST_COUNT].count()
    yield gauge(
        "alley_webhook_events_slow_last_hour",
        "Events of the last hour that were processed a minute or more after they had arrived.",
        [],
        {(): slow},
    )


def count_failed_events() -> int:
    wanted = [EventState.DEAD, EventState.STAFF]
    return WebhookEvent.objects.filter(state__in=wanted).order_by()[:LARGEST_COUNT].count()


def failed_webhook_metrics() -> Iterator[Metric]:
    yield gauge("alley_webhook_events_failed", "Events that wait for staff.", [], {(): count_failed_events()})


def alert_metrics() -> Iterator[Metric]:
    parts = alerts_open().values_list("provider", "part")
    failing: dict[tuple[str, ...], float] = dict.fromkeys(parts, 1)
    yield gauge(
        "alley_provider_failing",
        "1 for each part of a provider's API that fails.",
        ["provider", "part"],
        failing,
    )


def reconciliation_metrics() -> Iterator[Metric]:
    runs = reconciliation_runs_to_review().order_by().values_list("provider", flat=True)
    yield gauge(
        "alley_reconciliation_failing",
        "1 for each provider whose last reconciliation found differences or failed.",
        ["provider"],
        {(provider,): 1 for provider in runs},
    )


METRICS: dict[str, Callable[[], Iterable[Metric]]] = {
    "attempts": attempt_metrics,
    "webhooks": webhook_metrics,
    "failed webhooks": failed_webhook_metrics,
    "slow webhooks": slow_webhook_metrics,
    "provider alerts": alert_metrics,
    "reconciliation": reconciliation_metrics,
}

FACTS.update(
    {
        "payment_attempts": ("payments", "0003_attempts"),  # successful ones of before are filled in
        "attempt_verdicts": ("payments", "0004_attempt_facts"),  # checks, risk, liability, network
        "attempt_challenges": ("payments", "0008_challenged_attempts"),
        # also: suspected fraud apart from other declines
        "attempt_reviews": ("payments", "0034_pending_attempts"),
        "provider_requests": ("payments", "0033_provider_requests"),
        "webhook_refusals": ("payments", "0044_webhook_refusals"),
        "webhook_times": ("payments", "0030_webhook_times"),  # as far back as contents were kept
    }
)
