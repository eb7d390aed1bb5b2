"""Reconciliation of the providers' records with ours, against the sandbox over a real socket."""

import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from artisans.core.errors import InvalidInput
from payments.bookkeeping.review_flags import flag_resolve
from payments.gateway.connection import execute
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.management.commands.reconcile import Command as ReconcileCommand
from payments.methods import PaymentMethod
from payments.models import (
    CallState,
    FlagKind,
    FraudWarning,
    Payment,
    PaymentFlag,
    PaymentRefund,
    ProviderCall,
    ReconciliationRun,
)
from payments.providers.contract import (
    Capture,
    ChangedPayments,
    CreateRequest,
    ListedAttempt,
    RemoteAttempt,
    RemotePayment,
    RemoteStatus,
)
from payments.reconciliation import runs
from payments.reconciliation.runs import Kind, reconcile
from payments.selectors import flags_open, reconciliation_runs_to_review
from payments.tasks import reconcile_task
from payments.tests.factories import apply_card_captures, paid_by_card, refund, reread, start, usd
from tests.append_only import rewriting
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def paid(stripe, shopper) -> Payment:
    return paid_by_card(stripe, user=shopper)


@pytest.fixture
def unnotified_payment(stripe, shopper) -> Payment:
    """A payment that is paid at the provider, without a webhook or a read."""
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.pay(payment)
    return reread(payment)


@pytest.fixture
def foreign_payment(stripe) -> str:
    """A captured payment at the provider that is not ours."""
    create_request = CreateRequest(
        key="foreign",
        payment_id="0f9a4c58-8e0c-4a52-9d86-1f2f6a9f7c11",
        order_number="LOST23456",
        amount=usd("12.00"),
        return_url="http://shop.test/back",
        cancel_url="http://shop.test/cancel",
    )
    made = execute("stripe", lambda provider: provider.create(create_request))
    stripe.post("stripe/pay", payment_intent=made.object_id, payment_method="pm_card_visa")
    return made.object_id


def run_reconciliation(name: str = "stripe") -> ReconciliationRun:
    """Reconcile up to a second from now: objects of the current second would be left to the next run."""
    return reconcile(name, until=timezone.now() + timedelta(hours=1))


def kinds(run: ReconciliationRun) -> list[str]:
    return [row["kind"] for row in run.differences]


def books() -> list[tuple[str, ...]]:
    return sorted(
        Payment.objects.values_list("pk", "status", "received_minor", "refunded_minor", "order__status")
    )


# ---- no difference ------------------------------------------------------------------------------------------------


def test_matching_records_have_no_difference(paid, staff):
    refund(paid, "20.00", actor=staff)

    run = run_reconciliation()

    assert (run.seen, run.synced_count, run.differences, run.error) == (1, 0, [], "")
    assert run.finished_at is not None


def test_open_and_abandoned_payments_are_no_difference(stripe, shopper):
    payment_ensure_at_provider(start(PaymentMethod.CREDIT_CARD, user=shopper))

    run = run_reconciliation()

    assert (run.seen, run.synced_count, run.differences) == (1, 0, [])


def test_paypal_is_compared_with_its_reports(paypal, shopper):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="test")

    run = run_reconciliation("paypal")

    assert (run.seen, run.synced_count, run.differences) == (1, 0, [])


# ---- corrected ----------------------------------------------------------------------------------------------------


def test_payment_without_a_webhook_is_booked(unnotified_payment, stripe, mails, shopper):
    run = run_reconciliation()

    reread(unnotified_payment)
    assert (run.synced_count, run.differences) == (1, [])
    assert (unnotified_payment.status, unnotified_payment.order.payment_status) == ("COMPLETED", "PAID")
    assert stripe.captured() == [unnotified_payment.amount_minor]
    assert [mail.subject.split(": ")[1] for mail in mails(shopper.email)] == ["payment received"]
    assert unnotified_payment.transitions.last().cause == "found by reconciliation"
    assert run_reconciliation().synced_count == 0


