"""Processing webhooks signed by the sandbox: in every order, repeated, early, late and false."""

from datetime import timedelta
from itertools import permutations
from unittest import mock
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.errors import InvalidInput
from payments import tasks
from payments.bookkeeping.fraud_warnings import fraud_warning_record
from payments.errors import AlreadyRecorded, NoPermission
from payments.gateway.payments import payment_ensure_at_provider, payment_replace_at_provider
from payments.methods import PaymentMethod
from payments.models import (
    Capture,
    EventState,
    FraudWarning,
    Operation,
    Payment,
    PaymentFlag,
    PaymentRefund,
    WebhookEvent,
)
from payments.providers.contract import ObjectNotFound, ProviderEvent
from payments.providers.stripe.provider import StripeProvider
from payments.selectors import flags_open
from payments.tasks import process_due_webhooks_task, process_webhook_task
from payments.tests.factories import reread, start
from payments.tests.periodic import process_due
from payments.tests.webhook_helpers import only_event, post_stripe, stripe_body
from payments.webhooks import inbox
from payments.webhooks.events import Outcome, Subject
from payments.webhooks.inbox import (
    event_claim,
    event_due,
    webhook_process,
    webhook_replay,
    webhooks_due,
)
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

CARD = PaymentMethod.CREDIT_CARD
SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture(scope="module", autouse=True)
def shared_open_card(module_db, module_stripe) -> Payment:
    rows.store()
    payment = start(CARD, user=rows.shopper())
    payment_ensure_at_provider(payment)
    return payment


@pytest.fixture
def open_card(shared_open_card, stripe):
    return Payment.objects.get(pk=shared_open_card.pk)


@pytest.fixture
def drain_hooks():
    """Process what is due, like the worker, until nothing is; returns the states."""

    def run() -> list[str]:
        for _ in range(20):
            due = webhooks_due()
            if not due:
                break
            for pk in due:
                webhook_process(pk)
        return list(WebhookEvent.objects.order_by("created_at").values_list("state", flat=True))

    return run


@pytest.fixture
def later(time_machine):
    def move(**time: int) -> None:
        time_machine.move_to(timezone.now() + timedelta(**time))

    return move


def reads(stripe) -> int:
    return sum(
        request["method"] == "GET" and "/v1/payment_intents/" in request["path"]
        for request in stripe.get("requests")["rows"]
    )


def statuses_of(payment) -> tuple[str, str, str]:
    reread(payment)
    return payment.status, payment.order.status, payment.order.payment_status


# ---- on the hosted page ------------------------------------------------------------------------------------------


@pytest.fixture
def hosted_card(open_card):
    """The shop knows its session, but not the intent behind it."""
    payment_replace_at_provider(open_card.pk, Operation.HOSTED)
    return reread(open_card)


def settled_by(events, deliver, drain_hooks, later) -> None:
    deliver(*events)
    for _ in range(4):
        drain_hooks()
        later(minutes=5)
    left = WebhookEvent.objects.exclude(state__in=["done", "ignored"])
    assert [(event.kind, event.state, event.note) for event in left] == []


@pytest.mark.parametrize("order", [1, -1])
def test_all_events_of_a_hosted_payment_find_it(hosted_card, stripe, deliver, drain_hooks, later, order):
    stripe.pay(hosted_card)

    settled_by(stripe.events()[::order], deliver, drain_hooks, later)

    assert statuses_of(hosted_card) == ("COMPLETED", "CONFIRMED", "PAID")
    assert Capture.objects.count() == 1


def test_intent_event_alone_settles_a_hosted_payment(hosted_card, stripe, deliver, drain_hooks, later):
    stripe.pay(hosted_card)

    settled_by(stripe.events(SUCCEEDED), deliver, drain_hooks, later)

    assert statuses_of(hosted_card) == ("COMPLETED", "CONFIRMED", "PAID")


def test_decline_on_the_hosted_page_needs_no_staff(hosted_card, stripe, deliver, drain_hooks, later):
    stripe.pay(hosted_card, "chargeDeclined")

    settled_by(stripe.events("payment_intent.payment_failed", "charge.failed"), deliver, drain_hooks, later)

    assert statuses_of(hosted_card)[1:] == ("PENDING", "UNPAID")


