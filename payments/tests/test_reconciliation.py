"""The providers' books beside ours, against the sandbox over a real socket; its journal is the witness."""

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from artisans.core.errors import InvalidInput
from payments.gateway.payments import payment_reach, payment_sync
from payments.management.commands.reconcile import Command as ReconcileCommand
from payments.methods import PaymentMethod
from payments.models import CallState, Comparison, FlagKind, Payment, PaymentFlag, PaymentRefund, ProviderCall
from payments.providers.contract import CreateRequest
from payments.providers.registry import ask
from payments.reconciliation import runs
from payments.reconciliation.runs import Kind, compare
from payments.selectors import comparisons_to_look_at
from payments.tasks import reconcile_task
from payments.tests.factories import paid_by_card, refund, reread, start, told_by_card, usd
from tests.html import page
from tests.rewriting import rewriting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def paid(stripe, shopper) -> Payment:
    return paid_by_card(stripe, user=shopper)


@pytest.fixture
def untold(stripe, shopper) -> Payment:
    """Paid at the provider; nobody told us, and nobody asked."""
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_reach(payment)
    stripe.pay(payment)
    return reread(payment)


@pytest.fixture
def stranger_there(stripe) -> str:
    """Money that the provider took for a payment that we never had."""
    wish = CreateRequest(
        key="foreign",
        payment_id="0f9a4c58-8e0c-4a52-9d86-1f2f6a9f7c11",
        order_number="LOST23456",
        amount=usd("12.00"),
        return_url="http://shop.test/back",
        cancel_url="http://shop.test/cancel",
    )
    made = ask("stripe", lambda provider: provider.create(wish))
    stripe.post("stripe/pay", payment_intent=made.object_id, payment_method="pm_card_visa")
    return made.object_id


def look_at(name: str = "stripe") -> Comparison:
    """Up to what was made in this very second, which a look up to now leaves to the next one."""
    return compare(name, until=timezone.now() + timedelta(hours=1))


def kinds(look: Comparison) -> list[str]:
    return [row["kind"] for row in look.differences]


def books() -> list[tuple[str, ...]]:
    return sorted(
        Payment.objects.values_list("pk", "status", "received_minor", "refunded_minor", "order__status")
    )


# ---- the same on both sides -----------------------------------------------------------------------------------


def test_books_that_agree_have_no_difference(paid, staff):
    refund(paid, "20.00", actor=staff)

    look = look_at()

    assert (look.seen, look.caught_up, look.differences, look.error) == (1, 0, [], "")
    assert look.finished_at is not None


def test_what_is_still_open_or_was_given_up_is_no_difference(stripe, shopper):
    payment_reach(start(PaymentMethod.CREDIT_CARD, user=shopper))

    look = look_at()

    assert (look.seen, look.caught_up, look.differences) == (1, 0, [])


def test_paypal_is_compared_by_its_reports(paypal, shopper):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_reach(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="test")

    look = look_at("paypal")

    assert (look.seen, look.caught_up, look.differences) == (1, 0, [])


# ---- caught up ------------------------------------------------------------------------------------------------------


def test_payment_that_nobody_told_of_is_booked(untold, stripe, mails, shopper):
    look = look_at()

    reread(untold)
    assert (look.caught_up, look.differences) == (1, [])
    assert (untold.status, untold.order.payment_status) == ("COMPLETED", "PAID")
    assert stripe.captured() == [untold.amount_minor]
    assert [mail.subject.split(": ")[1] for mail in mails(shopper.email)] == ["payment received"]
    assert untold.transitions.last().cause == "found by the comparison"
    assert look_at().caught_up == 0


def test_refund_that_was_made_there_is_booked_and_waits_for_its_meaning(paid, stripe):
    stripe.post("stripe/refund", payment_intent=paid.provider_payment_id, amount=5000)

    look = look_at()

    assert (look.caught_up, look.differences) == (1, [])
    assert reread(paid).refunded_minor == 5000
    assert PaymentRefund.objects.get().decision == "pending"


def test_refund_that_was_made_at_paypal_is_booked(paypal, shopper):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_reach(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="test")
    [capture] = reread(payment).captures.all()
    paypal.post("paypal/refund", capture=capture.provider_capture_id, amount="50.00")

    look = look_at("paypal")

    assert (look.caught_up, look.differences) == (1, [])
    assert reread(payment).refunded_minor == 5000


# ---- left to a person ------------------------------------------------------------------------------------------------


def test_money_without_a_payment_of_ours_is_told_and_changes_nothing(paid, stranger_there, caplog):
    before = books()

    look = look_at()

    [row] = look.differences
    assert (row["kind"], row["object_id"], row["payment"]) == (Kind.MISSING_HERE, stranger_there, "")
    assert "12.00" in row["detail"]
    assert "0f9a4c58-8e0c-4a52-9d86-1f2f6a9f7c11" in row["detail"]
    assert books() == before
    assert [record.message for record in caplog.records].count("reconciliation_difference") == 1


