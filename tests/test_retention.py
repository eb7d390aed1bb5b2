"""What the nightly purge removes, what it leaves, and that it can be disturbed at any time."""

import re
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from artisans.accounts.models import AuthToken
from artisans.accounts.principals import Principal
from artisans.core import retention
from artisans.core.doctor.registry import State
from artisans.core.doctor.retention import check_retention
from artisans.core.idempotency.keys import KeyClaim, key_claim
from artisans.core.models import IdempotencyKey, Purge
from artisans.core.retention import RULES, Retention, purge, purge_task, retention_metrics, sorted_rules
from artisans.notifications.models import MailState, Notification, mails_of_order
from carts.models import Cart, CartItem
from carts.services import cart_items_add, cart_open
from payments.bookkeeping.provider_requests import requests_record
from payments.errors import AlreadyRecorded
from payments.methods import PaymentMethod
from payments.models import (
    EventState,
    PaymentAttempt,
    PaymentFlag,
    ProviderAlert,
    ProviderCall,
    ProviderRequest,
    ReconciliationRun,
    WebhookEvent,
)
from payments.providers.contract import ProviderEvent
from payments.providers.round_trips import RoundTrip
from payments.tests.factories import apply_card_captures, start
from payments.webhooks.inbox import webhook_receive, webhook_replay
from payments.webhooks.refusals import refusal_record

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
numbers = count()


def mail(state: MailState = MailState.SENT, **context: str) -> Notification:
    return Notification.objects.create(
        kind="x",
        recipient="a@shop.test",
        dedupe_key=str(next(numbers)),
        context=context,
        state=state,
        sent_at=timezone.now() if state == MailState.SENT else None,
    )


def event(state: EventState) -> WebhookEvent:
    content = {"object_ids": ["pi_1"], "payload": {"name": "Sam"}}
    return WebhookEvent.objects.create(
        provider="stripe", event_id=str(next(numbers)), kind="x", state=state, content=content
    )


def names_due() -> dict[str, int]:
    return {rule.name: number for rule in sorted_rules() if (number := rule.due_now().count())}


def make_rows(shopper, bowl) -> None:
    """At least one that each rule will remove."""
    begin = timezone.now()
    AuthToken.objects.create(user=shopper)
    session = Session.objects.create(session_key="s", session_data="", expire_date=begin + 14 * DAY)
    UserSession.objects.create(user=shopper, session_key=session.pk, ip="10.0.0.1", user_agent="x")
    key_claim(KeyClaim("user:1", "/orders", "k", ("f",)))
    mail(order_number="7KQ2M9XBG", name="Sam")
    event(EventState.DONE)
    of_user = cart_open(Principal(user=shopper)).cart
    cart_open(Principal())
    cart_items_add(principal=Principal(user=shopper), cart_id=of_user.pk, adds={bowl.pk: 1})
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, user=shopper))
    ProviderCall.objects.update(state="done", finished_at=begin)
    PaymentFlag.objects.create(payment=payment, kind="stuck", detail="x", resolved_at=begin)
    ProviderAlert.objects.create(provider="stripe", part="x", detail="x", resolved_at=begin)
    requests_record("stripe", [RoundTrip("GET /v1/charges", begin)] * 2)
    refusal_record(provider="stripe", reason="wrong_signature")
    for days in (1, 2):
        ReconciliationRun.objects.create(
            provider="stripe", since=begin, until=begin + days * DAY, finished_at=begin
        )


