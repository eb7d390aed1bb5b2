"""Any value in any field that we read from a provider: certain facts are booked, the rest is flagged, nothing fails.

The values are those of the published schemas, an unpublished word, a missing value, and values of another type.
"""

import copy
import itertools
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from artisans.core.money import Money
from payments.bookkeeping.refunds import refund_finish
from payments.gateway.connection import provider
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.gateway.sync import payment_apply_remote_state
from payments.methods import PaymentMethod
from payments.models import EventState, FlagKind, Payment, WebhookEvent
from payments.providers.contract import (
    Capture,
    RemoteDispute,
    RemoteDisputeStatus,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteStatus,
)
from payments.providers.paypal import events
from payments.providers.stripe import webhooks
from payments.providers.stripe.link import row_of
from payments.providers.stripe.requests import IN_INTENT
from payments.selectors import alerts_open
from payments.tests.factories import paid_by_card, refund, reread, start, usd
from payments.webhooks.inbox import webhook_process, webhook_receive
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

SCHEMAS = Path(__file__).parents[2] / "sandbox" / "schemas"
ODD = ("LEVITATING", None, 7, -(10**30), {"x": ["y"]}, "\x00" * 300)
SETTLED_STATES = {EventState.DONE, EventState.IGNORED}
numbers = itertools.count(1)


def published(kind: Any) -> list[str]:
    """The literals of a schema's field."""
    if not isinstance(kind, str):
        return []
    return [each[1:] for each in kind.split("|") if each.startswith("=")]


def stripe_values(name: str, field: str) -> list[Any]:
    schema = json.loads((SCHEMAS / f"stripe.{name}.json").read_text())
    return [*published((schema["fields"] | schema["optional"]).get(field)), *ODD]


def paypal_values(name: str, field: str) -> list[Any]:
    schemas: dict[str, Any] = {}
    for file in SCHEMAS.glob("paypal.*.json"):
        schemas |= json.loads(file.read_text())["schemas"]
    known = schemas[name]
    kind = known.get(field, known.get(f"{field}?"))
    if isinstance(kind, str) and kind.startswith("@"):
        kind = schemas[kind[1:]]
    return [*published(kind), *ODD]


def may_be(field: str, value: Any) -> bool:
    """Whether the value is valid for the field: any word may be an id, any number a disputed amount."""
    return (field in {"id", "dispute_id"} and value == "LEVITATING") or (field, value) == ("amount", 7)


def is_flagged(payment) -> bool:
    kinds = {FlagKind.UNREADABLE, FlagKind.MISMATCH}
    return payment.flags.filter(kind__in=kinds, resolved_at=None).exists()


def money(payment) -> tuple[object, ...]:
    reread(payment)
    captures = list(payment.captures.values_list("amount_minor", flat=True))
    return payment.received_minor, captures, payment.refunded_minor, payment.disputed_minor


# ---- Stripe -------------------------------------------------------------------------------------------------------


class FakeStripeObject:
    """A fake of the SDK's object and of its list."""

    last_response = None

    def __init__(self, said: Any) -> None:
        self.said = said

    def to_dict(self) -> Any:
        return self.said

    def auto_paging_iter(self):
        return map(FakeStripeObject, self.said)


@pytest.fixture(scope="module", autouse=True)
def shared_card(module_db, module_stripe) -> Payment:
    """A card payment of which 10.00 was refunded in the dashboard, and which is disputed."""
    rows.store()
    payment = paid_by_card(module_stripe, user=rows.shopper())
    module_stripe.post("stripe/refund", payment_intent=payment.provider_payment_id, amount=1000)
    module_stripe.post("stripe/dispute", payment_intent=payment.provider_payment_id)
    return payment