def test_fraud_warning_without_a_webhook_is_recorded_once(paid, foreign_payment, stripe, staff):
    charges = [row["id"] for row in stripe.journal("charge.captured")]
    assert len(charges) == 2
    for charge in charges:
        stripe.post("stripe/warn", charge=charge, fraud_type="made_with_lost_card")

    assert run_reconciliation().error == ""

    warning = FraudWarning.objects.get()
    assert (warning.payment, warning.reason) == (paid, "Lost card")
    flag = flags_open().get()
    assert flag.kind == "fraud_warning"
    flag_resolve(flag_id=flag.pk, resolution="It was the buyer.", actor=staff)
    assert run_reconciliation().error == ""
    assert FraudWarning.objects.count() == 1
    assert not flags_open().exists(), "not raised again"


def test_refund_made_at_stripe_is_booked_and_awaits_a_decision(paid, stripe):
    stripe.post("stripe/refund", payment_intent=paid.provider_payment_id, amount=5000)

    run = run_reconciliation()

    assert (run.synced_count, run.differences) == (1, [])
    assert reread(paid).refunded_minor == 5000
    assert PaymentRefund.objects.get().decision == "pending"


def test_refund_made_at_paypal_is_booked(paypal, shopper):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="test")
    [capture] = reread(payment).captures.all()
    paypal.post("paypal/refund", capture=capture.provider_capture_id, amount="50.00")

    run = run_reconciliation("paypal")

    assert (run.synced_count, run.differences) == (1, [])
    assert reread(payment).refunded_minor == 5000


# ---- left to staff ------------------------------------------------------------------------------------------------


def test_foreign_payment_is_reported_and_changes_nothing(paid, foreign_payment, caplog):
    before = books()

    run = run_reconciliation()

    [row] = run.differences
    assert (row["kind"], row["object_id"], row["payment"]) == (Kind.MISSING_HERE, foreign_payment, "")
    assert "12.00" in row["detail"]
    assert "0f9a4c58-8e0c-4a52-9d86-1f2f6a9f7c11" in row["detail"]
    assert books() == before
    assert [record.message for record in caplog.records].count("reconciliation_difference") == 1


def test_payment_missing_at_the_provider_is_flagged_once(stripe, shopper):
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, user=shopper))
    with rewriting():
        payment.captures.update(created_at=timezone.now() - timedelta(hours=6))
    before = books()

    looks = [run_reconciliation() for _ in range(2)]

    for run in looks:
        assert kinds(run) == [Kind.NOT_THERE, Kind.NOT_THERE]
        assert {row["payment"] for row in run.differences} == {str(payment.pk)}
    [raised] = PaymentFlag.objects.all()
    assert (raised.payment, raised.kind, raised.resolved_at) == (payment, FlagKind.MISMATCH, None)
    assert "not at the provider" in raised.detail
    assert books() == before


def test_foreign_object_that_names_our_payment_is_flagged_and_not_booked(paid, stripe):
    create_request = CreateRequest(
        key="twin",
        payment_id=str(paid.pk),
        order_number=paid.order.order_number,
        amount=paid.amount,
        return_url="http://shop.test/back",
        cancel_url="http://shop.test/cancel",
    )
    twin = execute("stripe", lambda provider: provider.create(create_request))
    stripe.post("stripe/pay", payment_intent=twin.object_id, payment_method="pm_card_visa")
    before = books()

    run = run_reconciliation()

    assert kinds(run) == [Kind.NOT_BOOKED]
    assert PaymentFlag.objects.get().payment == paid
    assert books() == before


def test_object_with_another_amount_is_flagged_and_not_booked(unnotified_payment, monkeypatch):
    listing = runs.read_current

    def other(name, object_id):
        return replace(listing(name, object_id), amount=usd("1.00"))

    monkeypatch.setattr(runs, "read_current", other)

    assert Kind.MISMATCH in kinds(run_reconciliation())
    assert "is for 1.00 USD" in PaymentFlag.objects.get().detail


