"""Metrics of emails for /metrics."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from artisans.core.metrics import LARGEST_COUNT, Backlog, backlog, gauge
from artisans.notifications.models import MailState, Notification
from artisans.notifications.services import mails_due


def mail_backlog() -> Backlog:
    return backlog(mails_due(), due="next_try_at")


def count_failed() -> int:
    return Notification.objects.filter(state=MailState.DEAD).order_by()[:LARGEST_COUNT].count()


def mail_metrics() -> Iterator[Metric]:
    yield gauge(
        "alley_emails_failed", "Emails that were given up and wait for staff.", [], {(): count_failed()}
    )
