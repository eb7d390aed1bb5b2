"""Faults on the way to Stripe: the outcome is unknown, and the same key finds it without repeating the effect."""

from contextlib import suppress

import pytest

from artisans.core.money import Money
from payments.providers.contract import RemoteRefundStatus, RemoteStatus, Unknown
from payments.providers.stripe.config import StripeConfig
from payments.providers.stripe.provider import StripeProvider
from payments.tests.stripe_helpers import (
    INTENTS,
    REFUNDS,
    SESSIONS,
    build_confirm_request,
    build_create_request,
    build_refund_request,
    build_save_request,
    last_hour,
)
from sandbox.tests.client import wait_until

WITHOUT_EFFECT = ["rate_limit", "unavailable", "drop_before"]
WITH_EFFECT = ["drop_after", "truncate", "garbage", "html", "empty"]


class Create:
    """A call with an effect: its path, and the journal entry that it may write once."""

    path, effect = INTENTS, "intent.created"

    def __init__(self, adapter, sandbox):
        self.adapter, self.sandbox = adapter, sandbox
        self.prepare()

    def prepare(self):
        pass

    def __call__(self):
        return self.adapter.create(build_create_request())

    def is_done(self, answer):
        return answer.status is RemoteStatus.OPEN


class PayBySavedCard(Create):
    effect = "charge.captured"

    def __call__(self):
        return self.adapter.create(build_create_request(method_id="pm_card_visa"))

    def is_done(self, answer):
        return answer.captures[0].amount == Money(9999, "USD")


class CreateHosted(Create):
    path, effect = SESSIONS, "session.created"

    def __call__(self):
        return self.adapter.create_hosted(build_create_request())


class Confirm(Create):
    path, effect = INTENTS + "/*/confirm", "charge.captured"

    def prepare(self):
        self.made = self.adapter.create(build_create_request())

    def __call__(self):
        return self.adapter.confirm(build_confirm_request(self.made, "pm_card_visa"))

    def is_done(self, answer):
        return answer.captures[0].amount == Money(9999, "USD")


class Cancel(Create):
    path, effect = INTENTS + "/*/cancel", "intent.canceled"

    def prepare(self):
        self.made = self.adapter.create(build_create_request())

    def __call__(self):
        return self.adapter.cancel(self.made.object_id, key="cancel-1")

    def is_done(self, answer):
        return answer.status is RemoteStatus.CANCELLED


class Expire(Cancel):
    path, effect = SESSIONS + "/*/expire", "session.expired"

    def prepare(self):
        self.made = self.adapter.create_hosted(build_create_request())

    def is_done(self, answer):
        return answer.status is RemoteStatus.EXPIRED


class Refund(Create):
    path, effect = REFUNDS, "refund.created"

    def prepare(self):
        self.paid = self.adapter.create(build_create_request(method_id="pm_card_visa"))

    def __call__(self):
        return self.adapter.refund(build_refund_request(self.paid, Money(1000, "USD")))

    def is_done(self, answer):
        return answer.status is RemoteRefundStatus.SUCCEEDED and answer.reference == "ref-1"


class StartSaving(Create):
    path, effect = "/v1/setup_intents", "setup.created"

    def __call__(self):
        return self.adapter.save_start(build_save_request())

    def is_done(self, answer):
        return not answer.is_done


class MakeCustomer(StartSaving):
    path, effect = "/v1/customers", "customer.created"


class Detach(Create):
    path, effect = "/v1/payment_methods/*/detach", "payment_method.detached"

    def prepare(self):
        self.method = self.adapter.save_token(build_save_request(), "pm_card_visa")

    def __call__(self):
        return self.adapter.detach(self.method.method_id, key="detach-1")

    def is_done(self, answer):
        return self.adapter.saved_methods(self.method.customer_id) == []


MONEY = [Create, PayBySavedCard, CreateHosted, Confirm, Cancel, Expire, Refund]
CALLS = [*MONEY, StartSaving, MakeCustomer, Detach]


@pytest.fixture
def call(request, adapter, sandbox):
    return request.param(adapter, sandbox)


@pytest.mark.parametrize("call", CALLS, indirect=True)
@pytest.mark.parametrize("action", [*WITHOUT_EFFECT, *WITH_EFFECT])
def test_outcome_is_unknown_and_the_same_key_finds_the_first_effect(call, sandbox, action):
    sandbox.fault(action, method="POST", path=call.path)

    with pytest.raises(Unknown):
        call()
    assert len(sandbox.journal(call.effect)) == (action in WITH_EFFECT)

    assert call.is_done(call())
    assert len(sandbox.journal(call.effect)) == 1


@pytest.mark.parametrize("call", MONEY, indirect=True)
def test_error_stored_under_the_key_is_resolved_by_reading(call, sandbox):
    sandbox.fault("error_after", method="POST", path=call.path)

    with pytest.raises(Unknown):
        call()

    assert call.is_done(call())
    assert len(sandbox.journal(call.effect)) == 1


@pytest.mark.parametrize("call", MONEY, indirect=True)
def test_error_stored_under_the_key_stays_unknown_without_an_effect(call, sandbox):
    sandbox.fault("error_before", method="POST", path=call.path)

    for _ in range(2):
        with pytest.raises(Unknown, match="http_500"):
            call()

    assert sandbox.journal(call.effect) == []