def test_changes_during_the_run_are_no_difference(paid, unnotified_payment, stripe, monkeypatch):
    reading = runs.read_current

    def refunded_after_it(name, object_id):
        remote = reading(name, object_id)
        stripe.post("stripe/refund", payment_intent=object_id, amount=5000)
        payment_sync(unnotified_payment.pk, cause="a webhook")
        return remote

    monkeypatch.setattr(runs, "read_current", refunded_after_it)

    run = run_reconciliation()

    assert (run.synced_count, run.differences) == (1, [])
    assert reread(unnotified_payment).refunded_minor == 5000
    assert not PaymentFlag.objects.exists()


def test_unreadable_payment_is_reported_and_not_flagged(unnotified_payment, stripe):
    stripe.fault(
        "error_before",
        method="GET",
        path=f"/v1/payment_intents/{unnotified_payment.provider_payment_id}",
        count=None,
    )

    run = run_reconciliation()

    assert not run.error, "the list itself was read"
    assert kinds(run) == [Kind.UNREADABLE]
    assert not PaymentFlag.objects.exists()
    assert reread(unnotified_payment).received_minor == 0


def test_failing_payment_does_not_stop_the_others(unnotified_payment, stripe, shopper, monkeypatch):
    poison, syncing = paid_by_card(stripe, user=shopper), runs.payment_sync
    stripe.post("stripe/refund", payment_intent=poison.provider_payment_id, amount=5000)

    def sync(payment_id, **details):
        if payment_id == poison.pk:
            raise RuntimeError("odd")
        return syncing(payment_id, **details)

    monkeypatch.setattr(runs, "payment_sync", sync)

    run = run_reconciliation()

    assert (run.synced_count, kinds(run)) == (1, [Kind.UNREADABLE])
    assert run.differences[0]["payment"] == str(poison.pk)
    assert run.finished_at is not None
    assert reread(unnotified_payment).status == "COMPLETED"


def test_call_without_an_answer_for_an_hour_is_reported(paid, shopper, stripe):
    call = paid.calls.get()
    ProviderCall.objects.filter(pk=call.pk).update(
        state=CallState.OPEN, created_at=timezone.now() - timedelta(minutes=61)
    )

    run = run_reconciliation()

    assert kinds(run) == [Kind.STUCK]
    assert run.differences[0]["payment"] == str(paid.pk)


# ---- periods ------------------------------------------------------------------------------------------------------


def test_failed_run_is_recorded_and_the_next_run_covers_its_period(paid, stripe):
    first = reconcile("stripe")
    stripe.fault("unavailable", count=None)
    silent = reconcile("stripe")

    assert (silent.error != "", silent.differences, silent.seen) == (True, [], 0)
    assert silent.finished_at is not None
    assert silent.since == first.until - timedelta(days=1)
    assert list(reconciliation_runs_to_review()) == [silent]


def test_runs_overlap_by_a_day_and_leave_no_gap(paid, time_machine):
    first = reconcile("stripe")
    assert first.until - first.since == timedelta(days=3)
    time_machine.move_to(timezone.now() + timedelta(days=9), tick=False)

    second = reconcile("stripe")

    assert (second.since, second.until) == (first.until - timedelta(days=1), timezone.now())


@pytest.mark.parametrize("days", [-1, 0, 32])
def test_empty_or_too_long_period_is_refused(stripe, days):
    now = timezone.now()

    with pytest.raises(InvalidInput):
        reconcile("stripe", since=now - timedelta(days=days), until=now)

    assert not ReconciliationRun.objects.exists()


@pytest.mark.parametrize("name", ["paypal", "manual", "x"])
def test_provider_without_a_list_is_refused_naming_those_with_one(stripe, name):
    with pytest.raises(InvalidInput, match="stripe"):
        reconcile(name)


