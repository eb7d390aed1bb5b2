"""Durable provider calls: claiming, retries, giving up, and late answers."""

from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from payments.bookkeeping.provider_calls import (
    LEASE,
    UNSEEN,
    provider_call_claim,
    provider_call_enqueue,
    provider_call_finish,
    provider_call_postpone,
    provider_calls_due,
)
from payments.bookkeeping.refunds import refund_enqueue
from payments.bookkeeping.review_flags import flag_raise
from payments.errors import PaymentBusy, PaymentInProgress, ProviderUnavailable, StillPayable
from payments.gateway import connection, payments
from payments.gateway.connection import NetworkInTransaction, call_slots_at, execute, is_down
from payments.gateway.operations import (
    book_answer,
    book_object,
    create_request,
    provider_call_execute,
    refuse_cancel,
)
from payments.gateway.payments import (
    MAX_CANCEL_ATTEMPTS,
    payment_check,
    payment_confirm,
    payment_ensure_at_provider,
    payment_replace_at_provider,
    payment_sync,
)
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.parcels import parcels_decide
from payments.methods import PaymentMethod
from payments.models import CallState, FlagKind, Operation, Payment, PaymentRefund, ProviderCall, RefundOrigin
from payments.providers.contract import ObjectNotFound, Refused, Unknown
from payments.selectors import payment_lock
from payments.tests.factories import reread, start
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

CARD, TRANSFER = PaymentMethod.CREDIT_CARD, PaymentMethod.BANK_TRANSFER
INTENTS = "/v1/payment_intents"


@pytest.fixture
def begun(shopper, stripe):
    """A card payment whose provider object does not exist yet."""
    return start(CARD, user=shopper)


@pytest.fixture
def open_card(begun):
    payment_ensure_at_provider(begun)
    return reread(begun)


@pytest.fixture
def paid(open_card, stripe):
    stripe.pay(open_card)
    payment_sync(open_card.pk, cause="test")
    return reread(open_card)


def call_of(payment, **which) -> ProviderCall:
    return payment.calls.get(**which)


def refund_begin(payment) -> PaymentRefund:
    with transaction.atomic():
        locked, order = payment_lock(payment.pk)
        refund = refund_enqueue(locked, locked.refundable, reason="broken", origin=RefundOrigin.STAFF)
        locked.save(update_fields=["refund_reserved_minor", "updated_at"])
        parcels_decide(order, {}, cause="broken", actor=None)
    return refund


def posts(stripe, path) -> int:
    rows = stripe.get("requests")["rows"]
    return sum(row["method"] == "POST" and row["path"].endswith(path) for row in rows)


# ---- claiming --------------------------------------------------------------------------------------------------


def test_provider_is_not_called_inside_a_transaction(open_card, stripe):
    before = len(stripe.get("requests")["rows"])

    with pytest.raises(NetworkInTransaction), transaction.atomic():
        execute("stripe", lambda provider: provider.read(open_card.provider_payment_id))
    with pytest.raises(NetworkInTransaction), transaction.atomic():
        payment_sync(open_card.pk, cause="test")

    assert len(stripe.get("requests")["rows"]) == before


def test_call_is_claimed_once_until_its_lease_expires(begun, time_machine):
    call = call_of(begun)

    assert provider_call_claim(call.pk) == call
    assert provider_call_claim(call.pk) is None
    assert provider_call_execute(call.pk).answer is None

    time_machine.move_to(timezone.now() + LEASE + timedelta(seconds=1))
    assert provider_call_claim(call.pk) == call


def test_finished_call_is_neither_claimed_nor_finished_again(open_card):
    call = call_of(open_card)

    assert provider_call_claim(call.pk) is None
    assert provider_call_finish(call, CallState.REFUSED) is False
    assert call_of(open_card).state == CallState.DONE


def test_second_open_call_of_a_payment_is_refused(begun):
    with pytest.raises(PaymentBusy), transaction.atomic():
        provider_call_enqueue(Operation.CONFIRM, payment=begun)

    assert call_of(begun).operation == Operation.CREATE


def test_new_call_becomes_due_after_its_own_request_had_time(begun, time_machine):
    assert provider_calls_due() == []

    time_machine.move_to(timezone.now() + timedelta(seconds=16))

    assert provider_calls_due() == [call_of(begun).pk]


# ---- retries ---------------------------------------------------------------------------------------------------