def test_later_events_of_a_hosted_payment_are_booked(hosted_card, stripe, deliver, drain_hooks, later):
    stripe.pay(hosted_card)
    settled_by(stripe.events(), deliver, drain_hooks, later)
    [intent] = {row["payment_intent"] for row in stripe.journal("charge.captured")}

    stripe.post("stripe/refund", payment_intent=intent, amount=1000)
    stripe.post("stripe/dispute", payment_intent=intent)
    settled_by(stripe.events("refund.created", "charge.dispute.created"), deliver, drain_hooks, later)

    assert statuses_of(hosted_card)[0] == "PARTIALLY_REFUNDED"
    assert [dispute.status for dispute in hosted_card.disputes.all()] == ["OPEN"]


# ---- once --------------------------------------------------------------------------------------------------------


def test_payment_is_settled_by_its_webhook(open_card, stripe, deliver, drain_hooks, mails, shopper, seller):
    stripe.pay(open_card)

    assert deliver(*stripe.events(SUCCEEDED)) == [200]
    assert statuses_of(open_card)[0] == "PENDING", "the endpoint does not process"
    drain_hooks()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    event = only_event(kind=SUCCEEDED)
    assert (event.state, event.payment, event.tries, event.lease_until) == ("done", open_card, 1, None)
    assert event.processed_at is not None
    assert [m.subject.partition(": ")[2] for m in mails(shopper.email)] == ["payment received"]


def test_ten_deliveries_have_one_effect_and_one_mail(open_card, stripe, deliver, drain_hooks, mails, shopper):
    stripe.pay(open_card)
    [event] = stripe.events(SUCCEEDED)

    for _ in range(10):
        assert deliver(event) == [200]
        drain_hooks()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    assert (only_event().copies, Capture.objects.count(), len(mails(shopper.email))) == (10, 1, 1)
    assert stripe.captured() == [9999]


def test_events_of_the_same_fact_have_one_effect_and_read_once(
    open_card, stripe, deliver, drain_hooks, mails, shopper
):
    """Effects are deduplicated, not only ids: intent and charge report one capture."""
    stripe.pay(open_card)
    events = stripe.events(SUCCEEDED, "charge.succeeded", "payment_intent.created")
    before = reads(stripe)

    assert deliver(*events) == [200] * len(events)
    states = drain_hooks()

    assert sorted(states) == ["done", *["ignored"] * (len(events) - 1)]
    assert reads(stripe) == before + 1
    assert (Capture.objects.count(), len(mails(shopper.email))) == (1, 1)


def test_event_that_changes_nothing_costs_one_write(
    open_card, stripe, deliver, drain_hooks, django_assert_num_queries
):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    deliver(*stripe.events("charge.succeeded"))
    pk = only_event(kind="charge.succeeded").pk

    with django_assert_num_queries(4) as queries:
        webhook_process(pk)

    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "SELECT", "SELECT", "UPDATE"]
    assert (only_event(kind="charge.succeeded").state, only_event(kind="charge.succeeded").tries) == (
        "ignored",
        1,
    )


def test_event_is_decoded_once_and_its_payment_looked_up_once(open_card, stripe, deliver, monkeypatch):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    decode, look_up = mock.Mock(wraps=inbox.load_event), mock.Mock(wraps=inbox.payment_of_object)
    monkeypatch.setattr(inbox, "load_event", decode)
    monkeypatch.setattr(inbox, "payment_of_object", look_up)

    webhook_process(only_event(kind=SUCCEEDED).pk)

    assert statuses_of(open_card)[0] == "COMPLETED"
    assert (decode.call_count, look_up.call_count) == (1, 1)


def test_event_that_cannot_be_decoded_is_retried(drain_hooks, caplog):
    post_stripe(stripe_body())
    WebhookEvent.objects.update(content={"is_live": False})

    assert drain_hooks() == ["received"]
    assert (only_event().tries, only_event().note) == (1, "KeyError: 'object_ids'")
    [record] = [record for record in caplog.records if record.message == "webhook_failed"]
    assert record.exc_info