def test_nightly_task_compares_all_providers_with_keys(paypal, unnotified_payment, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=4))

    reconcile_task()

    assert sorted(ReconciliationRun.objects.values_list("provider", flat=True)) == ["paypal", "stripe"]
    assert reread(unnotified_payment).status == "COMPLETED"


def test_nightly_task_continues_with_the_next_provider(stripe, paypal, monkeypatch):
    asked = []

    def broken(name):
        asked.append(name)
        raise RuntimeError("odd")

    monkeypatch.setattr("payments.tasks.reconcile", broken)

    reconcile_task()

    assert sorted(asked) == ["paypal", "stripe"]


def test_task_is_scheduled_every_night(settings):
    tasks = [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]

    assert tasks.count(reconcile_task.name) == 1


# ---- many payments, and crashes -------------------------------------------------------------------------------------


class Listing:
    """A provider that lists payments of another shop; the requested days are kept."""

    def __init__(self, of_a_day: int) -> None:
        self.of_a_day, self.days, self.crashes_at = of_a_day, [], 0

    def list_payments(self, since, until):
        self.days.append(since)
        if len(self.days) == self.crashes_at:
            raise SystemExit("killed")
        for number in range(self.of_a_day):
            yield RemotePayment(
                f"pi_{since:%d}_{number}",
                RemoteStatus.SUCCEEDED,
                usd("12.00"),
                "" if number else "0f9a4c58-8e0c-4a52-9d86-1f2f6a9f7c11",
                is_live=False,
                captures=(Capture(f"ch_{since:%d}_{number}", usd("12.00")),),
            )

    def list_moved(self, since, until):
        for first in range(0, self.of_a_day, 100):
            numbers = range(first, min(first + 100, self.of_a_day))
            yield ChangedPayments(tuple((f"pi_{since:%d}_{number}",) for number in numbers))

    def list_attempts(self, since, until):
        for number in range(self.of_a_day):
            attempt = RemoteAttempt(f"ch_{since:%d}_{number}", usd("12.00"), is_success=False)
            yield ListedAttempt(f"pi_{since:%d}_{number}", "", attempt)

    def list_movements(self, since, until):
        return ()

    def balance(self):
        return []


@pytest.fixture
def listing(stripe, monkeypatch):
    made = Listing(of_a_day=1)
    monkeypatch.setattr(runs, "execute", lambda _name, operation: operation(made))
    return made


