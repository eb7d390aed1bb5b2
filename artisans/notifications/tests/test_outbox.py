"""The outbox: one mail per fact, sent after commit, retried while the mail server is down, never sent concurrently."""

import smtplib
from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.locmem import EmailBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.db import transaction
from django.utils import timezone

from artisans.core import queue
from artisans.notifications import mail_server, services
from artisans.notifications.models import MailState, Notification
from artisans.notifications.services import (
    LEASE,
    MAX_TRIES,
    MailMessage,
    back_off,
    notification_retry,
    notification_send,
    notifications_enqueue,
    notifications_send,
    notifications_send_due,
    notifications_together,
)

pytestmark = pytest.mark.django_db

STORE = {"name": "Artisans Alley", "support_email": "help@example.test"}


def queued(key: str = "fact", **changes) -> Notification:
    context = {"store": STORE, "order_number": "7KQ2M9XBG", "order_link": [str(uuid4()), 1]}
    notifications_enqueue(MailMessage("order_find", "ada@example.test", key, context))
    Notification.objects.filter(dedupe_key=key).update(**changes)
    return Notification.objects.get(dedupe_key=key)


@pytest.fixture
def dead_server(monkeypatch):
    """The mail server fails until `undo()` is called."""

    def refuse(self, messages):
        raise smtplib.SMTPServerDisconnected("connection lost to mail.secret.test")

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    return monkeypatch


def test_waiting_mail_is_sent_once():
    row = queued()

    assert notification_send(row.pk) is True
    assert notification_send(row.pk) is False

    row.refresh_from_db()
    assert (row.state, row.tries, row.last_error) == (MailState.SENT, 1, "")
    assert row.sent_at is not None
    assert "7KQ2M9XBG" in row.subject
    [sent] = mail.outbox
    assert sent.to == ["ada@example.test"]
    assert isinstance(sent, EmailMultiAlternatives)
    assert [kind for _, kind in sent.alternatives] == ["text/html"]


def test_same_fact_is_mailed_once():
    first = queued("one fact")
    notifications_enqueue(MailMessage("order_find", "eve@example.test", "one fact", {}))

    [row] = Notification.objects.all()
    assert (row.pk, row.recipient) == (first.pk, "ada@example.test")


def test_message_id_is_the_same_at_every_attempt():
    row = queued()
    notification_send(row.pk)
    Notification.objects.update(state=MailState.WAITING, sent_at=None, lease_until=None)

    notification_send(row.pk)

    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 1
    assert str(row.pk) in mail.outbox[0].extra_headers["Message-ID"]


def test_unavailable_server_delays_the_mail_with_increasing_intervals(dead_server):
    row = queued()

    assert notification_send(row.pk) is False

    row.refresh_from_db()
    assert (row.state, row.tries, row.sent_at, row.lease_until) == (MailState.WAITING, 1, None, None)
    assert row.last_error.startswith("SMTPServerDisconnected")
    assert row.next_try_at > timezone.now() + timedelta(seconds=4)
    assert notifications_send_due() == 0, "not before its time"


def test_mail_is_sent_when_the_server_is_available_again(dead_server, time_machine):
    row = queued()
    notification_send(row.pk)
    dead_server.undo()
    time_machine.move_to(timezone.now() + timedelta(hours=1))

    assert notifications_send_due() == 1

    row.refresh_from_db()
    assert (row.state, row.tries) == (MailState.SENT, 2)


def test_mail_fails_after_the_last_attempt_and_can_be_retried_by_staff(dead_server):
    row = queued(tries=MAX_TRIES - 1)
    notification_send(row.pk)
    row.refresh_from_db()
    assert (row.state, row.tries) == (MailState.DEAD, MAX_TRIES)
    assert notifications_send_due() == 0

    dead_server.undo()
    notification_retry(row.pk)

    assert notifications_send_due() == 1
    row.refresh_from_db()
    assert row.state == MailState.SENT


def test_sent_mail_is_never_retried():
    row = queued()
    notification_send(row.pk)

    notification_retry(row.pk)

    assert notifications_send_due() == 0
    assert len(mail.outbox) == 1