def test_rows_are_removed_when_their_time_has_come_and_not_before(shopper, bowl, settings, time_machine):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    begin = timezone.now()
    time_machine.move_to(begin, tick=False)
    ProviderRequest.objects.all().delete()  # written by threads of other tests, past their transactions
    make_rows(shopper, bowl)
    dead, failed = mail(MailState.DEAD, name="Sam"), event(EventState.DEAD)
    assert names_due() == {}
    seen = {}

    for days in sorted({1.1, 14.1, 30.1, *(rule.kept.days + 0.1 for rule in sorted_rules())}):
        time_machine.move_to(begin + days * DAY, tick=False)
        seen |= {name: (int(days), number) for name, number in names_due().items()}
        purge_task()
        assert names_due() == {}, days

    assert seen == {
        "idempotency_keys": (1, 1),
        "sessions": (14, 1),
        "tokens": (30, 1),
        "guest_carts": (30, 1),
        "email_content": (90, 1),
        "webhook_content": (90, 1),
        "provider_requests": (90, 1),
        "request_times": (35, 2),
        "account_carts": (180, 1),
        "emails": (400, 1),
        "webhooks": (400, 1),
        "webhook_refusals": (400, 1),
        "reconciliations": (400, 1),
        "resolved_flags": (400, 1),
        "resolved_alerts": (400, 1),
    }
    dead.refresh_from_db()
    assert dead.context == {"name": "Sam"}
    assert not Notification.objects.filter(state=MailState.SENT).exists()
    assert [row.content["payload"] for row in WebhookEvent.objects.all()] == [failed.content["payload"]]
    assert not UserSession.objects.exists()
    assert not CartItem.objects.exists()
    assert {call.request == {} for call in ProviderCall.objects.all()} == {True}
    assert not Purge.objects.exclude(overdue_since=None).exists()


def test_content_of_a_sent_email_goes_but_its_order_still_finds_it():
    kept, other = mail(order_number="7KQ2M9XBG", name="Sam"), mail(name="Sam")
    Notification.objects.update(created_at=F("created_at") - 91 * DAY)

    purge(RULES["email_content"])

    assert mails_of_order("7KQ2M9XBG").get() == kept
    assert dict(Notification.objects.values_list("pk", "context")) == {
        kept.pk: {"order_number": "7KQ2M9XBG"},
        other.pk: {},
    }


def test_event_without_content_is_still_recognised_when_it_is_sent_again(admin_user, caplog):
    event = ProviderEvent(event_id="evt_1", kind="x", object_ids=("pi_1",), is_live=False)
    webhook_receive(name="stripe", provider_event=event)
    WebhookEvent.objects.update(state=EventState.DONE, created_at=F("created_at") - 91 * DAY)
    purge(RULES["webhook_content"])

    webhook_receive(name="stripe", provider_event=event)

    row = WebhookEvent.objects.get()
    assert (row.content, row.copies, row.state) == ({}, 2, EventState.DONE)
    assert "webhook_id_reused" not in caplog.text
    with pytest.raises(AlreadyRecorded, match="deleted"):
        webhook_replay(event_id=row.pk, reason="again", actor=admin_user)


def test_hash_of_a_card_is_emptied_and_nothing_else_of_an_attempt_can_be(shopper, bowl, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, user=shopper))
    old = payment.attempts.first()
    values = {field.attname: getattr(old, field.attname) for field in PaymentAttempt._meta.concrete_fields}
    changes = {"id": None, "attempt_id": "ch_x", "number": 99, "fingerprint_hash": "f" * 64}
    attempt = PaymentAttempt(**values | changes)
    attempt.id = PaymentAttempt().id
    attempt.save(force_insert=True)
    found = PaymentAttempt.objects.filter(pk=attempt.pk)
    for change in ({"fingerprint_hash": "x"}, {"fingerprint_hash": "", "number": 98}, {"number": 98}):
        with pytest.raises(IntegrityError), transaction.atomic():
            found.update(**change)

    RULES["card_fingerprints"].remove(found)

    assert found.get().fingerprint_hash == ""
    with pytest.raises(IntegrityError), transaction.atomic():
        found.update(fingerprint_hash="")


def test_cart_with_a_recent_change_stays(bowl):
    cart = cart_open(Principal()).cart
    cart_items_add(principal=Principal(cart_hash=cart.token_hash or ""), cart_id=cart.pk, adds={bowl.pk: 1})
    Cart.objects.update(created_at=F("created_at") - 99 * DAY, updated_at=F("updated_at") - 99 * DAY)

    assert purge(RULES["guest_carts"]).removed == 0
    CartItem.objects.update(updated_at=F("updated_at") - 99 * DAY)
    assert purge(RULES["guest_carts"]).removed == 1