@pytest.fixture
def card(stripe, shared_card):
    """That payment, and Stripe's objects for it."""
    payment = Payment.objects.get(pk=shared_card.pk)
    link = provider("stripe")._link
    intent = link.execute(
        lambda api: row_of(
            api.v1.payment_intents.retrieve(payment.provider_payment_id, {"expand": IN_INTENT})
        )
    )
    disputes = link.execute(lambda api: [row_of(row) for row in api.v1.disputes.list({}).data])
    said = SimpleNamespace(intent=intent, disputes=disputes)
    lists = {
        "/v1/charges": lambda: [said.intent["latest_charge"]],
        "/v1/disputes": lambda: said.disputes,
    }

    def raw_request(_method: str, path: str, **_: Any) -> SimpleNamespace:
        found = {"data": lists[path](), "has_more": False} if path in lists else said.intent
        return SimpleNamespace(data=found)

    link._api = SimpleNamespace(
        raw_request=raw_request,
        v1=SimpleNamespace(
            refunds=SimpleNamespace(
                list=lambda *_: FakeStripeObject(said.intent["latest_charge"]["refunds"]["data"])
            ),
        ),
    )
    payment_sync(payment.pk, cause="test")
    return payment, said


def stripe_part(said, name: str) -> dict[str, Any]:
    return {
        "payment_intent": lambda: said.intent,
        "charge": lambda: said.intent["latest_charge"],
        "refund": lambda: said.intent["latest_charge"]["refunds"]["data"][0],
        "dispute": lambda: said.disputes[0],
    }[name]()


def process_stripe_event(name: str, row: dict[str, Any]) -> WebhookEvent | None:
    number = f"evt_{next(numbers)}"
    event = {"id": number, "object": "event", "type": f"{name}.updated", "data": {"object": row}}
    webhook_receive(
        name="stripe", provider_event=webhooks.parse_event(event | {"livemode": False, "created": 1})
    )
    webhook_process(WebhookEvent.objects.get(event_id=number).pk)
    return WebhookEvent.objects.get(event_id=number)


STRIPE_FIELDS = {
    "payment_intent": (
        "status amount currency amount_received livemode metadata last_payment_error next_action client_secret "
        "customer setup_future_usage"
    ),
    "charge": "id status captured amount_captured currency refunds payment_method payment_method_details",
    "refund": "id status amount currency metadata failure_reason reason",
    "dispute": "id status amount currency reason",
}
MUST_BE_FLAGGED = {"status", "amount", "currency", "amount_captured", "livemode", "dispute_amount"}
NO_MONEY_BACK = {"failed", "canceled"}


@pytest.mark.parametrize("name", STRIPE_FIELDS)
def test_any_stripe_value_in_any_field_does_not_stop_certain_facts(card, name):
    payment, said = card
    clear, before = copy.deepcopy((said.intent, said.disputes)), money(payment)
    assert before == (9999, [9999], 1000, 0)

    for field in STRIPE_FIELDS[name].split():
        for value in stripe_values(name, field):
            if name != "payment_intent" and may_be(field, value):
                continue
            what = f"{name}.{field} = {value!r:.40}"
            said.intent, said.disputes = copy.deepcopy(clear)
            part = stripe_part(said, name)
            is_published = value in published_words(name, field) or value == part.get(field)
            part[field] = value

            event = process_stripe_event(name, copy.deepcopy(part))
            if event.state != EventState.DONE:  # then the provider was not called
                payment_sync(payment.pk, cause=what)

            assert event.state in SETTLED_STATES, f"{what}: {event.note}"
            now = money(payment)
            refunded = (
                0
                if (name, field, value in NO_MONEY_BACK if isinstance(value, str) else 0)
                == ("refund", "status", True)
                else 1000
            )
            assert now[:3] == (9999, [9999], refunded), what
            if field in MUST_BE_FLAGGED and not is_published:
                assert is_flagged(payment), what

            said.intent, said.disputes = copy.deepcopy(clear)
            payment_sync(payment.pk, cause="it is clear again")
            assert money(payment) == before, what
            assert not payment.flags.filter(kind=FlagKind.UNREADABLE, resolved_at=None).exists(), what
            payment.flags.all().delete()


def published_words(name: str, field: str) -> list[Any]:
    return [value for value in stripe_values(name, field) if value not in ODD]


@pytest.mark.parametrize("field", ["id", "object"])
def test_unrecognised_stripe_object_changes_nothing_and_is_flagged(card, field):
    payment, said = card
    before = money(payment)
    for value in ODD:
        said.intent = said.intent | {field: value}
        refund = {"object": "refund", "id": "re_9", "payment_intent": payment.provider_payment_id}
        event = process_stripe_event("refund", refund)

        assert event.state != EventState.DEAD
        assert money(payment) == before
        assert is_flagged(payment), value
        payment.flags.all().delete()