def test_detaching_that_worked_despite_an_error_is_done(adapter, sandbox):
    call = Detach(adapter, sandbox)
    sandbox.fault("error_after", method="POST", path=call.path)

    with suppress(Unknown):
        call()

    assert call.is_done(call())


@pytest.mark.parametrize("action", [*WITHOUT_EFFECT, *WITH_EFFECT, "error_before"])
@pytest.mark.parametrize("kind", ["intent", "session", "refund", "setup", "methods", "list"])
def test_failed_read_is_an_unknown_outcome(adapter, sandbox, action, kind):
    paid = adapter.create(build_create_request(method_id="pm_card_visa"))
    session = adapter.create_hosted(build_create_request("hosted-1"))
    refund = adapter.refund(build_refund_request(paid, Money(1, "USD")))
    setup = adapter.save_start(build_save_request())
    reads = {
        "intent": lambda: adapter.read(paid.object_id),
        "session": lambda: adapter.read(session.object_id),
        "refund": lambda: adapter.read_refund(refund.refund_id, currency="USD"),
        "setup": lambda: adapter.save_read(setup.setup_id),
        "methods": lambda: adapter.saved_methods(setup.customer_id),
        "list": lambda: list(adapter.list_payments(*last_hour())),
    }
    sandbox.fault(action, method="GET", path="/v1/checkout/*" if kind == "list" else "*")

    with pytest.raises(Unknown):
        reads[kind]()

    reads[kind]()


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_part_hidden_by_a_fault_is_reported_as_missing(adapter, sandbox, nth):
    """A payment never appears without disputes or refunds because their page could not be read."""
    paid = adapter.create(build_create_request(method_id="pm_card_visa"))
    for number in range(11):
        adapter.refund(build_refund_request(paid, Money(1, "USD"), f"refund-{number}", f"ref-{number}"))
    assert len(adapter.read(paid.object_id).refunds) == 11
    sandbox.fault("garbage", method="GET", skip=nth)

    if nth == 0:  # the payment itself
        with pytest.raises(Unknown):
            adapter.read(paid.object_id)
        return
    remote = adapter.read(paid.object_id)

    assert remote.captures == paid.captures
    assert [bool(error) for error in remote.lists.values()].count(True) == 1


def test_time_to_wait_is_reported(adapter, sandbox):
    sandbox.fault("rate_limit", retry_after=7)

    with pytest.raises(Unknown) as seen:
        adapter.create(build_create_request())

    assert (seen.value.code, seen.value.retry_after, seen.value.is_outage) == ("rate_limit", 7, False)


@pytest.mark.parametrize(
    ("action", "is_outage"),
    [("drop_before", True), ("unavailable", False), ("html", False), ("rate_limit", False)],
)
def test_timeout_is_an_outage_and_an_answer_is_not(adapter, sandbox, action, is_outage):
    sandbox.fault(action)

    with pytest.raises(Unknown) as seen:
        adapter.create(build_create_request())

    assert seen.value.is_outage is is_outage


@pytest.mark.parametrize("action", ["hold_before", "hold_after"])
def test_slow_answer_times_out(stripe_config, sandbox, action):
    impatient = StripeProvider(StripeConfig("sk_test_sandbox", "pk", api_base=sandbox.url, read_timeout=0.3))
    fault = sandbox.fault(action, method="POST", path=INTENTS)

    with pytest.raises(Unknown) as seen:
        impatient.create(build_create_request())
    assert seen.value.is_outage

    if action == "hold_before":  # the first one is still running
        with pytest.raises(Unknown, match="idempotency_key_in_use"):
            StripeProvider(stripe_config).create(build_create_request())
    sandbox.post(f"faults/{fault}/release")
    sandbox.delete("faults")
    wait_until(lambda: len(sandbox.journal("intent.created")) == 1)


def test_unreachable_server_is_an_outage():
    alone = StripeProvider(StripeConfig("sk_test_x", "pk_test_x", api_base="http://127.0.0.1:9"))

    with pytest.raises(Unknown) as seen:
        alone.read("pi_1")

    assert (seen.value.code, seen.value.is_outage) == ("no_answer", True)


def test_calls_are_not_retried(adapter, sandbox):
    sandbox.fault("unavailable", count=None)

    with pytest.raises(Unknown):
        adapter.create(build_create_request())

    assert len(sandbox.get("requests")["rows"]) == 1


def test_other_parameters_under_the_same_key_are_not_a_refusal(adapter, sandbox):
    first = adapter.create(build_create_request())

    again = adapter.create(build_create_request(order_number="OTHER"))

    assert again.object_id == first.object_id
    assert len(sandbox.journal("intent.created")) == 1


def test_key_used_for_another_request_is_an_unknown_outcome(adapter):
    paid = adapter.create(build_create_request(method_id="pm_card_visa"))
    adapter.refund(build_refund_request(paid, Money(1, "USD"), "refund-1", "ref-1"))

    with pytest.raises(Unknown, match="idempotency_mismatch"):
        adapter.refund(build_refund_request(paid, Money(2, "USD"), "refund-1", "ref-2"))


def test_refused_api_key_is_unknown_since_an_earlier_attempt_may_have_worked(sandbox):
    stranger = StripeProvider(StripeConfig("nonsense", "pk_test_x", api_base=sandbox.url))

    with pytest.raises(Unknown, match="key_refused") as seen:
        stranger.create(build_create_request())

    assert not seen.value.is_outage