def test_memory_and_statements_do_not_grow_with_the_payments_of_a_day(listing, django_assert_max_num_queries):
    peaks = []
    for listing.of_a_day in (300, 300, 3300):
        tracemalloc.start()
        with django_assert_max_num_queries(60 + listing.of_a_day // 100 * 12):
            run = reconcile("stripe", since=timezone.now() - timedelta(hours=20))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

        assert (run.seen, len(run.differences), run.error) == (listing.of_a_day, 1, "")
    assert (peaks[2] - peaks[1]) / 3000 < 500, "bytes for each payment more"


def test_crashed_run_is_continued_and_keeps_what_it_found(listing, time_machine):
    listing.crashes_at = 3
    with pytest.raises(SystemExit):
        reconcile("stripe")
    [crashed] = ReconciliationRun.objects.all()
    days = [crashed.since + timedelta(days=n) for n in range(5)]
    assert (listing.days, crashed.compared_until, len(crashed.differences)) == (days[:3], days[2], 2)

    time_machine.move_to(timezone.now() + timedelta(hours=23), tick=False)
    run = reconcile("stripe")

    assert (run.pk, run.since, run.until) == (crashed.pk, crashed.since, timezone.now())
    assert listing.days[3:] == days[2:4]
    assert [row["object_id"] for row in run.differences] == [f"pi_{day:%d}_0" for day in days[:4]]
    assert (run.seen, run.compared_until, bool(run.finished_at)) == (4, run.until, True)
    assert reconcile("stripe").pk != run.pk


# ---- command ------------------------------------------------------------------------------------------------------


TOMORROW = (timezone.localdate() + timedelta(days=2)).isoformat()


def run(*detail: str) -> tuple[int, str, str]:
    result, noise = StringIO(), StringIO()
    try:
        call_command("reconcile", *detail, "--until", TOMORROW, stdout=result, stderr=noise)
    except SystemExit as end:
        return int(str(end.code)), result.getvalue(), noise.getvalue()
    return 0, result.getvalue(), noise.getvalue()


def test_command_shows_progress_and_differences(paid):
    code, result, noise = run()

    assert code == 0
    assert "1 checked, 0 updated, 0 differences." in result
    assert "stripe: 1 records, until" in noise


def test_command_exits_with_one_when_differences_remain(paid, foreign_payment):
    code, result, _ = run("--provider", "stripe")

    assert code == 1
    assert "missing here: capture ch_" in result
    assert foreign_payment in result


def test_command_can_output_json(paid, foreign_payment):
    code, result, noise = run("--json", "--since", timezone.localdate().isoformat())

    [row] = json.loads(result)
    assert (code, noise) == (1, "")
    assert (row["provider"], row["seen"], [one["object_id"] for one in row["differences"]]) == (
        "stripe",
        2,
        [foreign_payment],
    )


@pytest.mark.parametrize(
    ("detail", "result"),
    [
        (("--provider", "x"), "Available: stripe"),
        (("--since", "soon"), "not a date or time"),
        (("--since", "2026-13-01"), "not a date or time"),
        (("--since", "2020-01-01"), "31 days"),
    ],
)
def test_command_explains_invalid_arguments(stripe, detail, result):
    with pytest.raises(CommandError, match=result):
        call_command("reconcile", *detail)


def test_invalid_command_line_shows_no_traceback(stripe, capsys):
    with pytest.raises(SystemExit) as end:
        ReconcileCommand().run_from_argv(["manage.py", "reconcile", "--since", "soon"])

    assert end.value.code == 2
    assert "'soon' is not a date or time" in capsys.readouterr().err
    assert not ReconciliationRun.objects.exists()


def test_command_without_any_keys_is_explained():
    with pytest.raises(CommandError, match="No provider is configured"):
        call_command("reconcile")


# ---- staff pages --------------------------------------------------------------------------------------------------


def test_staff_see_the_difference_and_its_payment(foreign_payment, shopper, browser, staff):
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, user=shopper))
    with rewriting():
        payment.captures.update(created_at=timezone.now() - timedelta(hours=6))
    run = run_reconciliation()
    staff_client = browser(staff)

    listed = page(staff_client.get(reverse("admin:payments_reconciliationrun_changelist"))).text
    shown = staff_client.get(reverse("admin:payments_reconciliationrun_change", args=[run.pk]))

    assert "3 differences" in listed
    assert "Reconciliation 1" in listed
    assert "Reconciliation with Stripe" in page(shown).text
    assert all(kind in page(shown).text for kind in (Kind.MISSING_HERE, foreign_payment, Kind.NOT_THERE))
    assert reverse("admin:payments_payment_change", args=[payment.pk]) in shown.content.decode()


def test_only_the_last_run_of_a_provider_needs_attention(foreign_payment, time_machine):
    for shown in (1, 1, 0):  # the second run overlaps the first
        run = run_reconciliation()
        assert len(run.differences) == shown
        assert list(reconciliation_runs_to_review()) == [run] * shown
        time_machine.move_to(timezone.now() + timedelta(days=4))


def test_crashed_run_is_shown_as_not_finished(browser, staff):
    now = timezone.now()
    ReconciliationRun.objects.create(provider="stripe", since=now - timedelta(days=1), until=now)

    assert "Running" in page(browser(staff).get(reverse("admin:payments_reconciliationrun_changelist"))).text