# ---- PayPal -------------------------------------------------------------------------------------------------------


@pytest.fixture
def wallet(paypal, shopper, monkeypatch):
    """A payment of which 10.00 was refunded at PayPal, and which is disputed; and PayPal's objects for it."""
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="test")
    capture = reread(payment).captures.get().provider_capture_id
    paypal.post("paypal/refund", capture=capture, amount="10.00")
    dispute = paypal.post("paypal/dispute", capture=capture)
    client = provider("paypal")._client
    order = client.request("GET", f"/v2/checkout/orders/{payment.provider_payment_id}")
    full = client.request("GET", f"/v1/customer/disputes/{dispute['dispute_id']}")
    said = SimpleNamespace(order=order, dispute=full)

    def request(method: str, path: str, *_: Any, **__: Any) -> Any:
        if path.startswith("/v1/customer/disputes?"):
            return {"items": [said.dispute]}
        return said.dispute if "disputes/" in path else said.order

    monkeypatch.setattr(client, "request", request)
    payment_sync(payment.pk, cause="test")
    return payment, said


def paypal_part(said, name: str) -> dict[str, Any]:
    payments = said.order["purchase_units"][0]["payments"]
    return {
        "order": said.order,
        "unit": said.order["purchase_units"][0],
        "capture": payments["captures"][0],
        "refund": payments["refunds"][0],
        "dispute": said.dispute,
    }[name]


KINDS = {
    "order": "CHECKOUT.ORDER.UPDATED",
    "unit": "CHECKOUT.ORDER.UPDATED",
    "capture": "PAYMENT.CAPTURE.UPDATED",
    "refund": "PAYMENT.REFUND.UPDATED",
    "dispute": "CUSTOMER.DISPUTE.UPDATED",
}
PAYPAL_FIELDS = {
    "order": ("order", "status purchase_units payment_source links"),
    "unit": ("unit", "amount custom_id payee payments"),
    "capture": ("capture", "id status amount"),
    "refund": ("refund", "id status amount custom_id status_details"),
    "dispute": ("dispute", "dispute_id status dispute_amount dispute_outcome reason"),
}


def process_paypal_event(name: str, row: Any) -> WebhookEvent:
    number = f"WH-{next(numbers)}"
    event = {"id": number, "event_type": KINDS[name], "resource_type": name, "resource": row}
    webhook_receive(name="paypal", provider_event=events.event_of(event, is_live=False))
    webhook_process(WebhookEvent.objects.get(event_id=number).pk)
    return WebhookEvent.objects.get(event_id=number)


@pytest.mark.parametrize("name", PAYPAL_FIELDS)
def test_any_paypal_value_in_any_field_does_not_stop_certain_facts(wallet, name):
    payment, said = wallet
    shape, fields = PAYPAL_FIELDS[name]
    clear, before = copy.deepcopy((said.order, said.dispute)), money(payment)
    assert before == (9999, [9999], 1000, 0)

    for field in fields.split():
        values = paypal_values(shape, field)
        for value in values:
            if may_be(field, value):
                continue
            what = f"{name}.{field} = {value!r:.40}"
            said.order, said.dispute = copy.deepcopy(clear)
            part = paypal_part(said, name)
            is_published = value == part.get(field) or (isinstance(value, str) and value not in ODD)
            part[field] = value

            event = process_paypal_event(name, copy.deepcopy(said.order if name == "unit" else part))
            if event.state != EventState.DONE:  # then the provider was not called
                payment_sync(payment.pk, cause=what)

            assert event.state in SETTLED_STATES, f"{what}: {event.note}"
            now = money(payment)
            is_undone = (name, field) == ("refund", "status") and value in ("FAILED", "CANCELLED")
            assert now[:3] == (9999, [9999], 0 if is_undone else 1000), what
            if field in MUST_BE_FLAGGED and not is_published and name != "order":
                assert is_flagged(payment), what

            said.order, said.dispute = copy.deepcopy(clear)
            payment_sync(payment.pk, cause="it is clear again")
            assert money(payment) == before, what
            assert not payment.flags.filter(kind=FlagKind.UNREADABLE, resolved_at=None).exists(), what
            payment.flags.all().delete()


# ---- states and amounts of disputes -------------------------------------------------------------------------------


