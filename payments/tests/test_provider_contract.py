"""The provider contract for every provider, and the how-to page, which shows a tested provider."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from payments.providers.contract import (
    Capability,
    ConfirmRequest,
    CreateRequest,
    ProviderError,
    ProviderEvent,
    RefundRequest,
    Refused,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteStatus,
    Unknown,
)
from payments.providers.stripe.provider import StripeProvider
from payments.tests import toy_provider
from payments.tests.provider_contract import BACK, PRICE, ProviderContract, ProviderFault, ProviderSimulator
from payments.tests.stripe_helpers import message, signed
from payments.tests.toy_provider import ToyBank, ToyProvider
from sandbox.tests.client import Control

ROOT = Path(__file__).resolve().parents[2]


class ToySimulator(ProviderSimulator):
    missing_id = "toy_404"
    secrets = ("hush",)

    def __init__(self) -> None:
        self.bank = ToyBank()
        self.provider = ToyProvider(self.bank, secret="hush")

    def buyer_approves(self, payment: RemotePayment) -> None:
        self.bank.change(payment.object_id, status=RemoteStatus.APPROVED, action=None)

    def inject_fault(self, fault_kind: ProviderFault) -> None:
        self.bank.fault = fault_kind

    def captured_minor(self) -> int:
        return sum(one.amount.minor for payment in self.bank.payments.values() for one in payment.captures)

    def refunded_minor(self) -> int:
        return sum(one.amount.minor for payment in self.bank.payments.values() for one in payment.refunds)

    def payment_count(self) -> int:
        return len(self.bank.payments)

    def build_confirm_request(self, payment: RemotePayment, key: str = "confirm-1") -> ConfirmRequest:
        self.buyer_approves(payment)
        return ConfirmRequest(key, payment.object_id, PRICE, payment.reference, BACK)

    def message(self, payment: RemotePayment) -> tuple[bytes, dict[str, str]]:
        result = {"event_id": "1", "kind": "payment.changed", "object_id": payment.object_id}
        body = json.dumps(result).encode()
        return body, {"Toy-Signature": hmac.new(b"hush", body, hashlib.sha256).hexdigest()}


class StripeSimulator(ProviderSimulator):
    missing_id = "pi_404"
    secrets = ("sk_test_sandbox", "whsec_of_the_tests")
    token = "pm_card_visa"
    faults = {
        ProviderFault.OVERLOADED: "rate_limit",
        ProviderFault.SILENT: "drop_before",
        ProviderFault.ANSWER_LOST: "drop_after",
    }

    def __init__(self, provider: StripeProvider, sandbox: Control) -> None:
        self.provider = provider
        self.sandbox = sandbox

    def buyer_approves(self, payment: RemotePayment) -> None:
        self.sandbox.post("stripe/pay", payment_intent=payment.object_id)

    def inject_fault(self, fault_kind: ProviderFault) -> None:
        self.sandbox.fault(self.faults[fault_kind], method="POST", retry_after=7)

    def settle(self) -> None:
        self.sandbox.run_jobs()

    def captured_minor(self) -> int:
        return self.total("captured")

    def refunded_minor(self) -> int:
        return self.total("refunded")

    def total(self, name: str) -> int:
        return int(self.sandbox.get("journal/totals")[name].get("usd", 0))

    def payment_count(self) -> int:
        return len(self.sandbox.journal("intent.created"))

    def build_confirm_request(self, payment: RemotePayment, key: str = "confirm-1") -> ConfirmRequest:
        return ConfirmRequest(key, payment.object_id, PRICE, payment.reference, BACK, "pm_card_visa")

    def message(self, payment: RemotePayment) -> tuple[bytes, dict[str, str]]:
        row = {"object": "payment_intent", "id": payment.object_id, "amount": 9999, "currency": "usd"}
        body = message("payment_intent.succeeded", row | {"status": "succeeded"})
        return body, {"Stripe-Signature": signed(body)["Stripe-Signature"]}


class TestToy(ProviderContract):
    provider_class = ToyProvider

    @pytest.fixture
    def simulator(self) -> ProviderSimulator:
        return ToySimulator()


class TestStripe(ProviderContract):
    provider_class = StripeProvider

    @pytest.fixture
    def simulator(self, adapter: StripeProvider, sandbox: Control) -> ProviderSimulator:
        return StripeSimulator(adapter, sandbox)


class IgnoresKeys(ToyProvider):
    """Creates, captures and refunds again on every call."""

    def create(self, request: CreateRequest) -> RemotePayment:
        return super().create(replace(request, key=uuid4().hex))

    def refund(self, request: RefundRequest) -> RemoteRefund:
        return super().refund(replace(request, key=uuid4().hex))


class RefundsTooMuch(ToyProvider):
    """Refunds any amount."""

    def refund(self, request: RefundRequest) -> RemoteRefund:
        made = RemoteRefund(
            f"back_{request.key}", request.amount, RemoteRefundStatus.SUCCEEDED, request.refund_id
        )
        known = self.read(request.object_id).refunds
        self._bank.change(request.object_id, refunds=(*known, made))
        return made


class SkipsVerification(ToyProvider):
    """Accepts every webhook."""

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return ProviderEvent("1", "payment.changed", ("toy_1",), is_live=False)


class TreatsTimeoutAsRefusal(ToyProvider):
    """Reports a timeout as a refusal."""

    def create(self, request: CreateRequest) -> RemotePayment:
        try:
            return super().create(request)
        except Unknown as unknown:
            raise Refused(unknown.code) from unknown


class CancelsPaidPayments(ToyProvider):
    """Cancels paid payments."""

    def cancel(self, object_id: str, *, key: str) -> RemotePayment:
        return replace(self.read(object_id), status=RemoteStatus.CANCELLED)


class DeclaresMissingCapability(ToyProvider):
    """Declares a capability that it does not have."""

    capabilities = frozenset(Capability)


@pytest.mark.parametrize(
    ("broken", "test", "arguments"),
    [
        (IgnoresKeys, "test_same_key_makes_one_payment_and_another_key_another", ()),
        (
            IgnoresKeys,
            "test_failed_create_has_an_unknown_outcome_and_the_same_key_creates_one",
            ("answer_lost",),
        ),
        (IgnoresKeys, "test_refund_is_made_once_per_key_and_can_be_read", ()),
        (
            IgnoresKeys,
            "test_failed_refund_has_an_unknown_outcome_and_returns_the_money_once",
            ("answer_lost",),
        ),
        (RefundsTooMuch, "test_partial_refunds_reach_the_last_cent_and_no_further", ()),
        (SkipsVerification, "test_tampered_message_is_refused", ()),
        (
            TreatsTimeoutAsRefusal,
            "test_failed_create_has_an_unknown_outcome_and_the_same_key_creates_one",
            ("silent",),
        ),
        (CancelsPaidPayments, "test_cancelling_a_paid_payment_reports_it_as_paid", ()),
        (
            DeclaresMissingCapability,
            "test_exactly_the_declared_capabilities_are_implemented",
            (Capability.SAVE,),
        ),
    ],
)
def test_contract_detects_a_provider_that_breaks_it(broken, test, arguments):
    simulator = ToySimulator()
    simulator.provider = broken(simulator.bank, secret="hush")
    known = [ProviderFault(one) if one in list(ProviderFault) else one for one in arguments]

    with pytest.raises((AssertionError, ProviderError, pytest.fail.Exception)):
        getattr(ProviderContract(), test)(simulator, *known)


def test_how_to_shows_the_tested_toy_provider():
    code = Path(toy_provider.__file__).read_text(encoding="utf-8")
    text = (ROOT / "docs/providers.md").read_text(encoding="utf-8")

    assert f"```python\n{code}```\n" in text
    assert len(code.splitlines()) < 180


def test_how_to_explains_every_capability():
    text = (ROOT / "docs/providers.md").read_text(encoding="utf-8")

    assert [name for name in Capability.__members__ if f"| `{name}` |" not in text] == []