def test_retry_interval_is_an_hour_at_most():
    assert MAX_TRIES == 12
    for tries in range(1, MAX_TRIES + 1):
        pauses = [back_off(tries).total_seconds() for _ in range(50)]
        assert min(pauses) >= 5
        assert max(pauses) <= min(3600, 5 * 2**tries)


def test_leased_mail_is_left_to_its_sender():
    row = queued(lease_until=timezone.now() + timedelta(seconds=30))

    assert notification_send(row.pk) is False
    assert notifications_send_due() == 0
    assert mail.outbox == []


def test_lease_of_a_crashed_sender_expires(time_machine):
    row = queued(lease_until=timezone.now() + LEASE)
    time_machine.move_to(timezone.now() + LEASE + timedelta(seconds=1))

    assert notifications_send_due() == 1
    row.refresh_from_db()
    assert row.state == MailState.SENT


def test_second_concurrent_sender_sends_nothing(monkeypatch):
    row, real, inner = queued(), EmailBackend.send_messages, []

    def send_slowly(self, messages):
        inner.append(notification_send(row.pk))
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send_slowly)

    assert notification_send(row.pk) is True
    assert inner == [False]
    assert len(mail.outbox) == 1


def test_sender_that_lost_its_lease_does_not_mark_the_mail(monkeypatch):
    row, real = queued(), EmailBackend.send_messages

    def overtaken(self, messages):
        Notification.objects.update(lease_until=timezone.now() + timedelta(minutes=9))
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", overtaken)

    assert notification_send(row.pk) is False
    row.refresh_from_db()
    assert row.state == MailState.WAITING


def test_resending_leaves_emails_alone_that_are_being_sent(monkeypatch):
    ids, real = [queued(key).pk for key in "abc"], EmailBackend.send_messages

    def resent_meanwhile(self, messages):
        monkeypatch.setattr(EmailBackend, "send_messages", real)
        for pk in ids:
            notification_retry(pk)
        assert notifications_send(ids) == 0
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", resent_meanwhile)

    assert notifications_send(ids) == 3
    assert len(mail.outbox) == 3


@pytest.mark.parametrize("is_erased", [True, False])
def test_claimed_email_that_is_gone_or_claimed_by_another_is_not_sent(monkeypatch, is_erased):
    first, second = queued("first"), queued("second")
    real, others = EmailBackend.send_messages, Notification.objects.filter(pk=second.pk)

    def overtaken(self, messages):
        others.delete() if is_erased else others.update(lease_until=timezone.now() + timedelta(minutes=9))
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", overtaken)

    assert notifications_send([first.pk, second.pk]) == 1
    assert len(mail.outbox) == 1


def test_broken_template_does_not_delay_other_mails():
    queued("broken", kind="no_such_template")
    queued("fine")

    assert notifications_send_due() == 1

    broken = Notification.objects.get(dedupe_key="broken")
    assert broken.last_error.startswith("TemplateDoesNotExist")


def test_oldest_mail_is_sent_first():
    now = timezone.now()
    for age in (1, 3, 2):
        queued(f"age {age}", recipient=f"age{age}@example.test", next_try_at=now - timedelta(minutes=age))

    notifications_send_due(limit=2)

    assert [message.to for message in mail.outbox] == [["age3@example.test"], ["age2@example.test"]]


def test_mail_is_not_stored_when_the_transaction_rolls_back():
    with pytest.raises(RuntimeError), transaction.atomic():
        notifications_enqueue(MailMessage("order_find", "ada@example.test", "fact", {}))
        raise RuntimeError

    assert not Notification.objects.exists()


@pytest.fixture
def enqueued(monkeypatch):
    """Replace how the task is started; the original is restored afterwards."""
    monkeypatch.setattr(queue.broker_state, "until", 0.0)

    def replace(apply_async):
        monkeypatch.setattr(queue.current_app.tasks["notifications.send"], "apply_async", apply_async)

    return replace


def test_task_is_enqueued_only_after_commit(django_capture_on_commit_callbacks, enqueued):
    rung: list[str] = []
    enqueued(lambda args, **options: rung.extend(args))

    with django_capture_on_commit_callbacks(execute=True):
        row = queued()
        assert rung == []

    assert rung == [str(row.pk)]