def dispute(payment, status: RemoteDisputeStatus, amount: Money | None, number: int = 1) -> None:
    remote = RemotePayment(
        object_id=payment.provider_payment_id,
        status=RemoteStatus.SUCCEEDED,
        amount=payment.amount,
        reference=str(payment.pk),
        is_live=False,
        captures=(Capture(payment.captures.get().provider_capture_id, payment.amount),),
        disputes=(RemoteDispute(f"dp_{number}", amount, status),),
    )
    payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause="test")
    reread(payment)


@pytest.fixture
def paid(stripe, shopper):
    return paid_by_card(stripe, user=shopper)


@pytest.mark.parametrize(
    "path",
    list(
        itertools.permutations([RemoteDisputeStatus.OPEN, RemoteDisputeStatus.WON, RemoteDisputeStatus.LOST])
    ),
)
def test_dispute_follows_the_provider_from_any_state_to_any_other(paid, path):
    for status in (*path, RemoteDisputeStatus.UNKNOWN, *path):
        dispute(paid, status, usd("99.99"))

        row = paid.disputes.get()
        assert row.status == (path[-1] if status == RemoteDisputeStatus.UNKNOWN else status).name
        assert paid.disputed_minor == (9999 if row.status == "LOST" else 0)


def test_dispute_lost_in_part_counts_that_part_and_keeps_the_disputed_amount(paid):
    dispute(paid, RemoteDisputeStatus.OPEN, usd("99.99"))
    dispute(paid, RemoteDisputeStatus.LOST, usd("40.00"))

    row = paid.disputes.get()
    assert (paid.disputed_minor, paid.status, row.amount_minor) == (4000, "PARTIALLY_REFUNDED", 4000)
    assert list(row.transitions.values_list("new", "amount_minor")) == [("OPEN", 9999), ("LOST", 4000)]

    dispute(paid, RemoteDisputeStatus.LOST, usd("60.00"))
    assert paid.disputed_minor == 6000
    dispute(paid, RemoteDisputeStatus.WON, usd("60.00"))
    assert (paid.disputed_minor, paid.status) == (0, "COMPLETED")


def test_dispute_in_another_currency_is_flagged_with_its_amount_and_not_counted(paid):
    dispute(paid, RemoteDisputeStatus.OPEN, Money(4000, "EUR"))
    dispute(paid, RemoteDisputeStatus.LOST, Money(4000, "EUR"))

    assert (paid.disputed_minor, paid.status) == (0, "COMPLETED")
    assert "40.00 EUR" in paid.flags.get(kind=FlagKind.MISMATCH).detail


def test_dispute_without_a_readable_amount_keeps_its_amount(paid):
    dispute(paid, RemoteDisputeStatus.LOST, None)
    assert not paid.disputes.exists()

    dispute(paid, RemoteDisputeStatus.OPEN, usd("20.00"))
    dispute(paid, RemoteDisputeStatus.LOST, None)
    assert paid.disputed_minor == 2000


def test_failed_refund_counts_again_when_the_provider_made_it_later(paid, staff, stripe):
    made = refund(paid, "20.00", actor=staff)
    remote = RemoteRefund(made.provider_refund_id, usd("20.00"), RemoteRefundStatus.FAILED, str(made.pk))
    for status, counted in (
        (RemoteRefundStatus.FAILED, 0),
        (RemoteRefundStatus.SUCCEEDED, 2000),
        (RemoteRefundStatus.UNKNOWN, 2000),
    ):
        refund_finish(refund_id=made.pk, remote=replace(remote, status=status))
        assert reread(paid).refunded_minor == counted
    assert made.transitions.count() == 4


# ---- unavailable lists --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["unavailable", "drop_before", "garbage", "rate_limit", "html"])
def test_payment_is_booked_while_disputes_are_unavailable_and_staff_are_alerted(stripe, shopper, action):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.pay(reread(payment))
    rule = stripe.fault(action, path="/v1/disputes", count=100)

    payment_sync(payment.pk, cause="test")

    assert reread(payment).status == "COMPLETED"
    [alert] = alerts_open()
    assert (alert.provider, alert.part) == ("stripe", "disputes")
    assert not payment.flags.exists()
    stripe.delete(f"faults/{rule}")
    payment_sync(payment.pk, cause="test")
    assert not alerts_open().exists()