def test_repeated_event_of_a_known_fact_reads_nothing(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    stripe.fault("error_before", path="/v1/*", count=None)

    stripe.post("stripe/event", type=SUCCEEDED, id=open_card.provider_payment_id)
    deliver(stripe.events(SUCCEEDED)[-1])
    drain_hooks()

    assert [e.state for e in WebhookEvent.objects.order_by("created_at")] == ["done", "ignored"]
    assert WebhookEvent.objects.latest("created_at").note == "Nothing new."


# ---- every order -------------------------------------------------------------------------------------------------

KINDS = ("payment_intent.payment_failed", SUCCEEDED, "charge.refunded")


@pytest.mark.parametrize(
    "order", list(permutations(KINDS)), ids=lambda order: " ".join(k[-9:] for k in order)
)
def test_failed_succeeded_and_refunded_in_any_order_lead_to_the_same_result(
    open_card, stripe, deliver, drain_hooks, order
):
    stripe.pay(open_card, "visa_chargeDeclined")
    stripe.pay(open_card)
    stripe.post("stripe/refund", payment_intent=open_card.provider_payment_id, amount=9999)
    events = [stripe.events(kind)[0] for kind in order]

    for event in events:
        assert deliver(event) == [200]
        drain_hooks()
    for event in reversed(events):
        deliver(event)
    drain_hooks()

    assert statuses_of(open_card) == ("REFUNDED", "PENDING", "REFUNDED"), "refunded money ships nothing"
    assert (Capture.objects.count(), PaymentRefund.objects.count()) == (1, 1)
    assert set(WebhookEvent.objects.values_list("state", flat=True)) <= {"done", "ignored"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_refund_events_in_any_order_lead_to_the_same_result(open_card, stripe, deliver, drain_hooks, order):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    refund = stripe.post("stripe/refund", payment_intent=open_card.provider_payment_id, amount=1000)
    stripe.post("stripe/settle_refund", refund=refund["id"], status="failed")
    events = stripe.events("refund.created", "charge.refunded", "refund.failed")
    assert len(events) == 3

    for place in order:
        deliver(events[place])
        drain_hooks()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    assert open_card.refund_reserved_minor == 0


def test_late_failure_does_not_undo_success(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card, "visa_chargeDeclined")
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()

    deliver(*stripe.events("payment_intent.payment_failed"))
    drain_hooks()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")


def test_three_day_old_event_is_processed_by_the_current_state(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card)
    old = int((timezone.now() - timedelta(days=3)).timestamp())
    stripe.post(
        "stripe/event",
        type="payment_intent.processing",
        id=open_card.provider_payment_id,
        changes={"created": old, "object": {"status": "processing"}},
    )

    deliver(*stripe.events("payment_intent.processing"))
    drain_hooks()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")


# ---- kinds -------------------------------------------------------------------------------------------------------


def test_declined_card_is_reported_by_its_webhook(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card, "visa_chargeDeclinedInsufficientFunds")

    deliver(*stripe.events("payment_intent.payment_failed"))
    drain_hooks()

    assert statuses_of(open_card) == ("FAILED", "PENDING", "UNPAID")
    assert "insufficient funds" in open_card.failure_reason


def test_second_decline_updates_the_reason(open_card, stripe, deliver, drain_hooks):
    for card in ("visa_chargeDeclined", "visa_chargeDeclinedInsufficientFunds"):
        stripe.pay(open_card, card)
        deliver(stripe.events("payment_intent.payment_failed")[-1])
        drain_hooks()

    assert statuses_of(open_card)[0] == "FAILED"
    assert "insufficient funds" in open_card.failure_reason


def test_processing_and_its_end_are_followed(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card, "sandboxProcessing")
    deliver(*stripe.events("payment_intent.processing"))
    drain_hooks()
    assert statuses_of(open_card)[0] == "PROCESSING"

    stripe.run_jobs()
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")


def test_action_that_is_required_keeps_the_payment_open(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card, "authenticationRequired")

    deliver(*stripe.events("payment_intent.requires_action"))

    assert drain_hooks() == ["done"]
    assert statuses_of(open_card)[0] == "PENDING"
    assert open_card.attempts.get().outcome == "challenged"


def test_intent_cancelled_at_the_provider_cancels_the_payment(open_card, stripe, deliver, drain_hooks):
    stripe.post("stripe/cancel", payment_intent=open_card.provider_payment_id)

    deliver(*stripe.events("payment_intent.canceled"))
    drain_hooks()

    assert statuses_of(open_card) == ("CANCELLED", "PENDING", "UNPAID")


@pytest.mark.parametrize("kind", ["charge.refunded", "refund.created", "refund.updated"])
def test_refund_made_at_the_provider_is_booked_by_any_of_its_events(
    open_card, stripe, deliver, drain_hooks, kind
):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    stripe.post("settings", refunds="pending" if kind == "refund.updated" else "succeed")
    refund = stripe.post("stripe/refund", payment_intent=open_card.provider_payment_id, amount=1000)
    if refund["status"] == "pending":
        stripe.post("stripe/settle_refund", refund=refund["id"], status="succeeded")

    events = stripe.events(kind)
    assert events
    deliver(*events)
    drain_hooks()

    assert statuses_of(open_card) == ("PARTIALLY_REFUNDED", "CONFIRMED", "PARTIALLY_REFUNDED")
    assert PaymentRefund.objects.get().amount_minor == 1000


def test_dispute_is_tracked_from_opening_to_loss(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    dispute = stripe.post("stripe/dispute", payment_intent=open_card.provider_payment_id)
    deliver(*stripe.events("charge.dispute.created"))
    drain_hooks()
    assert [flag.kind for flag in open_card.flags.all()] == ["dispute"]

    stripe.post("stripe/close_dispute", dispute=dispute["id"], outcome="lost")
    events = stripe.events("charge.dispute.closed")
    deliver(*events, *events)
    drain_hooks()

    assert statuses_of(open_card) == ("REFUNDED", "CONFIRMED", "REFUNDED")
    assert open_card.disputed_minor == 9999


def test_early_fraud_warning_is_recorded_once_and_shown_to_staff(
    open_card, stripe, deliver, drain_hooks, browser, staff
):
    stripe.pay(open_card, "createIssuerFraudRecord")
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    [charge] = {row["id"] for row in stripe.journal("charge.captured")}
    for _ in range(2):
        stripe.post("stripe/warn", charge=charge, fraud_type="made_with_stolen_card")
    events = stripe.events("radar.early_fraud_warning.created")
    deliver(*events, *events)
    drain_hooks()

    warnings = FraudWarning.objects.order_by("created_at")
    assert {(row.payment, row.reason) for row in warnings} == {(open_card, "Stolen card")}
    assert warnings.count() == len(events) == 2
    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    flag = open_card.flags.get()
    assert (flag.kind, flag.detail) == ("fraud_warning", "The buyer’s bank reported fraud: Stolen card")
    client = browser(staff)
    answer = client.get(f"/admin/payments/payment/{open_card.pk}/change/")
    assert "Early fraud warning" in answer.content.decode()
    assert "Stolen card" in client.get("/admin/payments/fraudwarning/").content.decode()


def test_fraud_warning_flags_a_payment_unless_all_of_it_went_back(open_card, stripe, deliver, drain_hooks):
    stripe.pay(open_card, "visa")
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    open_card.refresh_from_db()
    fraud_warning_record(payment=open_card, warning_id="issfr_1", fraud_type="", warned_at=None)
    assert flags_open().get().detail == "The buyer’s bank reported fraud: Other reason"
    PaymentFlag.objects.all().delete()

    open_card.refunded_minor = open_card.received_minor
    fraud_warning_record(payment=open_card, warning_id="issfr_2", fraud_type="misc", warned_at=None)

    assert FraudWarning.objects.count() == 2
    assert not flags_open().exists()


def test_fraud_warning_with_a_long_code_is_recorded(open_card):
    fraud_warning_record(payment=open_card, warning_id="issfr_1", fraud_type="x" * 120, warned_at=None)

    assert FraudWarning.objects.get().fraud_type == "x" * 80


def test_unknown_kind_is_stored_and_shown(stripe, drain_hooks):
    body = stripe_body(type="payout.paid", object={"object": "payout", "id": "po_1"})

    assert post_stripe(body).status_code == 200

    assert drain_hooks() == ["ignored"]
    assert only_event().note == "This type of event is not used."


def test_saved_method_event_has_its_own_handler(stripe, drain_hooks, monkeypatch):
    seen: list[ProviderEvent] = []
    intent = {"object": "setup_intent", "id": "seti_1", "payment_method": "pm_1"}
    body = stripe_body(type="setup_intent.succeeded", object=intent)
    post_stripe(body)
    assert drain_hooks() == ["ignored"], "not saved in this shop"

    def handler(event: WebhookEvent, provider_event: ProviderEvent) -> Outcome:
        seen.append(provider_event)
        return Outcome(EventState.DONE, "kept")

    monkeypatch.setattr(inbox, "process_method_event", handler)
    post_stripe(stripe_body(type="setup_intent.succeeded", object=intent))
    drain_hooks()

    assert [(statuses_of.setup_id, statuses_of.method_id) for statuses_of in seen] == [("seti_1", "pm_1")]
    assert WebhookEvent.objects.latest("created_at").note == "kept"


# ---- early -------------------------------------------------------------------------------------------------------


def test_webhook_faster_than_our_commit_settles_at_once(shopper, stripe, deliver):
    """The intent was created and our process crashed before storing its id; the intent's metadata names the payment."""
    payment = start(CARD, user=shopper)
    stripe.fault("drop_after", path="/v1/payment_intents", method="POST")
    payment_ensure_at_provider(payment)
    [_, row] = stripe.journal("intent.created")  # the first is that of `open_card`
    stripe.post("stripe/pay", payment_intent=row["id"], payment_method="pm_card_visa")
    deliver(*stripe.events(SUCCEEDED))
    assert statuses_of(payment)[0] == "PROCESSING"

    webhook_process(only_event().pk)

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")
    assert (only_event().state, only_event().payment) == ("done", payment)
    assert stripe.captured() == [9999]


def test_event_without_a_payment_is_retried_with_growing_delays_and_given_up_after_three_days(
    stripe, later, caplog
):
    post_stripe(stripe_body())
    pauses = []
    while only_event().state != "dead":
        process_due_webhooks_task()
        event = only_event()
        pauses.append((event.next_try_at - timezone.now()).total_seconds())
        later(seconds=max(pauses[-1], 1) + 1)

    assert event.note == "Given up after three days. No payment found for pi_foreign."
    assert (
        event.created_at + timedelta(days=3) <= timezone.now() < event.created_at + timedelta(days=3, hours=2)
    )
    assert max(pauses[:3]) <= 8
    assert 60 < max(pauses) <= 3600
    assert event.tries > 70
    assert "webhook_dead" in caplog.text
    assert webhooks_due() == []


def test_retry_delays_have_jitter():
    assert len({inbox.back_off(8) for _ in range(20)}) > 15


# ---- false -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("untrue", [{"amount": 1}, {"currency": "eur"}, {"amount": 999900}])
def test_signed_event_with_a_wrong_amount_books_nothing_and_is_flagged(
    open_card, stripe, deliver, drain_hooks, untrue
):
    intent = {"status": "succeeded", "latest_charge": "ch_1", **untrue}
    stripe.post("stripe/event", type=SUCCEEDED, id=open_card.provider_payment_id, changes={"object": intent})

    assert deliver(*stripe.events(SUCCEEDED)) == [200]
    drain_hooks()

    assert statuses_of(open_card) == ("PENDING", "PENDING", "UNPAID")
    assert not Capture.objects.exists()
    flag = PaymentFlag.objects.get()
    assert (flag.kind, flag.payment) == ("mismatch", open_card)
    assert only_event(kind=SUCCEEDED).state == "ignored"


def test_success_event_is_checked_with_the_provider(open_card, stripe, deliver, drain_hooks):
    """Signature and amount are right, but the intent was never paid."""
    intent = {"status": "succeeded", "latest_charge": "ch_made_up"}
    stripe.post("stripe/event", type=SUCCEEDED, id=open_card.provider_payment_id, changes={"object": intent})

    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()

    assert statuses_of(open_card) == ("PENDING", "PENDING", "UNPAID")
    assert not Capture.objects.exists()
    assert (only_event().state, only_event().tries) == ("received", 1), (
        "it is read again, and given up in the end"
    )


@pytest.mark.parametrize("changes", [{"livemode": True}, {"account": "acct_other"}])
def test_another_mode_or_account_is_ignored_and_flagged(
    open_card, stripe, deliver, drain_hooks, changes, caplog
):
    stripe.pay(open_card)
    stripe.post("stripe/event", type=SUCCEEDED, id=open_card.provider_payment_id, changes=changes)

    assert deliver(stripe.events(SUCCEEDED)[-1]) == [200]
    assert drain_hooks() == ["ignored"]

    assert statuses_of(open_card) == ("PENDING", "PENDING", "UNPAID")
    assert PaymentFlag.objects.get().kind == "mismatch"
    assert "webhook_foreign" in caplog.text


def test_event_of_another_mode_without_a_payment_is_not_retried(drain_hooks):
    post_stripe(stripe_body(livemode=True))

    assert drain_hooks() == ["ignored"]


def test_foreign_intent_that_names_our_order_changes_nothing(open_card, stripe, drain_hooks):
    named = {"payment_id": str(open_card.pk), "order_number": open_card.order.order_number}

    post_stripe(stripe_body(object={"metadata": named}))

    assert drain_hooks() == ["received"]
    assert only_event().note == "The provider does not show the reported payment."
    assert statuses_of(open_card) == ("PENDING", "PENDING", "UNPAID")


# ---- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["drop_before", "error_before", "unavailable", "html"])
def test_event_is_retried_when_the_provider_does_not_answer(open_card, stripe, deliver, later, action):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    stripe.fault(action, path="/v1/payment_intents/*", method="GET")

    webhook_process(only_event().pk)
    assert (only_event().state, only_event().tries, statuses_of(open_card)[0]) == ("received", 1, "PENDING")
    assert only_event().note
    later(minutes=10)
    process_due()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    assert (only_event().state, only_event().tries) == ("done", 2)


def test_event_is_retried_until_the_provider_shows_the_money(open_card, stripe, deliver, later):
    """Parts of the provider may lag behind each other; a message about money is not dropped for that."""
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    with mock.patch.object(StripeProvider, "reread", side_effect=ObjectNotFound("resource_missing")):
        webhook_process(only_event().pk)

    assert (only_event().state, only_event().payment) == ("received", open_card)
    assert "does not show" in only_event().note
    later(minutes=1)
    process_due()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    assert stripe.captured() == [9999]


def test_missing_keys_leave_the_message_waiting(open_card, stripe, deliver, settings):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    settings.STRIPE_SECRET_KEY = ""

    webhook_process(only_event().pk)

    assert (only_event().state, only_event().lease_until) == ("received", None)


def test_failing_event_does_not_delay_others_and_is_given_up(open_card, stripe, deliver, later, monkeypatch):
    post_stripe(stripe_body(id="evt_poison"))
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    real = inbox.decide_outcome

    def broken(event: WebhookEvent, subject: Subject) -> Outcome:
        if event.event_id == "evt_poison":
            raise ZeroDivisionError("pi_1_secret_abcdef")
        return real(event, subject)

    monkeypatch.setattr(inbox, "decide_outcome", broken)
    process_due()

    poison = only_event(event_id="evt_poison")
    assert statuses_of(open_card)[0] == "COMPLETED"
    assert (poison.state, poison.tries) == ("received", 1)
    assert "secret" not in poison.note.replace("[secret]", "")
    later(days=3, minutes=1)
    process_due()
    assert only_event(event_id="evt_poison").state == "dead"


def test_message_that_crashes_its_worker_is_delayed_and_given_up(later, monkeypatch):
    post_stripe(stripe_body())
    monkeypatch.setattr(inbox, "decide_outcome", mock.Mock(side_effect=SystemExit))

    def die() -> None:
        with pytest.raises(SystemExit):
            webhook_process(only_event().pk)

    die()
    assert webhooks_due() == [], "leased"
    later(minutes=3)
    for _ in range(8):
        die()
        later(hours=1)
    assert only_event().tries == 9
    later(days=3)
    webhook_process(only_event().pk)

    assert (only_event().state, only_event().lease_until) == ("dead", None)


def test_message_of_a_crashed_worker_is_processed_by_the_next(open_card, stripe, deliver, later):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    event_claim(only_event())  # and then the worker is killed

    process_due()
    assert statuses_of(open_card)[0] == "PENDING", "the lease holds"
    later(minutes=3)
    process_due()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    assert (only_event().state, only_event().tries) == ("done", 2)


def test_message_is_claimed_once_and_a_late_worker_changes_nothing(later):
    post_stripe(stripe_body())
    pk = only_event().pk
    slow, loser = event_due(pk), event_due(pk)
    assert event_claim(slow)
    assert not event_claim(loser)
    assert event_due(pk) is None, "leased"

    later(minutes=3)
    fast = event_due(pk)
    assert event_claim(fast)
    inbox.save_outcome(fast, Outcome(EventState.DONE, "fast"), ended_at=None)
    inbox.save_outcome(slow, Outcome(EventState.DEAD, "slow"), ended_at=None)

    assert (only_event().state, only_event().note, only_event().tries) == ("done", "fast", 2)


def test_task_is_enqueued_with_the_message_id(open_card, stripe, deliver):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))

    process_webhook_task(str(only_event().pk))
    process_webhook_task(str(only_event().pk))

    assert (statuses_of(open_card)[0], only_event().tries) == ("COMPLETED", 1)


# ---- replay by staff ---------------------------------------------------------------------------------------------


@pytest.fixture
def operator(admin_user):
    return admin_user


def test_replay_of_a_processed_message_changes_nothing_and_is_audited(
    open_card, stripe, deliver, drain_hooks, operator, mails, shopper
):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    drain_hooks()
    before, sent = reads(stripe), len(mails(shopper.email))

    webhook_replay(event_id=only_event().pk, reason="the buyer called", actor=operator)
    drain_hooks()

    assert statuses_of(open_card) == ("COMPLETED", "CONFIRMED", "PAID")
    assert (only_event().state, only_event().tries) == ("done", 2)
    assert reads(stripe) == before + 1
    assert (Capture.objects.count(), len(mails(shopper.email))) == (1, sent)
    entry = AuditEntry.objects.get(action="webhook.replay")
    assert (entry.actor, entry.target_id) == (operator, only_event().pk)
    assert (entry.data["reason"], entry.data["state"]) == ("the buyer called", "done")


def test_replay_of_a_failed_message_settles_the_payment(
    open_card, stripe, deliver, drain_hooks, later, operator
):
    stripe.pay(open_card)
    deliver(*stripe.events(SUCCEEDED))
    with mock.patch.object(inbox, "decide_outcome", side_effect=ZeroDivisionError):
        later(days=3, minutes=1)
        drain_hooks()
    assert only_event().state == "dead"

    webhook_replay(event_id=only_event().pk, reason="repaired", actor=operator)
    drain_hooks()

    assert statuses_of(open_card)[0] == "COMPLETED"
    assert only_event().state == "done"


def test_replay_needs_permission_a_reason_and_no_active_lease(staff, operator):
    post_stripe(stripe_body())
    pk = only_event().pk
    before, payments = WebhookEvent.objects.values().get(), Payment.objects.count()

    with pytest.raises(NoPermission):
        webhook_replay(event_id=pk, reason="why not", actor=staff)
    with pytest.raises(InvalidInput):
        webhook_replay(event_id=pk, reason=" ", actor=operator)
    assert WebhookEvent.objects.values().get() == before
    event_claim(only_event())
    with pytest.raises(AlreadyRecorded):
        webhook_replay(event_id=pk, reason="again", actor=operator)
    assert not AuditEntry.objects.filter(action="webhook.replay").exists()
    assert Payment.objects.count() == payments


def test_burst_stops_before_the_limit_of_its_task_and_one_error_stops_no_other(monkeypatch):
    processed, broken, other = [], uuid4(), uuid4()

    def process(event_id):
        processed.append(event_id)
        if event_id == broken:
            raise OperationalError("deadlock")

    monkeypatch.setattr(tasks, "webhook_process", process)
    process_webhook_task(str(broken), str(other))
    assert processed == [broken, other]
    monkeypatch.setattr(tasks, "POLL_SECONDS", -1)  # the time is over
    process_webhook_task(str(other))
    assert processed == [broken, other]
