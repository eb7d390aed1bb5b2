"""The bank feed: exact amounts are booked once; everything else waits for staff and is never lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.earnings.models import Debt, SettlementMeans
from artisans.earnings.settlements import SettlementRequest, settlement_record
from orders.statuses import CashHolder
from payments.lifecycle.cancel_and_expire import order_expire
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.lifecycle.receipts import payment_reject
from payments.methods import PaymentMethod
from payments.models import Receipt, ReversalReason, WebhookEvent
from payments.tests.factories import give_back, record, reread, start, usd
from payments.tests.webhook_helpers import FEED_SECRET, feed_body, post_feed
from payments.webhooks.inbox import webhook_process, webhook_replay, webhooks_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture(autouse=True)
def feed(settings):
    settings.MANUAL_WEBHOOK_SECRET = [FEED_SECRET]


def arrive(*bodies: bytes) -> WebhookEvent:
    """Deliver and process the messages; returns the newest."""
    for body in bodies:
        assert post_feed(body).status_code == 200
        for pk in webhooks_due():
            webhook_process(pk)
    return WebhookEvent.objects.latest("created_at")


def statuses_of(payment) -> tuple[str, str, str]:
    reread(payment)
    return payment.status, payment.order.status, payment.order.payment_status


SETTLED = ("COMPLETED", "CONFIRMED", "PAID")


def test_exact_amount_completes_a_payment_whose_first_part_was_paid_back(shopper, staff):
    payment = start(user=shopper)
    record(payment, "50.00", actor=staff)
    give_back(payment, "50.00", actor=staff)
    assert payment.outstanding == payment.order.due_now == payment.amount

    event = arrive(feed_body(payment))

    assert (event.state, statuses_of(payment)) == ("done", SETTLED)
    assert not payment.outstanding


@pytest.mark.parametrize("method", [PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK])
def test_exact_amount_completes_the_payment_without_staff(shopper, mails, method):
    payment = start(method, user=shopper)

    event = arrive(feed_body(payment))

    assert statuses_of(payment) == SETTLED
    receipt = Receipt.objects.get()
    assert (receipt.amount_minor, receipt.bank_reference) == (9999, "BANK-1")
    assert (receipt.actor, receipt.actor_name) == (None, "bank feed")
    assert (event.state, event.payment, event.tries) == ("done", payment, 1)
    entry = AuditEntry.objects.get(action="receipt.record")
    assert (entry.actor, entry.actor_name) == (None, "bank feed")
    assert [m.subject.partition(": ")[2] for m in mails(shopper.email)][-1] == "payment received"
    assert payment.transitions.latest("id").actor_name == "bank feed"


@pytest.mark.parametrize("write", [str.lower, lambda number: f" {number[:4]}-{number[4:]} "])
def test_reference_is_recognised_in_common_formats(shopper, write):
    payment = start(user=shopper)

    arrive(feed_body(payment, reference=write(payment.order.order_number)))

    assert statuses_of(payment) == SETTLED


def test_json_number_is_read_exactly(shopper):
    payment = start(user=shopper)

    arrive(feed_body(payment, amount=99.99))

    assert statuses_of(payment) == SETTLED


def test_rest_of_a_partial_payment_completes_it(shopper, staff):
    payment = start(user=shopper)
    record(payment, "90.00", actor=staff)

    assert arrive(feed_body(payment, amount="99.99")).state == "staff"
    assert arrive(feed_body(payment, bank_reference="BANK-2")).state == "done"

    assert statuses_of(payment) == SETTLED


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"amount": "99.98"}, "the amount due is 99.99 USD"),
        ({"amount": "100.00"}, "the amount due is 99.99 USD"),
        ({"currency": "EUR"}, "the amount due is 99.99 USD"),
        ({"reference": "NOBODY"}, "No order"),
        ({"value_date": (timezone.localdate() + timedelta(days=3)).isoformat()}, "future"),
        ({"bank_reference": "4242 4242 4242 4242"}, "not stored"),
    ],
)
def test_inexact_transfers_wait_for_staff(shopper, changes, word):
    payment = start(user=shopper)

    event = arrive(feed_body(payment, **changes))

    assert event.state == "staff"
    assert word in event.note
    assert statuses_of(payment) == ("PENDING", "PENDING", "UNPAID")
    assert not Receipt.objects.exists()
    assert webhooks_due() == []


def test_money_for_an_expired_order_waits_for_staff(shopper, time_machine):
    payment = start(user=shopper)
    body = feed_body(payment)
    time_machine.move_to(timezone.now() + timedelta(days=11))
    order_expire(order_id=payment.order_id)

    event = arrive(body)

    assert (event.state, event.payment) == ("staff", payment)
    assert statuses_of(payment)[1] == "EXPIRED"


def test_money_after_a_rejection_is_booked(shopper, staff):
    payment = start(user=shopper)
    payment_reject(payment_id=payment.pk, reason="too late", actor=staff)

    assert arrive(feed_body(reread(payment))).state == "done"

    assert statuses_of(payment) == SETTLED


def test_repeated_message_is_booked_once(shopper):
    payment = start(user=shopper)
    again = [feed_body(payment, provider_event_id=f"bank-{n}") for n in range(5)]

    last = arrive(*again, again[0])

    assert statuses_of(payment) == SETTLED
    assert Receipt.objects.count() == 1
    assert (last.state, last.note) == ("ignored", "Already recorded by bank feed.")


def test_transfer_already_recorded_by_staff_is_recognised(shopper, staff):
    payment = start(user=shopper)
    body = feed_body(payment)
    record(payment, "99.99", actor=staff, reference="BANK-1")

    assert arrive(body).note == "Already recorded by staff@example.test."
    assert statuses_of(payment) == SETTLED


def test_bank_reference_used_before_is_not_booked_again(shopper):
    first, second = start(user=shopper), start(user=shopper)
    arrive(feed_body(first))

    event = arrive(feed_body(second))

    assert event.state == "staff"
    assert statuses_of(second) == ("PENDING", "PENDING", "UNPAID")


@pytest.mark.parametrize("other", ["deposit", "settlement"])
def test_bank_reference_of_other_money_waits_for_staff(shopper, staff, admin_user, bowl, other):
    if other == "deposit":
        cash = start(PaymentMethod.CASH_ON_DELIVERY, user=shopper)
        [parcel] = cash.order.parcels.all()
        receipt = record(cash, parcel.total.amount, actor=staff, parcel_id=parcel.pk, holder=CashHolder.SHOP)
        money = IncomingMoney(receipt.amount, timezone.localdate(), "BANK-1")
        cash_deposit_record(receipt_ids=[receipt.pk], holder=CashHolder.SHOP, money=money, actor=staff)
    else:
        debt = Debt.objects.create(artisan=bowl.artisan, currency="USD")
        request = SettlementRequest(
            means=SettlementMeans.BANK,
            amount=usd("1.00"),
            value_date=timezone.localdate(),
            reference="BANK-1",
            beyond_owed=True,
        )
        settlement_record(debt_id=debt.pk, request=request, actor=admin_user)
    payment = start(user=shopper)

    event = arrive(feed_body(payment))

    assert (event.state, event.payment, event.tries) == ("staff", payment, 1)
    assert "with the reference BANK-1 was already recorded" in event.note
    assert not payment.receipts.exists()


def test_replay_after_recording_recognises_the_transfer(shopper, staff, admin_user):
    payment = start(user=shopper)
    event = arrive(feed_body(payment, amount="90.00"))
    record(payment, "90.00", actor=staff, reference="BANK-1")

    webhook_replay(event_id=event.pk, reason="recorded", actor=admin_user)
    webhook_process(event.pk)

    event.refresh_from_db()
    assert (event.state, event.note) == ("ignored", "Already recorded by staff@example.test.")
    assert Receipt.objects.count() == 1


def test_other_message_kinds_are_stored_and_shown():
    assert arrive(feed_body(event_type="account.statement")).state == "ignored"


def test_bank_transfer_does_not_settle_a_provider_payment(shopper, stripe):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)

    event = arrive(feed_body(payment))

    assert event.state == "staff"
    assert statuses_of(payment)[2] == "UNPAID"


def test_reversed_receipt_is_not_booked_again_automatically(shopper, staff):
    payment = start(user=shopper)
    arrive(feed_body(payment))
    receipt_reverse(receipt_id=payment.receipts.get().pk, reason=ReversalReason.BOUNCED, actor=staff)

    assert arrive(feed_body(payment, amount="99.99")).state == "staff"

    assert statuses_of(payment) == ("PENDING", "CONFIRMED", "UNPAID")
