import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q, QuerySet
from django.utils import timezone

from artisans.core.compiled import insert
from artisans.core.personal_data import is_erased_address
from artisans.core.queue import enqueue_after_commit, run_each
from artisans.notifications.facts import pack
from artisans.notifications.kinds import KINDS
from artisans.notifications.mail_server import deliver
from artisans.notifications.models import KEY_LENGTH, MailState, Notification
from artisans.notifications.rendering import render, shared_context

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
MAX_TRIES = 12
LATE_AFTER = timedelta(minutes=15)
CHUNK = 10  # emails that one process claims at once


TOGETHER: ContextVar["list[MailMessage] | None"] = ContextVar("TOGETHER", default=None)


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
    """Write the emails in the current transaction and enqueue them after commit. Known keys are skipped, and so are
    people whose data was erased.

    Errors: LookupError for a kind that no app registered.
    """
    if unknown := {message.kind for message in messages} - KINDS.keys():
        raise LookupError(f"No app registered these kinds of email: {', '.join(sorted(unknown))}.")
    if (together := TOGETHER.get()) is not None:
        together.extend(messages)
        return
    rows = [
        Notification(
            kind=message.kind,
            recipient=message.recipient,
            context=pack(message.context),
            dedupe_key=short_key(message.key),
        )
        for message in messages
        if not is_erased_address(message.recipient)
    ]
    insert(rows, ignore_conflicts=True)
    if rows:
        enqueue_after_commit("notifications.send", *[row.pk for row in rows])


@contextmanager
def notifications_together() -> Iterator[None]:
    """Write the emails that are enqueued in this block at its end, in one statement and for one task.

    Do not enqueue any within a savepoint of the block that may be rolled back.
    """
    token = TOGETHER.set([])
    try:
        yield
        messages = TOGETHER.get() or []
    finally:
        TOGETHER.reset(token)
    notifications_enqueue(*messages)


def short_key(key: str) -> str:
    """The key shortened to its column; a longer one ends in a hash of the whole."""
    if len(key) <= KEY_LENGTH:
        return key
    digest = sha256(key.encode()).hexdigest()
    return f"{key[: KEY_LENGTH - len(digest) - 1]}:{digest}"


def notification_send(notification_id: UUID) -> bool:
    """Send one waiting email. Returns whether it was sent now."""
    return bool(notifications_send([notification_id]))


def notifications_send(ids: Sequence[UUID]) -> int:
    """Send the waiting emails of these, except those that another process is sending. Returns how many were sent now.

    A crash after the mail server accepted one leads to a second sending under the same Message-ID.
    """
    return sum(send_chunk(ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK))


def send_chunk(ids: Sequence[UUID]) -> int:
    """Claim and read them at once. Those that are left when half of the lease is over wait for the periodic task."""
    now = timezone.now()
    lease = now + LEASE
    claimed = Notification.objects.filter(
        is_free(now), pk__in=ids, state=MailState.WAITING, next_try_at__lte=now
    ).update(lease_until=lease)
    if not claimed:
        return 0
    found = {mail.pk: mail for mail in Notification.objects.filter(pk__in=ids, lease_until=lease)}
    mails = [found[pk] for pk in ids if pk in found]
    shared = shared_context()
    return sum(send_claimed(mail, shared, lease) for mail in mails if timezone.now() < now + LEASE / 2)


def send_claimed(notification: Notification, shared: dict[str, Any], lease: datetime) -> bool:
    mine = Notification.objects.filter(pk=notification.pk, lease_until=lease, state=MailState.WAITING)
    tries = notification.tries + 1
    try:
        mail = render(notification, shared=shared)
        message = EmailMultiAlternatives(
            mail.subject,
            mail.text,
            to=[notification.recipient],
            headers={"Message-ID": f"<{notification.pk}@{settings.SITE_HOST}>"},
        )
        message.attach_alternative(mail.html, "text/html")
        if not mine.exists():  # erased, or claimed by another process, while the emails before it were sent
            return False
        deliver(message)
    except Exception as error:  # of the mail server or a template: the recorded fact stays, the email waits
        is_over = tries >= MAX_TRIES
        level = logging.ERROR if is_over else logging.WARNING
        logger.log(level, "mail_failed", extra={"mail": str(notification.pk), "tries": tries}, exc_info=True)
        mine.update(
            tries=tries,
            state=MailState.DEAD if is_over else MailState.WAITING,
            next_try_at=timezone.now() + back_off(tries),
            lease_until=None,
            last_error=f"{type(error).__name__}: {error}".replace("\x00", "")[:300],
        )
        return False
    return bool(
        mine.update(
            state=MailState.SENT,
            sent_at=timezone.now(),
            tries=tries,
            lease_until=None,
            subject=mail.subject[:200],
            last_error="",
        )
    )


def mails_due() -> QuerySet[Notification]:
    """Waiting emails that are due and not claimed."""
    now = timezone.now()
    return Notification.objects.filter(is_free(now), state=MailState.WAITING, next_try_at__lte=now)


def is_free(now: datetime) -> Q:
    """No process is sending it."""
    return Q(lease_until=None) | Q(lease_until__lt=now)


def notifications_send_due(*, limit: int = 100) -> int:
    """Send due emails that are still waiting, oldest first. Returns how many were sent."""
    ids = list(mails_due().order_by("next_try_at").values_list("pk", flat=True)[:limit])
    chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    return sum(run_each(chunks, notifications_send, event="mail_send_failed"))


def notification_retry(notification_id: UUID) -> None:
    """Retry a waiting or failed email at once, unless it is being sent."""
    now = timezone.now()
    Notification.objects.filter(is_free(now), pk=notification_id).exclude(state=MailState.SENT).update(
        state=MailState.WAITING, tries=0, next_try_at=now, lease_until=None
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