@pytest.fixture
def old_keys(monkeypatch) -> Retention:
    """Five rows that are due, for batches of two."""
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        key_claim(KeyClaim("user:1", "/orders", str(number), ("f",)))
    IdempotencyKey.objects.update(expires_at=F("expires_at") - 2 * DAY)
    return RULES["idempotency_keys"]


def test_purge_that_is_killed_or_out_of_time_is_continued(old_keys, monkeypatch):
    removed = []

    def fail(rows):
        if removed:
            raise KeyboardInterrupt
        removed.extend(rows)
        rows.delete()

    interrupted = Retention(old_keys.name, old_keys.due, old_keys.clock, remove=fail)
    with pytest.raises(KeyboardInterrupt):
        purge(interrupted)
    assert IdempotencyKey.objects.count() == 3

    result = purge(old_keys, seconds=0)

    assert (result.removed, IdempotencyKey.objects.count()) == (2, 1)
    assert timedelta(hours=23) < timezone.now() - result.overdue_since < timedelta(hours=25)
    [_, overdue] = retention_metrics()
    [sample] = overdue.samples
    assert sample.labels == {"rule": "idempotency_keys"}
    assert 23 * 3600 < sample.value < 25 * 3600
    [line] = check_retention()
    assert (line.state, line.value[:17]) == (State.OK, "idempotency_keys:")
    Purge.objects.update(overdue_since=F("overdue_since") - 3 * DAY)
    [line] = check_retention()
    assert line.state == State.WARNING
    assert purge(old_keys).removed == 1
    assert Purge.objects.get().overdue_since is None


def test_command_counts_purges_and_names_what_failed(old_keys, monkeypatch, capsys):
    call_command("purge", "--dry-run", "--rule", "idempotency_keys", "--rule", "emails")
    assert capsys.readouterr().out == "idempotency_keys: 5 due\nemails: 0 due\n"
    assert IdempotencyKey.objects.count() == 5

    def fail(before):
        raise OperationalError

    monkeypatch.setitem(RULES, "emails", Retention("emails", fail))
    with pytest.raises(CommandError, match="Not purged: emails"):
        call_command("purge")
    assert "idempotency_keys: 5 removed" in capsys.readouterr().out


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_locked_rows_are_skipped_and_a_locked_table_holds_nobody_up(old_keys, monkeypatch):
    monkeypatch.setattr(retention, "LOCK_WAIT", "50ms")
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("SELECT id FROM core_idempotencykey LIMIT 1 FOR UPDATE")
        assert purge(old_keys).removed == 4
        cursor.execute("LOCK TABLE core_idempotencykey")
        with pytest.raises(OperationalError):
            purge(old_keys)
    other.rollback()
    other.close()

    assert purge(old_keys).removed == 1


@pytest.mark.postgresql
def test_every_purge_reads_rows_by_an_index_in_its_order():
    for rule in sorted_rules():
        rows = rule.due_now()[:1000]
        with connection.cursor() as cursor:
            for kind in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort"):
                cursor.execute(f"SET LOCAL enable_{kind} = off")
        plan = rows.explain()
        table = rows.model._meta.db_table
        assert re.search(rf"Index (Only )?Scan using \w+ on {table}\b", plan), (rule.name, plan)
        assert "Sort" not in plan or rule.clock == "pk", (rule.name, plan)


def test_settings_and_document_list_the_rules():
    """Each setting has a rule and a minimum; the document has a line for each rule."""
    named = set(configured.RETENTION_DAYS)
    assert named <= RULES.keys()
    assert {rule.name for rule in sorted_rules() if rule.minimum_days} == named
    assert all(rule.kept.days > rule.minimum_days for rule in sorted_rules() if rule.minimum_days)
    text = Path(configured.BASE_DIR, "docs/retention.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|$", text, re.MULTILINE))
    expired = {"idempotency_keys": "24 hours", "locked_records": "until they expire"}
    assert rows == {
        rule.name: f"{rule.kept.days} days" if rule.kept else expired.get(rule.name, "at once")
        for rule in sorted_rules()
    }
