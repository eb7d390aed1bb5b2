"""The provider's states, applied in any order and any number of times, lead to the same result."""

import random
from collections import Counter
from typing import Any

import pytest
from django.db import transaction

from artisans.core.money import Money
from artisans.notifications.models import Notification
from payments.gateway.payments import payment_ensure_at_provider
from payments.gateway.sync import payment_apply_remote_state
from payments.methods import PaymentMethod
from payments.models import Capture, Payment, PaymentRefund, PaymentTransition
from payments.providers import contract
from payments.providers.contract import (
    DeclineGroup,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteStatus,
)
from payments.tests.factories import reread, start, usd
from tests import rows
from tests.invariants import check_invariants

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

CAPTURE = contract.Capture("ch_1", usd("99.99"))


@pytest.fixture(scope="module", autouse=True)
def shared_card(module_db, module_stripe) -> Payment:
    rows.store()
    payment = start(PaymentMethod.CREDIT_CARD, user=rows.shopper())
    payment_ensure_at_provider(payment)
    return payment


@pytest.fixture
def card(shared_card, stripe):
    return Payment.objects.get(pk=shared_card.pk)


def seen(payment, status=RemoteStatus.SUCCEEDED, *refunds, **more) -> RemotePayment:
    captures = (CAPTURE,) if status == RemoteStatus.SUCCEEDED else ()
    return RemotePayment(
        **{
            "object_id": payment.provider_payment_id,
            "status": status,
            "amount": payment.amount,
            "reference": str(payment.pk),
            "is_live": False,
            "captures": captures,
            "refunds": refunds,
        }
        | more
    )


def back(amount: str, status=RemoteRefundStatus.SUCCEEDED, number=1) -> RemoteRefund:
    return RemoteRefund(f"re_{number}", usd(amount), status)


def failed(payment) -> RemotePayment:
    return seen(payment, RemoteStatus.FAILED, decline=DeclineGroup.FUNDS, decline_code="insufficient_funds")


def apply(payment, *snapshots) -> None:
    for snapshot in snapshots:
        payment_apply_remote_state(payment_id=payment.pk, remote=snapshot, cause="result")


def end_of(payment) -> tuple[Any, ...]:
    """All values that pages and money depend on."""
    reread(payment)
    refunds = PaymentRefund.objects.values_list("provider_refund_id", "status", "amount_minor", "decision")
    mails = Counter(Notification.objects.values_list("kind", "recipient"))
    return (
        (payment.status, payment.received_minor, payment.refunded_minor, payment.refund_reserved_minor),
        (payment.failure_reason, payment.next_check_at is None),
        (payment.order.status, payment.order.payment_status, payment.order.expires_at),
        sorted(Capture.objects.values_list("provider_capture_id", "amount_minor")),
        sorted(refunds),
        sorted(mails.items()),
        sorted(payment.flags.values_list("kind", flat=True)),
    )


class Undone(Exception):
    """Ends an attempt and rolls it back."""


def ends(payment, orders) -> list[tuple[Any, ...]]:
    found = []
    for order in orders:
        try:
            with transaction.atomic():
                apply(payment, *order)
                check_invariants()
                found.append(end_of(payment))
                raise Undone
        except Undone:
            reread(payment)
    return found


def ends_of_all_orders(payment, snapshots) -> list[tuple[Any, ...]]:
    """Like `ends` of all permutations, but applies what several begin with only once."""
    if not snapshots:
        check_invariants()
        return [end_of(payment)]
    found = []
    for n, snapshot in enumerate(snapshots):
        try:
            with transaction.atomic():
                apply(payment, snapshot)
                found += ends_of_all_orders(payment, snapshots[:n] + snapshots[n + 1 :])
                raise Undone
        except Undone:
            continue
    return found


