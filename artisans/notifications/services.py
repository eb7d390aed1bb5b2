import logging
import random
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q
from django.utils import timezone

from artisans.core.queue import enqueue_after_commit, run_each
from artisans.notifications.facts import pack
from artisans.notifications.kinds import KINDS
from artisans.notifications.models import KEY_LENGTH, MailState, Notification
from artisans.notifications.rendering import render

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
MAX_TRIES = 12
LATE_AFTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class MailMessage:
    """An email to be written in the transaction of its fact. `key` identifies the fact: one email per key, ever.

    `context` holds facts (amounts, times, `render_later`), not formatted text.
    """

    kind: str
    recipient: str
    key: str
    context: dict[str, Any] = field(default_factory=dict)


def notifications_enqueue(*messages: MailMessage) -> None:
    """Write the emails in the current transaction and enqueue them after commit. Known keys are skipped.

    Errors: LookupError for a kind that no app registered.
    """
    if unknown := {message.kind for message in messages} - KINDS.keys():
        raise LookupError(f"No app registered these kinds of email: {', '.join(sorted(unknown))}.")
    rows = [
        Notification(
            kind=message.kind,
            recipient=message.recipient,
            context=pack(message.context),
            dedupe_key=short_key(message.key),
        )
        for message in messages
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        enqueue_after_commit("notifications.send", *[row.pk for row in rows])


def short_key(key: str) -> str:
    """The key shortened to its column; a longer one ends in a hash of the whole."""
    if len(key) <= KEY_LENGTH:
        return key
    digest = sha256(key.encode()).hexdigest()
    return f"{key[: KEY_LENGTH - len(digest) - 1]}:{digest}"


def notification_send(notification_id: UUID) -> bool:
    """Send one waiting email, unless another process is sending it. Returns whether it was sent now.

    A crash after the mail server accepted it leads to a second sending under the same Message-ID.
    """
    now = timezone.now()
    lease = now + LEASE
    claimed = Notification.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now),
        pk=notification_id,
        state=MailState.WAITING,
        next_try_at__lte=now,
    ).update(lease_until=lease)
    if not claimed:
        return False
    notification = Notification.objects.get(pk=notification_id)
    mine = Notification.objects.filter(pk=notification_id, lease_until=lease, state=MailState.WAITING)
    try:
        mail = render(notification)
        message = EmailMultiAlternatives(
            mail.subject,
            mail.text,
            to=[notification.recipient],
            headers={"Message-ID": f"<{notification.pk}@{settings.SITE_HOST}>"},
        )
        message.attach_alternative(mail.html, "text/html")
        message.send()
    except Exception as error:  # of the mail server or a template: the recorded fact stays, the email waits
        tries = notification.tries + 1
        is_over = tries >= MAX_TRIES
        level = logging.ERROR if is_over else logging.WARNING
        logger.log(level, "mail_failed", extra={"mail": str(notification.pk), "tries": tries}, exc_info=True)
        mine.update(
            tries=tries,
            state=MailState.DEAD if is_over else MailState.WAITING,
            next_try_at=now + back_off(tries),
            lease_until=None,
            last_error=f"{type(error).__name__}: {error}".replace("\x00", "")[:300],
        )
        return False
    return bool(
        mine.update(
            state=MailState.SENT,
            sent_at=timezone.now(),
            tries=notification.tries + 1,
            lease_until=None,
            subject=mail.subject[:200],
            last_error="",
        )
    )


def notifications_send_due(*, limit: int = 100) -> int:
    """Send due emails that are still waiting, oldest first. Returns how many were sent."""
    now = timezone.now()
    due = Notification.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), state=MailState.WAITING, next_try_at__lte=now
    )
    ids = list(due.order_by("next_try_at").values_list("pk", flat=True)[:limit])
    return sum(run_each(ids, notification_send, event="mail_send_failed"))


def notification_retry(notification_id: UUID) -> None:
    """Retry a waiting or failed email at once."""
    Notification.objects.filter(pk=notification_id).exclude(state=MailState.SENT).update(
        state=MailState.WAITING, tries=0, next_try_at=timezone.now(), lease_until=None
    )
    enqueue_after_commit("notifications.send", notification_id)


def back_off(tries: int) -> timedelta:
    """Full jitter between 5 seconds and 5 s · 2^tries, an hour at most: 12 tries span about half a day."""
    return timedelta(seconds=random.uniform(5, min(3600, 5 * 2**tries)))  # noqa: S311  # spread, not secrecy


def late_mails_report() -> str:
    """For /health/ready: "ok", or how many emails have waited for more than 15 minutes."""
    late = Notification.objects.filter(
        state=MailState.WAITING, created_at__lt=timezone.now() - LATE_AFTER
    ).count()
    return f"{late} waiting too long" if late else "ok"  # not for translation