def test_retry_delay_grows_with_the_attempts_and_has_jitter(begun):
    call, pauses = call_of(begun), []
    for _ in range(12):
        call = provider_call_claim(call.pk)
        provider_call_postpone(call, Unknown("no_answer", is_outage=True))
        call = call_of(begun)
        pauses.append((call.next_try_at - timezone.now()).total_seconds())

    assert call.tries == 12
    assert all(0 < pause <= 601 for pause in pauses)
    assert max(pauses) > 60, "twelve attempts all within a minute"
    assert len({round(pause, 3) for pause in pauses}) > 6
    assert call.lease_until is None


def test_requested_pause_applies_to_all_callers(begun, stripe, time_machine):
    stripe.fault("rate_limit", path=INTENTS, method="POST", retry_after=7)
    assert payment_ensure_at_provider(begun).payment.status == "PROCESSING"

    for seconds in (2, 3):
        time_machine.move_to(timezone.now() + timedelta(seconds=seconds))
        payment_ensure_at_provider(begun)
        payment_check(begun.pk)
        process_due()
    assert posts(stripe, INTENTS) == 1

    time_machine.move_to(timezone.now() + timedelta(seconds=3))
    assert payment_ensure_at_provider(begun).payment.status == "PENDING"
    assert (posts(stripe, INTENTS), stripe.made()) == (2, 1)


def test_payment_of_unknown_outcome_is_polled_at_growing_intervals(open_card, stripe):
    stripe.fault("unavailable", path="/v1/*", count=None)
    pauses = []
    for _ in range(12):
        Payment.objects.filter(pk=open_card.pk).update(next_check_at=timezone.now())
        payment_check(open_card.pk)
        pauses.append(round((reread(open_card).next_check_at - timezone.now()).total_seconds()))

    assert open_card.checks == 13
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (240, 1800)


def test_unanswered_payment_is_moved_back_in_the_polling_order(begun, stripe):
    stripe.fault("unavailable", path="/v1/*", count=None)
    payment_ensure_at_provider(begun)
    Payment.objects.filter(pk=begun.pk).update(next_check_at=timezone.now() - timedelta(minutes=5))

    payment_check(begun.pk)

    assert reread(begun).next_check_at > timezone.now()