def test_states_in_any_order_lead_to_the_same_result(card):
    """Declined, processing, paid, partly refunding, partly refunded; a slow reader may apply any of them last."""
    snapshots = [
        failed(card),
        seen(card, RemoteStatus.PROCESSING),
        seen(card),
        seen(card, RemoteStatus.SUCCEEDED, back("10.00", RemoteRefundStatus.PENDING)),
        seen(card, RemoteStatus.SUCCEEDED, back("10.00")),
    ]

    found = ends_of_all_orders(card, snapshots)

    assert len(found) == 120
    assert found.count(found[0]) == 120
    assert found[0][0] == ("PARTIALLY_REFUNDED", 9999, 1000, 0)
    assert found[0][2][:2] == ("CONFIRMED", "PARTIALLY_REFUNDED")


def test_two_refunds_in_any_order_lead_to_the_same_result(card):
    one, two = back("10.00"), back("20.00", number=2)
    snapshots = [
        seen(card),
        seen(card, RemoteStatus.SUCCEEDED, one),
        seen(card, RemoteStatus.SUCCEEDED, two, one),
        seen(card, RemoteStatus.SUCCEEDED, one, two),
    ]

    found = ends_of_all_orders(card, snapshots)

    assert found.count(found[0]) == 24
    assert found[0][0] == ("PARTIALLY_REFUNDED", 9999, 3000, 0)


def test_full_refund_in_any_order_leads_to_the_same_totals(card):
    """Whether artisans were asked to ship depends on the order of events; the money does not."""
    snapshots = [failed(card), seen(card), seen(card, RemoteStatus.SUCCEEDED, back("99.99"))]

    found = ends_of_all_orders(card, snapshots)

    assert {end[0] for end in found} == {("REFUNDED", 9999, 9999, 0)}
    assert {end[2][:2] for end in found} == {("CONFIRMED", "REFUNDED"), ("PENDING", "REFUNDED")}


@pytest.mark.parametrize("seed", range(5))
def test_repetitions_change_nothing(card, seed):
    dice = random.Random(seed)  # noqa: S311  # an order, not a secret
    facts = [failed(card), seen(card), seen(card, RemoteStatus.SUCCEEDED, back("10.00"))]
    plain, many = facts, facts * 4
    dice.shuffle(many)

    first, second = ends(card, [plain, many])

    assert first == second


def test_ten_equal_states_are_one_capture(card):
    apply(card, *[seen(card)] * 10)

    assert end_of(card)[0] == ("COMPLETED", 9999, 0, 0)
    assert Capture.objects.count() == 1
    assert Notification.objects.filter(kind="payment_received").count() == 1
    assert PaymentTransition.objects.filter(payment=card, new="COMPLETED").count() == 1


def test_partial_refund_seen_before_the_capture_keeps_the_order(card):
    apply(card, seen(card, RemoteStatus.SUCCEEDED, back("10.00")))

    assert end_of(card)[2][:2] == ("CONFIRMED", "PARTIALLY_REFUNDED")


@pytest.mark.parametrize(
    "lie",
    [
        {"amount": usd("99.98")},
        {"amount": usd("100.00")},
        {"amount": Money(9999, "EUR")},
        {"captures": (contract.Capture("ch_1", usd("100.00")),)},
        {"captures": (CAPTURE, contract.Capture("ch_2", usd("0.01")))},
        {"captures": (contract.Capture("ch_1", Money(9999, "EUR")),)},
        {"object_id": "pi_of_somebody_else"},
        {"reference": "another payment"},
        {"is_live": True},
    ],
    ids=" ".join,
)
def test_mismatched_object_books_nothing_and_is_flagged_once(card, lie):
    apply(card, *[seen(card, **lie)] * 3)

    assert end_of(card)[0] == ("PENDING", 0, 0, 0)
    assert Capture.objects.count() == 0
    assert list(card.flags.values_list("kind", flat=True)) == ["mismatch"]
    assert Payment.objects.get().next_check_at is not None, "it is read again"


def test_expired_session_reopens_the_payment(card):
    """The buyer returned during an outage, so the page asked them to wait."""
    apply(card, seen(card, RemoteStatus.PROCESSING), seen(card, RemoteStatus.EXPIRED))

    assert (reread(card).status, card.provider_payment_id) == ("PENDING", None)
