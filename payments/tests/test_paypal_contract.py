"""PayPal fulfils the provider contract; the sandbox simulates PayPal."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payments.providers.contract import ConfirmRequest, RemotePayment
from payments.providers.paypal.provider import PayPalProvider
from payments.tests.paypal_sandbox import control_of, sandbox_config
from payments.tests.provider_contract import (
    BACK,
    PRICE,
    ProviderContract,
    ProviderFault,
    ProviderSimulator,
    build_create_request,
    build_save_request,
)
from sandbox.http_server import Server
from sandbox.tests.client import Control, wait_until
from sandbox.tests.paypal_client import PayPalReceiver


class PayPalSimulator(ProviderSimulator):
    missing_id = "5O190127TN364715T"
    secrets = ("secret-of-the-shop",)
    faults = {
        ProviderFault.OVERLOADED: "rate_limit",
        ProviderFault.SILENT: "drop_before",
        ProviderFault.ANSWER_LOST: "drop_after",
    }

    def __init__(self, provider: PayPalProvider, sandbox: Control, hook: PayPalReceiver) -> None:
        self.provider = provider
        self.sandbox = sandbox
        self.hook = hook
        self.token = self.approved_setup()

    def approved_setup(self) -> str:
        setup = self.provider.save_start(build_save_request("for-the-token"))
        self.sandbox.post("paypal/approve", setup_token=setup.setup_id)
        return setup.setup_id

    def buyer_approves(self, payment: RemotePayment) -> None:
        self.sandbox.post("paypal/approve", order=payment.object_id)

    def inject_fault(self, fault_kind: ProviderFault) -> None:
        self.sandbox.fault(self.faults[fault_kind], method="POST", path="/v2/*", retry_after=7)

    def settle(self) -> None:
        """It is there at once."""

    def captured_minor(self) -> int:
        return self.total("captured")

    def refunded_minor(self) -> int:
        return self.total("refunded")

    def total(self, name: str) -> int:
        return int(self.sandbox.get("journal/totals", provider="paypal")[name].get("usd", 0))

    def payment_count(self) -> int:
        return len(self.sandbox.journal("order.created", provider="paypal"))

    def build_confirm_request(self, payment: RemotePayment, key: str = "confirm-1") -> ConfirmRequest:
        if not self.sandbox.journal("order.approved", order=payment.object_id):
            self.buyer_approves(payment)
        return ConfirmRequest(key, payment.object_id, PRICE, payment.reference, BACK)

    def message(self, payment: RemotePayment) -> tuple[bytes, dict[str, str]]:
        """What PayPal really sent about its capture."""
        wait_until(lambda: "PAYMENT.CAPTURE.COMPLETED" in self.hook.types())
        headers, body = next(raw for raw in self.hook.raw if b"PAYMENT.CAPTURE.COMPLETED" in raw[1])
        return body, headers


class TestPayPal(ProviderContract):
    provider_class = PayPalProvider

    @pytest.fixture
    def simulator(self, sandbox_server: Server, tmp_path) -> Iterator[ProviderSimulator]:
        sandbox = control_of(sandbox_server)
        with PayPalReceiver(sandbox.get("paypal/ca")["pem"]) as hook:
            sandbox.post("paypal/endpoint", url=hook.url, webhook_id=hook.webhook_id)
            yield PayPalSimulator(PayPalProvider(sandbox_config(sandbox, tmp_path)), sandbox, hook)

    def test_listing_has_each_paid_payment_of_the_period_once(self, simulator: ProviderSimulator) -> None:
        """With two payments: PayPal accepts an invoice number only once."""
        payments = [self.paid_payment(simulator, number) for number in ("pay-1", "pay-2")]
        now, hour = datetime.now(UTC), timedelta(hours=1)

        listed = list(simulator.provider.list_payments(now - hour, now + hour))

        taken = sorted((one.object_id, one.captures) for one in payments)
        assert sorted((one.object_id, one.captures) for one in listed if one.captures) == taken
        assert list(simulator.provider.list_payments(now - 2 * hour, now - hour)) == []

    def paid_payment(self, simulator: ProviderSimulator, number: str) -> RemotePayment:
        made = simulator.provider.create(replace(build_create_request(number), payment_id=number))
        return simulator.provider.confirm(simulator.build_confirm_request(made, f"{number}:confirm"))