def test_failing_payment_is_moved_back_in_the_polling_order(open_card, stripe, monkeypatch):
    Payment.objects.filter(pk=open_card.pk).update(next_check_at=timezone.now() - timedelta(minutes=5))
    monkeypatch.setattr("payments.gateway.payments.payment_apply_remote_state", lambda **_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        payment_check(open_card.pk)

    assert reread(open_card).next_check_at > timezone.now()


@pytest.mark.parametrize("action", ["error_before", "error_after"])
def test_confirmation_whose_key_repeats_an_error_is_resolved_by_reading(open_card, stripe, action):
    stripe.fault(action, path=f"{INTENTS}/*/confirm")
    assert payment_confirm(open_card.pk, method_id="pm_card_visa").payment.status == "PROCESSING"

    payment_sync(open_card.pk, cause="test")

    is_paid = action == "error_after"
    assert reread(open_card).status == ("COMPLETED" if is_paid else "PENDING")
    assert not open_card.calls.filter(state=CallState.OPEN).exists()
    assert payment_confirm(open_card.pk, method_id="pm_card_visa").payment.status == "COMPLETED"
    assert stripe.captured() == [9999]


def test_cancellation_whose_key_repeats_an_error_is_retried_with_a_new_key(open_card, stripe, shopper):
    stripe.fault("error_before", path=f"{INTENTS}/*/cancel")

    for _ in range(3):
        try:
            order_cancel(order_id=open_card.order_id, reason="", actor=shopper)
        except PaymentInProgress:
            continue

    assert (reread(open_card).status, open_card.order.status) == ("CANCELLED", "CANCELLED")
    cancels = open_card.calls.filter(operation=Operation.CANCEL).values_list("state", flat=True)
    assert sorted(cancels) == [CallState.DONE, CallState.REFUSED]


# ---- giving up -------------------------------------------------------------------------------------------------


def too_late(payment, time_machine, after=timedelta(hours=23)):
    time_machine.move_to(timezone.now() + after + timedelta(minutes=1))
    ProviderCall.objects.filter(payment=payment).update(lease_until=None)


def test_unanswered_create_is_given_up_soon_and_can_be_restarted(begun, stripe, time_machine):
    stripe.fault("error_before", path=INTENTS)
    payment_ensure_at_provider(begun)
    too_late(begun, time_machine, UNSEEN)

    process_due()

    assert reread(begun).status == "FAILED"
    assert payment_choose_method(order_id=begun.order_id, method=CARD, actor=None).payment.status == "PENDING"
    assert (stripe.made(), begun.calls.count()) == (1, 2)


@pytest.mark.parametrize("action", ["drop_before", "drop_after"])
def test_buyer_need_not_wait_for_an_unseen_payment(begun, stripe, shopper, action):
    """Whether the provider created it or not: without its secret nobody can pay it."""
    stripe.fault(action, path="/v1/*", count=None)
    payment_ensure_at_provider(begun)

    chosen = payment_choose_method(order_id=begun.order_id, method=TRANSFER, actor=shopper)

    assert (reread(begun).status, chosen.payment.status) == ("CANCELLED", "PENDING")
    assert call_of(begun).state == CallState.REFUSED


def test_order_without_a_seen_payment_expires_during_an_outage(begun, stripe, time_machine):
    stripe.fault("drop_before", path="/v1/*", count=None)
    payment_ensure_at_provider(begun)
    time_machine.move_to(timezone.now() + timedelta(minutes=31))

    assert order_expire(order_id=begun.order_id) is True
    assert (reread(begun).status, begun.failure_code) == ("CANCELLED", "given_up")


def answered_too_late(begun, shopper):
    """The request hangs, and the buyer switches to a bank transfer before the answer arrives."""
    call = provider_call_claim(call_of(begun).pk)
    payment_choose_method(order_id=begun.order_id, method=TRANSFER, actor=shopper)
    request = create_request(call, begun)
    remote = execute("stripe", lambda provider: provider.create(request))
    book_object(call, remote)
    assert (reread(begun).status, begun.provider_payment_id) == ("CANCELLED", None)
    return remote.object_id


def test_late_created_object_is_cancelled(begun, stripe, shopper):
    object_id = answered_too_late(begun, shopper)

    provider_call_execute(begun.calls.get(state=CallState.OPEN).pk)

    assert [row["id"] for row in stripe.journal("intent.canceled")] == [object_id]
    assert (reread(begun).status, begun.calls.filter(state=CallState.OPEN).count()) == ("CANCELLED", 0)
    assert begun.flags.count() == 0


def test_late_answer_waits_while_another_call_of_the_payment_is_open(begun, stripe):
    """The payment was given up and restarted: its current call comes first and is not affected."""
    late = provider_call_claim(call_of(begun).pk)
    remote = execute("stripe", lambda provider: provider.create(create_request(late, begun)))
    provider_call_finish(late, CallState.REFUSED)
    with transaction.atomic():
        present = provider_call_enqueue(Operation.CREATE, payment=begun)

    book_object(late, remote)

    assert begun.calls.get(state=CallState.OPEN) == present
    assert reread(begun).provider_payment_id is None


def test_money_on_a_late_created_object_is_booked_on_its_payment(begun, stripe, shopper):
    object_id = answered_too_late(begun, shopper)

    stripe.post("stripe/pay", payment_intent=object_id)
    payment_sync(begun.pk, cause="test", object_id=object_id)

    assert (reread(begun).status, begun.order.payment_status) == ("COMPLETED", "PAID")


@pytest.mark.parametrize("is_made", [True, False])
def test_refund_older_than_its_key_is_read_instead_of_repeated(paid, stripe, time_machine, is_made):
    refund = refund_begin(paid)
    stripe.fault("drop_after" if is_made else "drop_before", path="/v1/refunds")
    provider_call_execute(refund.calls.get().pk)
    too_late(paid, time_machine)

    process_due()

    refund.refresh_from_db()
    assert refund.status == ("COMPLETED" if is_made else "FAILED")
    assert (posts(stripe, "/v1/refunds"), reread(paid).refund_reserved_minor) == (1, 0)
    assert list(paid.flags.values_list("kind", flat=True)) == ([] if is_made else ["refund_failed"])


def test_confirmation_older_than_its_key_is_read_instead_of_repeated(open_card, stripe, time_machine):
    stripe.fault("drop_after", path=f"{INTENTS}/*/confirm")
    payment_confirm(open_card.pk, method_id="pm_card_visa")
    too_late(open_card, time_machine)

    process_due()

    assert (reread(open_card).status, posts(stripe, "/confirm")) == ("COMPLETED", 1)


def test_old_call_stays_open_while_reading_fails(paid, stripe, time_machine):
    refund = refund_begin(paid)
    stripe.fault("unavailable", path="/v1/*", count=None)
    provider_call_execute(refund.calls.get().pk)
    too_late(paid, time_machine)

    provider_call_execute(refund.calls.get().pk)

    assert (refund.calls.get().state, refund.calls.get().tries) == (CallState.OPEN, 2)


def test_old_call_without_a_readable_object_needs_staff(begun, stripe, time_machine):
    call = call_of(begun)
    ProviderCall.objects.filter(pk=call.pk).update(request={"method_id": "pm_card_visa", "token_version": 1})
    too_late(begun, time_machine)

    provider_call_execute(call.pk)

    assert call_of(begun).state == CallState.STUCK
    assert list(begun.flags.values_list("kind", flat=True)) == ["stuck"]


# ---- cancelling ------------------------------------------------------------------------------------------------


def cancelling(payment, operation=Operation.CANCEL) -> ProviderCall:
    return provider_call_enqueue(
        operation, payment=payment, request={"object_id": payment.provider_payment_id}
    )


def test_object_unknown_to_the_provider_counts_as_cancelled(open_card):
    refuse_cancel(cancelling(open_card), ObjectNotFound("resource_missing"))

    assert reread(open_card).status == "CANCELLED"
    assert not open_card.flags.exists()


def test_object_unknown_to_the_provider_can_be_replaced(open_card):
    refuse_cancel(cancelling(open_card, Operation.RELEASE), ObjectNotFound("resource_missing"))

    assert (reread(open_card).status, open_card.provider_payment_id) == ("PENDING", None)


@pytest.mark.parametrize("operation", [Operation.CANCEL, Operation.RELEASE])
def test_object_that_cannot_be_cancelled_is_kept_and_shown_to_staff(open_card, operation):
    before = open_card.provider_payment_id

    refuse_cancel(cancelling(open_card, operation), Refused("not_allowed"))

    assert (reread(open_card).status, open_card.provider_payment_id) == ("PENDING", before)
    assert list(open_card.flags.values_list("kind", flat=True)) == ["stuck"]


def test_late_answer_to_a_release_does_not_affect_the_new_object(open_card, stripe):
    """The first attempt hung, its retry closed the object, the hosted page was created; then the first answer came."""
    first = open_card.provider_payment_id
    payment_replace_at_provider(open_card.pk, Operation.HOSTED)
    call = call_of(open_card, operation=Operation.RELEASE)
    new = reread(open_card).provider_payment_id
    gone = execute("stripe", lambda provider: provider.read(first))

    book_answer(call, gone)
    refuse_cancel(call, ObjectNotFound("resource_missing"))

    assert reread(open_card).provider_payment_id == new


# ---- outages ---------------------------------------------------------------------------------------------------


def silent(_):
    raise Unknown("no_answer", is_outage=True)


def refused(_):
    raise Refused("no")


def fails(question) -> None:
    with pytest.raises((Refused, Unknown)):
        execute("stripe", question)


def test_two_timeouts_in_a_row_mark_the_provider_down(begun, stripe):
    fails(silent)
    assert not is_down("stripe")
    fails(silent)

    assert is_down("stripe")
    with pytest.raises(Unknown, match="marked_down"):
        execute("stripe", lambda provider: provider.read("pi_1"))
    assert stripe.get("requests")["rows"] == []
    assert not is_down("paypal")


@pytest.mark.parametrize("between", [refused, lambda _: "an answer"])
def test_any_answer_between_two_timeouts_resets_the_count(stripe, between):
    fails(silent)
    try:
        execute("stripe", between)
    except Refused:
        pass
    fails(silent)

    assert not is_down("stripe")


def test_down_mark_expires_and_the_next_timeout_renews_it(stripe, time_machine):
    fails(silent)
    fails(silent)
    time_machine.move_to(timezone.now() + timedelta(seconds=connection.DOWN_SECONDS + 1))
    assert not is_down("stripe")

    fails(silent)

    assert is_down("stripe")


def test_nothing_is_started_at_a_provider_that_is_down(open_card, stripe, shopper, bowl):
    fails(silent)
    fails(silent)

    with pytest.raises(ProviderUnavailable), transaction.atomic():
        start(CARD, {bowl: 1}, user=shopper)
    with pytest.raises(ProviderUnavailable):
        payment_confirm(open_card.pk, method_id="pm_card_visa")

    assert not open_card.calls.filter(operation=Operation.CONFIRM).exists()
    assert payment_ensure_at_provider(open_card).action is None, "the order is there, its secret is not"


def test_full_concurrency_limit_refuses_at_once_and_is_not_an_outage(open_card, stripe, settings):
    settings.PROVIDER_CALLS_AT_ONCE = 1
    with call_slots_at("stripe"):
        for _ in range(3):
            with pytest.raises(Unknown, match="crowded") as result:
                execute("stripe", lambda provider: provider.read(open_card.provider_payment_id))
            assert not result.value.is_outage

    assert not is_down("stripe")
    assert execute("stripe", lambda provider: provider.read(open_card.provider_payment_id))


# ---- slow answers --------------------------------------------------------------------------------------------


@pytest.fixture
def answer_in(monkeypatch):
    """`answer_in(8)`: one answer that takes so many seconds by the clock of the gateway."""
    clock = [0.0]
    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def answer(seconds: float) -> None:
        def operation(_provider: object) -> None:
            clock[0] += seconds

        connection.execute("stripe", operation)

    return answer


def test_provider_that_answers_slowly_several_times_in_a_row_is_marked_down(answer_in):
    for _ in range(connection.SLOW_UNTIL_DOWN):
        assert not connection.is_down("stripe")
        answer_in(8)
    assert connection.is_down("stripe")


def test_quick_answer_ends_the_count_of_slow_ones(answer_in):
    for seconds in (8, 8, 0.2, 8, 8):
        answer_in(seconds)
    assert not connection.is_down("stripe")


@pytest.mark.parametrize("payable", [0, MAX_CANCEL_ATTEMPTS, MAX_CANCEL_ATTEMPTS + 1])
def test_nothing_is_cancelled_without_trying_the_operation_again(monkeypatch, payable):
    """Others may choose another method at the same time, so that an order has a payable object again and again."""
    done: list[str] = []

    def operation() -> str:
        done.append("operation")
        if done.count("operation") <= payable:
            raise StillPayable(uuid4())
        return "chosen"

    monkeypatch.setattr(
        payments, "payment_cancel_at_provider", lambda *args, **kwargs: done.append("cancelled")
    )
    if payable > MAX_CANCEL_ATTEMPTS:
        with pytest.raises(PaymentInProgress):
            payments.run_after_cancelling(operation, cause="other method")
    else:
        assert payments.run_after_cancelling(operation, cause="other method") == "chosen"

    assert done[-1] == "operation"
    assert done.count("cancelled") == min(payable, MAX_CANCEL_ATTEMPTS)


def test_cancelling_waits_for_another_process_that_makes_the_call(begun, monkeypatch):
    """Otherwise the buyer's choice is refused, and the order left without a payment."""
    payment_ensure_at_provider(begun)
    enqueue = payments.enqueue_cancel

    def enqueue_claimed(*args, **kwargs):
        call = enqueue(*args, **kwargs)
        provider_call_claim(call.pk)
        return call

    def other_process(_seconds):
        calls = ProviderCall.objects.filter(operation="cancel", state="open")
        key = calls.get().pk
        calls.update(lease_until=None)
        provider_call_execute(key)

    monkeypatch.setattr(payments, "enqueue_cancel", enqueue_claimed)
    monkeypatch.setattr(payments, "time", SimpleNamespace(monotonic=lambda: 0, sleep=other_process))

    payments.payment_cancel_at_provider(begun.pk, cause="other method")

    assert reread(begun).status == "CANCELLED"


def test_refusal_is_not_to_be_reviewed_once_the_provider_took_the_payment(open_card, stripe):
    flag_raise(open_card, FlagKind.STUCK, "The provider refused the payment.")
    stripe.pay(open_card)
    for cause in ("return", "event"):
        payment_sync(open_card.pk, cause=cause)
        flag_raise(open_card, FlagKind.STUCK, "A refund has no response.")

    flags = open_card.flags.order_by("created_at")
    assert [flag.resolution for flag in flags] == ["The provider took the payment later.", ""]