def test_money_that_only_our_books_know_is_flagged_once_and_stays(stripe, shopper):
    payment = told_by_card(start(PaymentMethod.CREDIT_CARD, user=shopper))
    with rewriting():
        payment.captures.update(created_at=timezone.now() - timedelta(hours=6))
    before = books()

    looks = [look_at() for _ in range(2)]

    for look in looks:
        assert kinds(look) == [Kind.NOT_THERE, Kind.NOT_THERE]
        assert {row["payment"] for row in look.differences} == {str(payment.pk)}
    [raised] = PaymentFlag.objects.all()
    assert (raised.payment, raised.kind, raised.resolved_at) == (payment, FlagKind.MISMATCH, None)
    assert "not at the provider" in raised.detail
    assert books() == before


def test_object_that_is_not_ours_but_names_our_payment_is_flagged_and_not_booked(paid, stripe):
    wish = CreateRequest(
        key="twin",
        payment_id=str(paid.pk),
        order_number=paid.order.order_number,
        amount=paid.amount,
        return_url="http://shop.test/back",
        cancel_url="http://shop.test/cancel",
    )
    twin = ask("stripe", lambda provider: provider.create(wish))
    stripe.post("stripe/pay", payment_intent=twin.object_id, payment_method="pm_card_visa")
    before = books()

    look = look_at()

    assert kinds(look) == [Kind.NOT_BOOKED]
    assert PaymentFlag.objects.get().payment == paid
    assert books() == before


def test_object_over_another_amount_is_flagged_and_not_booked(untold, monkeypatch):
    listing = runs.read_now

    def other(name, object_id):
        return replace(listing(name, object_id), amount=usd("1.00"))

    monkeypatch.setattr(runs, "read_now", other)

    assert Kind.MISMATCH in kinds(look_at())
    assert "over" in PaymentFlag.objects.get().detail


def test_what_others_book_while_it_looks_is_no_difference(paid, untold, stripe, monkeypatch):
    reading = runs.read_now

    def refunded_after_it(name, object_id):
        remote = reading(name, object_id)
        stripe.post("stripe/refund", payment_intent=object_id, amount=5000)
        payment_sync(untold.pk, cause="a webhook")
        return remote

    monkeypatch.setattr(runs, "read_now", refunded_after_it)

    look = look_at()

    assert (look.caught_up, look.differences) == (1, [])
    assert reread(untold).refunded_minor == 5000
    assert not PaymentFlag.objects.exists()


def test_payment_that_cannot_be_read_now_is_told_and_not_flagged(untold, stripe):
    stripe.fault(
        "error_before", method="GET", path=f"/v1/payment_intents/{untold.provider_payment_id}", count=None
    )

    look = look_at()

    assert not look.error, "the list itself was shown"
    assert kinds(look) == [Kind.UNREADABLE]
    assert not PaymentFlag.objects.exists()
    assert reread(untold).received_minor == 0


def test_payment_that_breaks_the_comparison_does_not_hold_up_the_others(untold, stripe, shopper, monkeypatch):
    poison, syncing = paid_by_card(stripe, user=shopper), runs.payment_sync
    stripe.post("stripe/refund", payment_intent=poison.provider_payment_id, amount=5000)

    def sync(payment_id, **details):
        if payment_id == poison.pk:
            raise RuntimeError("odd")
        return syncing(payment_id, **details)

    monkeypatch.setattr(runs, "payment_sync", sync)

    look = look_at()

    assert (look.caught_up, kinds(look)) == (1, [Kind.UNREADABLE])
    assert look.differences[0]["payment"] == str(poison.pk)
    assert look.finished_at is not None
    assert reread(untold).status == "COMPLETED"


def test_call_that_has_no_answer_for_an_hour_is_told(paid, shopper, stripe):
    call = paid.calls.get()
    ProviderCall.objects.filter(pk=call.pk).update(
        state=CallState.OPEN, created_at=timezone.now() - timedelta(minutes=61)
    )

    look = look_at()

    assert kinds(look) == [Kind.STUCK]
    assert look.differences[0]["payment"] == str(paid.pk)


# ---- when ---------------------------------------------------------------------------------------------------------


def test_provider_without_an_answer_is_written_down_and_the_next_look_takes_its_time_in(paid, stripe):
    first = compare("stripe")
    stripe.fault("unavailable", count=None)
    silent = compare("stripe")

    assert (silent.error != "", silent.differences, silent.seen) == (True, [], 0)
    assert silent.finished_at is not None
    assert silent.since == first.until - timedelta(days=1)
    assert list(comparisons_to_look_at()) == [silent]


def test_looks_overlap_by_a_day_and_never_leave_a_gap(paid, time_machine):
    first = compare("stripe")
    assert first.until - first.since == timedelta(days=3)
    time_machine.move_to(timezone.now() + timedelta(days=9), tick=False)

    second = compare("stripe")

    assert (second.since, second.until) == (first.until - timedelta(days=1), timezone.now())


