"""Transition tables of payments and refunds against the product specification."""

from itertools import product

import pytest

from artisans.core.errors import IllegalTransition
from artisans.core.state import check_transition
from payments.bookkeeping.payments import payment_move
from payments.models import Payment, PaymentTransition
from payments.statuses import OPEN, PAYMENT_TRANSITIONS, REFUND_TRANSITIONS, PaymentStatus, RefundStatus
from payments.tests.factories import reread, start

PAYMENT = """
PENDING -> PROCESSING COMPLETED FAILED CANCELLED
PROCESSING -> PENDING COMPLETED FAILED CANCELLED
FAILED -> PENDING PROCESSING COMPLETED CANCELLED
CANCELLED -> COMPLETED
COMPLETED -> PARTIALLY_REFUNDED REFUNDED PENDING CANCELLED
PARTIALLY_REFUNDED -> COMPLETED REFUNDED PENDING CANCELLED
REFUNDED -> COMPLETED PARTIALLY_REFUNDED
"""
REFUND = """
REQUESTED -> PROCESSING COMPLETED FAILED
PROCESSING -> COMPLETED FAILED
COMPLETED -> FAILED
FAILED -> PROCESSING COMPLETED
"""


def pairs(result: str) -> set[tuple[str, str]]:
    rows = [line.partition(" ->") for line in result.strip().splitlines()]
    return {(old, new) for old, _, news in rows for new in news.split()}


@pytest.mark.parametrize(
    ("statuses", "table", "result"),
    [(PaymentStatus, PAYMENT_TRANSITIONS, PAYMENT), (RefundStatus, REFUND_TRANSITIONS, REFUND)],
    ids=["payment", "refund"],
)
def test_table_allows_exactly_the_specified_transitions(statuses, table, result):
    assert set(table) == set(statuses)
    for old, new in product(statuses, statuses):
        if (old, new) in pairs(result):
            check_transition(table, old, new)
        else:
            with pytest.raises(IllegalTransition):
                check_transition(table, old, new)


def test_open_statuses_are_the_payable_ones():
    assert set(OPEN) == {"PENDING", "PROCESSING", "FAILED"}


@pytest.mark.django_db
@pytest.mark.usefixtures("store")
def test_transition_writes_one_row_and_a_refused_one_none(shopper):
    payment = start(user=shopper)

    payment_move(payment, PaymentStatus.FAILED, cause="a cause " + "x" * 400, actor=shopper)
    with pytest.raises(IllegalTransition):
        payment_move(payment, PaymentStatus.REFUNDED, cause="nonsense")

    row = PaymentTransition.objects.filter(payment=payment).last()
    assert (row.old, row.new, row.actor_name) == ("PENDING", "FAILED", shopper.email)
    assert len(row.cause) == 300
    assert reread(payment).status == "FAILED"


@pytest.mark.django_db
@pytest.mark.usefixtures("store")
def test_first_timestamps_are_kept_through_later_transitions(shopper, staff, time_machine):
    payment = start(user=shopper)
    payment_move(payment, PaymentStatus.FAILED, cause="one")
    first = payment.processed_at
    payment_move(payment, PaymentStatus.PENDING, cause="two")

    assert Payment.objects.get(pk=payment.pk).processed_at == first