def test_unavailable_broker_is_not_an_error_and_delays_only_one_mail(
    django_capture_on_commit_callbacks, enqueued
):
    tried = []

    def broken(*args, **options):
        tried.append(args)
        raise OSError("broker is down")

    enqueued(broken)

    with django_capture_on_commit_callbacks(execute=True):
        queued("one")
        queued("two")

    assert len(tried) == 1
    assert notifications_send_due() == 2


def test_unknown_task_raises_at_once():
    with pytest.raises(KeyError):
        queue.enqueue_after_commit("no.such.task", uuid4())


@pytest.mark.usefixtures("store")
def test_mail_without_stored_shop_data_uses_the_current_store():
    row = queued(context={"order_number": "7KQ2M9XBG", "order_link": [str(uuid4()), 1]})

    notification_send(row.pk)

    assert STORE["support_email"] in mail.outbox[0].body


def test_emails_enqueued_together_are_one_statement_and_one_task(monkeypatch, django_assert_num_queries):
    enqueued = []
    monkeypatch.setattr(services, "enqueue_after_commit", lambda name, *ids: enqueued.append((name, *ids)))
    with django_assert_num_queries(1), notifications_together():
        for key in ("one", "two", "one"):
            notifications_enqueue(MailMessage("order_find", "ada@example.test", key, {"store": STORE}))
        assert not enqueued
    assert Notification.objects.count() == 2
    assert [(name, len(ids)) for name, *ids in enqueued] == [("notifications.send", 3)]
    with pytest.raises(RuntimeError), notifications_together():
        notifications_enqueue(MailMessage("order_find", "ada@example.test", "three", {"store": STORE}))
        raise RuntimeError
    assert Notification.objects.count() == 2


def test_several_emails_are_claimed_at_once_and_fail_alone(django_assert_num_queries):
    rows = [queued(key) for key in "abc"]
    queued("b", kind="unknown")
    with django_assert_num_queries(
        3 + 3 + 2
    ):  # claim, read, the rules of the store; an update each; still claimed?
        assert notifications_send([row.pk for row in rows]) == 2
    states = dict(Notification.objects.values_list("dedupe_key", "state"))
    assert states == {"a": MailState.SENT, "b": MailState.WAITING, "c": MailState.SENT}


class FakeSMTP(SMTPBackend):
    """Counts connections. `noops`: what the server answers to NOOP; it is closed when there is nothing left."""

    log: ClassVar[list[str]] = []
    noops: ClassVar[list[int]] = []

    def open(self):
        self.log.append("connect")
        self.connection = self

    def close(self):
        self.log.append("close")

    def noop(self):
        if not self.noops:
            raise smtplib.SMTPServerDisconnected("closed")
        return self.noops.pop(0), b""

    def send_messages(self, messages):
        self.log.append("send")


def test_connection_to_the_mail_server_is_kept_while_the_server_answers(monkeypatch, settings):
    settings.EMAIL_BACKEND = f"{__name__}.FakeSMTP"
    monkeypatch.setattr(FakeSMTP, "log", [])
    monkeypatch.setattr(FakeSMTP, "noops", [250, 421])
    monkeypatch.setattr(mail_server, "kept", mail_server.Kept())
    for _ in range(4):
        mail_server.deliver(EmailMultiAlternatives())
    renewed = ["close", "connect", "send"]
    assert FakeSMTP.log == ["connect", "send", "send", *renewed, *renewed]


def test_email_whose_connection_breaks_is_not_sent_again_at_once(monkeypatch, settings):
    """The server may have it."""
    settings.EMAIL_BACKEND = f"{__name__}.FakeSMTP"
    monkeypatch.setattr(FakeSMTP, "log", [])
    monkeypatch.setattr(mail_server, "kept", mail_server.Kept())

    def break_off(self, messages):
        self.log.append("send")
        raise smtplib.SMTPServerDisconnected("closed")

    monkeypatch.setattr(FakeSMTP, "send_messages", break_off)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        mail_server.deliver(EmailMultiAlternatives())
    assert FakeSMTP.log == ["connect", "send", "close"]
    assert mail_server.kept.connection is None