@pytest.mark.parametrize("days", [-1, 0, 32])
def test_stretch_that_is_empty_or_too_long_is_refused(stripe, days):
    now = timezone.now()

    with pytest.raises(InvalidInput):
        compare("stripe", since=now - timedelta(days=days), until=now)

    assert not Comparison.objects.exists()


@pytest.mark.parametrize("name", ["paypal", "manual", "x"])
def test_provider_that_cannot_list_is_refused_with_those_that_can(stripe, name):
    with pytest.raises(InvalidInput, match="stripe"):
        compare(name)


def test_every_night_all_that_have_keys_are_compared(paypal, untold, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=4))

    reconcile_task()

    assert sorted(Comparison.objects.values_list("provider", flat=True)) == ["paypal", "stripe"]
    assert reread(untold).status == "COMPLETED"


def test_night_goes_on_with_the_next_provider(stripe, paypal, monkeypatch):
    asked = []

    def broken(name):
        asked.append(name)
        raise RuntimeError("odd")

    monkeypatch.setattr("payments.tasks.compare", broken)

    reconcile_task()

    assert sorted(asked) == ["paypal", "stripe"]


def test_beat_rings_for_it_each_night(settings):
    tasks = [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]

    assert tasks.count(reconcile_task.name) == 1


# ---- by hand ---------------------------------------------------------------------------------------------------------


TOMORROW = (timezone.localdate() + timedelta(days=2)).isoformat()


def run(*words: str) -> tuple[int, str, str]:
    told, noise = StringIO(), StringIO()
    try:
        call_command("reconcile", *words, "--until", TOMORROW, stdout=told, stderr=noise)
    except SystemExit as end:
        return int(str(end.code)), told.getvalue(), noise.getvalue()
    return 0, told.getvalue(), noise.getvalue()


def test_command_shows_its_progress_and_what_it_found(paid):
    code, told, noise = run()

    assert code == 0
    assert "1 checked, 0 updated, 0 differences." in told
    assert "1 of 1 payments" in noise


def test_command_ends_with_one_when_something_is_left(paid, stranger_there):
    code, told, _ = run("--provider", "stripe")

    assert code == 1
    assert "missing here: capture ch_" in told
    assert stranger_there in told


def test_command_speaks_json(paid, stranger_there):
    code, told, noise = run("--json", "--since", timezone.localdate().isoformat())

    [row] = json.loads(told)
    assert (code, noise) == (1, "")
    assert (row["provider"], row["seen"], [one["object_id"] for one in row["differences"]]) == (
        "stripe",
        2,
        [stranger_there],
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--provider", "x"), "known: stripe"),
        (("--since", "soon"), "not a date or time"),
        (("--since", "2026-13-01"), "not a date or time"),
        (("--since", "2020-01-01"), "31 days"),
    ],
)
def test_command_names_what_is_wrong_with_its_words(stripe, words, told):
    with pytest.raises(CommandError, match=told):
        call_command("reconcile", *words)


def test_command_line_that_is_wrong_is_told_without_a_traceback(stripe, capsys):
    with pytest.raises(SystemExit) as end:
        ReconcileCommand().run_from_argv(["manage.py", "reconcile", "--since", "soon"])

    assert end.value.code == 2
    assert "'soon' is not a date or time" in capsys.readouterr().err
    assert not Comparison.objects.exists()


def test_command_without_any_keys_says_so():
    with pytest.raises(CommandError, match="No provider is configured"):
        call_command("reconcile")


# ---- in the office ---------------------------------------------------------------------------------------------------


def test_staff_see_what_differs_and_the_payment_it_is_about(stranger_there, shopper, browser, staff):
    payment = told_by_card(start(PaymentMethod.CREDIT_CARD, user=shopper))
    with rewriting():
        payment.captures.update(created_at=timezone.now() - timedelta(hours=6))
    look = look_at()
    desk = browser(staff)

    listed = page(desk.get(reverse("admin:payments_comparison_changelist"))).text
    shown = desk.get(reverse("admin:payments_comparison_change", args=[look.pk]))

    assert "3 differences" in listed
    assert "Reconciliation 1" in listed
    assert all(kind in page(shown).text for kind in (Kind.MISSING_HERE, stranger_there, Kind.NOT_THERE))
    assert reverse("admin:payments_payment_change", args=[payment.pk]) in shown.content.decode()


def test_only_the_last_look_of_a_provider_asks_for_attention(stranger_there, time_machine):
    for shown in (1, 1, 0):  # the second look overlaps the first
        look = look_at()
        assert len(look.differences) == shown
        assert list(comparisons_to_look_at()) == [look] * shown
        time_machine.move_to(timezone.now() + timedelta(days=4))


def test_look_that_died_is_shown_as_not_finished(browser, staff):
    now = timezone.now()
    Comparison.objects.create(provider="stripe", since=now - timedelta(days=1), until=now)

    assert "Running" in page(browser(staff).get(reverse("admin:payments_comparison_changelist"))).text
