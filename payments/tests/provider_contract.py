"""The contract that every payment provider must fulfil.

A provider is tested with two classes: a `ProviderSimulator`, which acts as the provider's side, and a test class:

    class TestToy(ProviderContract):
        provider_class = ToyProvider

        @pytest.fixture
        def simulator(self) -> ProviderSimulator:
            return ToySimulator()

Tests of capabilities that the provider does not declare are left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

import pytest

from artisans.core.money import Money
from payments.providers.contract import (
    ActionKind,
    BadSignature,
    Capability,
    ConfirmRequest,
    CreateRequest,
    ObjectNotFound,
    PaymentProvider,
    ProviderError,
    RefundRequest,
    Refused,
    RemotePayment,
    RemoteRefundStatus,
    RemoteStatus,
    SaveRequest,
    Unknown,
)

Test = TypeVar("Test", bound=Callable[..., None])

BACK, AWAY = "http://127.0.0.1:9/back?order=7", "http://127.0.0.1:9/away"
PRICE = Money(9999, "USD")
ENDED = {RemoteStatus.CANCELLED, RemoteStatus.EXPIRED}
METHODS = {
    Capability.CONFIRM: ("confirm",),
    Capability.HOSTED: ("create_hosted",),
    Capability.REFUND: ("refund", "read_refund"),
    Capability.SAVE: ("save_start", "save_read", "save_token", "saved_methods", "detach"),
    Capability.SAVE_ON_PAYMENT: ("save_on_payment",),
    Capability.WEBHOOK: ("parse_webhook",),
    Capability.LIST: ("list_payments",),
    Capability.MOVEMENTS: ("list_movements", "balance"),
}


class ProviderFault(StrEnum):
    """What can happen to one call that has an effect."""

    OVERLOADED = "overloaded"  # refused with a Retry-After of 7 seconds; nothing happened
    SILENT = "silent"  # no connection; nothing happened
    ANSWER_LOST = "answer_lost"  # it happened, but the answer was lost


class ProviderSimulator(ABC):
    """The provider's side in a test. `missing_id` looks like one of its ids but does not exist."""

    provider: PaymentProvider
    missing_id: str
    secrets: tuple[str, ...]
    token = ""  # a payment method that can be saved; "" when the provider has none for tests

    @abstractmethod
    def buyer_approves(self, payment: RemotePayment) -> None:
        """Do all that the buyer does at the provider: a card pays at once, the owner of a wallet approves."""

    @abstractmethod
    def inject_fault(self, fault_kind: ProviderFault) -> None:
        """Let the next call with an effect fail in this way."""

    @abstractmethod
    def captured_minor(self) -> int:
        """Minor units captured, according to the provider."""

    @abstractmethod
    def refunded_minor(self) -> int:
        """Minor units refunded, according to the provider."""

    @abstractmethod
    def payment_count(self) -> int:
        """Number of payments at the provider."""

    def settle(self) -> None:
        """Capability MOVEMENTS: let everything that was paid reach the balance."""
        raise NotImplementedError

    def build_confirm_request(self, payment: RemotePayment, key: str = "confirm-1") -> ConfirmRequest:
        """Capability CONFIRM: a confirmation that will succeed, with everything it requires done before."""
        raise NotImplementedError

    def message(self, payment: RemotePayment) -> tuple[bytes, dict[str, str]]:
        """Capability WEBHOOK: a genuine message about this payment, as raw body and headers."""
        raise NotImplementedError


def build_create_request(key: str = "create-1") -> CreateRequest:
    return CreateRequest(key, "0b6f1c1e-8d2a-4f0e-9d8e-2f1d5e0c7a11", "ALLEY-7", PRICE, BACK, AWAY)


def build_save_request(key: str = "save-1", customer_id: str = "") -> SaveRequest:
    return SaveRequest(key, "user-1", customer_id, BACK, AWAY)


def build_refund_request(payment: RemotePayment, minor: int, number: int = 1) -> RefundRequest:
    capture = payment.captures[0]
    refund_id = f"5c1d0a52-97d1-4b4e-8b5e-0000000000{number:02}"
    back = Money(minor, capture.amount.currency)
    return RefundRequest(
        f"refund-{number}", payment.object_id, capture.capture_id, refund_id, f"R-{number}", back
    )


def paid(simulator: ProviderSimulator, key: str = "create-1") -> RemotePayment:
    """A captured payment."""
    made = simulator.provider.create(build_create_request(key))
    simulator.buyer_approves(made)
    now = simulator.provider.read(made.object_id)
    if now.status is RemoteStatus.APPROVED:
        simulator.provider.confirm(simulator.build_confirm_request(now, f"confirm-{key}"))
    return simulator.provider.read(made.object_id)


def needs(capability: Capability) -> Callable[[Test], Test]:
    """Mark a test of a capability: it runs only for the providers that declare it."""

    def mark(test: Test) -> Test:
        test.needs = capability  # type: ignore[attr-defined]  # functions take attributes
        return test

    return mark


class ProviderContract:
    """Subclasses name their `provider_class` and have a fixture `simulator`."""

    provider_class: ClassVar[type[PaymentProvider]]

    def __init_subclass__(cls) -> None:
        for name, test in vars(ProviderContract).items():
            needed = getattr(test, "needs", None)
            if needed is not None and needed not in cls.provider_class.capabilities:
                setattr(cls, name, None)  # so that pytest does not collect it

    # ---- capabilities ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("capability", Capability)
    def test_exactly_the_declared_capabilities_are_implemented(
        self, simulator: ProviderSimulator, capability: Capability
    ) -> None:
        for name in METHODS[capability]:
            is_own = getattr(type(simulator.provider), name) is not getattr(PaymentProvider, name)
            assert is_own == (capability in simulator.provider.capabilities), name

    def test_repr_shows_no_secret(self, simulator: ProviderSimulator) -> None:
        shown = repr(simulator.provider) + str(simulator.provider)

        assert simulator.secrets
        assert [secret for secret in simulator.secrets if secret in shown] == []

    # ---- creating and reading --------------------------------------------------------------------------------------

    def test_new_payment_waits_for_the_buyer(self, simulator: ProviderSimulator) -> None:
        made = simulator.provider.create(build_create_request())

        assert (made.status, made.amount, made.is_live) == (RemoteStatus.OPEN, PRICE, False)
        assert made.reference == build_create_request().payment_id
        assert made.action is not None
        assert made.action.url or made.action.client_secret
        assert made.action.client_secret == "" or made.action.client_secret not in repr(made)
        assert (made.captures, made.refunds, made.disputes) == ((), (), ())
        assert simulator.captured_minor() == 0

    def test_same_key_makes_one_payment_and_another_key_another(self, simulator: ProviderSimulator) -> None:
        first = simulator.provider.create(build_create_request())

        assert simulator.provider.create(build_create_request()).object_id == first.object_id
        assert simulator.payment_count() == 1
        assert simulator.provider.create(build_create_request("create-2")).object_id != first.object_id
        assert simulator.payment_count() == 2

    def test_paid_payment_shows_the_captured_amount(self, simulator: ProviderSimulator) -> None:
        now = paid(simulator)

        assert (now.status, now.reference) == (RemoteStatus.SUCCEEDED, build_create_request().payment_id)
        assert [one.amount for one in now.captures] == [PRICE]
        assert now.captures[0].capture_id
        assert simulator.captured_minor() == PRICE.minor

    @pytest.mark.parametrize("name", ["", "nonsense", "../payments", "a?b=c#d", "missing"])
    def test_unknown_payment_is_not_found(self, simulator: ProviderSimulator, name: str) -> None:
        object_id = simulator.missing_id if name == "missing" else name

        with pytest.raises(ObjectNotFound):
            simulator.provider.read(object_id)

    # ---- cancelling ------------------------------------------------------------------------------------------------

    def test_cancelling_is_final_and_idempotent(self, simulator: ProviderSimulator) -> None:
        made = simulator.provider.create(build_create_request())

        for key in ("cancel-1", "cancel-1", "cancel-2"):
            assert simulator.provider.cancel(made.object_id, key=key).status in ENDED
        assert simulator.captured_minor() == 0

    def test_cancelling_a_paid_payment_reports_it_as_paid(self, simulator: ProviderSimulator) -> None:
        before = paid(simulator)

        now = simulator.provider.cancel(before.object_id, key="cancel-1")

        assert (now.status, now.captures) == (RemoteStatus.SUCCEEDED, before.captures)
        assert (simulator.captured_minor(), simulator.refunded_minor()) == (PRICE.minor, 0)

    def test_cancelling_an_unknown_payment_is_not_found(self, simulator: ProviderSimulator) -> None:
        with pytest.raises(ObjectNotFound):
            simulator.provider.cancel(simulator.missing_id, key="cancel-1")

    # ---- faults ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault_kind", ProviderFault)
    def test_failed_create_has_an_unknown_outcome_and_the_same_key_creates_one(
        self, simulator: ProviderSimulator, fault_kind: ProviderFault
    ) -> None:
        simulator.inject_fault(fault_kind)

        with pytest.raises(Unknown) as seen:
            simulator.provider.create(build_create_request())

        assert (seen.value.retry_after == 7) is (fault_kind is ProviderFault.OVERLOADED)
        assert seen.value.is_outage is (fault_kind is not ProviderFault.OVERLOADED)
        assert simulator.provider.create(build_create_request()).status is RemoteStatus.OPEN
        assert simulator.payment_count() == 1

    # ---- on the provider's page ------------------------------------------------------------------------------------

    @needs(Capability.HOSTED)
    def test_hosted_payment_redirects_the_buyer_once_per_key(self, simulator: ProviderSimulator) -> None:
        made = simulator.provider.create_hosted(build_create_request())

        assert (made.status, made.amount, made.reference) == (
            RemoteStatus.OPEN,
            PRICE,
            build_create_request().payment_id,
        )
        assert made.action is not None
        assert (made.action.kind, bool(made.action.url)) == (ActionKind.REDIRECT, True)
        assert simulator.provider.create_hosted(build_create_request()).object_id == made.object_id
        assert simulator.provider.cancel(made.object_id, key="cancel-1").status in ENDED

    # ---- confirming ------------------------------------------------------------------------------------------------

    @needs(Capability.CONFIRM)
    def test_confirming_takes_the_money_once(self, simulator: ProviderSimulator) -> None:
        made = simulator.provider.create(build_create_request())
        request = simulator.build_confirm_request(made)

        done = simulator.provider.confirm(request)

        assert (done.status, [one.amount for one in done.captures]) == (RemoteStatus.SUCCEEDED, [PRICE])
        assert simulator.provider.confirm(request).captures == done.captures
        assert simulator.captured_minor() == PRICE.minor

    @needs(Capability.CONFIRM)
    @pytest.mark.parametrize("fault_kind", ProviderFault)
    def test_failed_confirm_has_an_unknown_outcome_and_takes_the_money_once(
        self, simulator: ProviderSimulator, fault_kind: ProviderFault
    ) -> None:
        request = simulator.build_confirm_request(simulator.provider.create(build_create_request()))
        simulator.inject_fault(fault_kind)

        with pytest.raises(Unknown):
            simulator.provider.confirm(request)

        assert simulator.captured_minor() == (PRICE.minor if fault_kind is ProviderFault.ANSWER_LOST else 0)
        assert simulator.provider.confirm(request).status is RemoteStatus.SUCCEEDED
        assert simulator.captured_minor() == PRICE.minor

    @needs(Capability.CONFIRM)
    def test_confirming_without_the_buyers_approval_is_refused(self, simulator: ProviderSimulator) -> None:
        made = simulator.provider.create(build_create_request())

        with pytest.raises(Refused):
            simulator.provider.confirm(
                ConfirmRequest("confirm-1", made.object_id, PRICE, made.reference, BACK)
            )

        assert simulator.captured_minor() == 0

    # ---- refunds ---------------------------------------------------------------------------------------------------

    @needs(Capability.REFUND)
    def test_partial_refunds_reach_the_last_cent_and_no_further(self, simulator: ProviderSimulator) -> None:
        payment = paid(simulator)
        first = simulator.provider.refund(build_refund_request(payment, 9998, 1))
        with pytest.raises(Refused):
            simulator.provider.refund(build_refund_request(payment, 2, 2))

        simulator.provider.refund(build_refund_request(payment, 1, 3))

        with pytest.raises(Refused):
            simulator.provider.refund(build_refund_request(payment, 1, 4))
        assert simulator.refunded_minor() == PRICE.minor
        refunds = simulator.provider.read(payment.object_id).refunds
        assert sorted(one.amount.minor for one in refunds) == [1, 9998]
        assert first in refunds
        assert first.reference == build_refund_request(payment, 9998, 1).refund_id

    @needs(Capability.REFUND)
    def test_refund_is_made_once_per_key_and_can_be_read(self, simulator: ProviderSimulator) -> None:
        payment = paid(simulator)
        made = simulator.provider.refund(build_refund_request(payment, 100))

        assert made.status in {RemoteRefundStatus.PENDING, RemoteRefundStatus.SUCCEEDED}
        assert simulator.provider.refund(build_refund_request(payment, 100)).refund_id == made.refund_id
        assert simulator.provider.read_refund(made.refund_id, currency="USD") == made
        assert simulator.refunded_minor() == 100

    @needs(Capability.REFUND)
    @pytest.mark.parametrize("fault_kind", ProviderFault)
    def test_failed_refund_has_an_unknown_outcome_and_returns_the_money_once(
        self, simulator: ProviderSimulator, fault_kind: ProviderFault
    ) -> None:
        payment = paid(simulator)
        simulator.inject_fault(fault_kind)

        with pytest.raises(Unknown):
            simulator.provider.refund(build_refund_request(payment, 100))

        assert simulator.provider.refund(build_refund_request(payment, 100)).amount == Money(100, "USD")
        assert simulator.refunded_minor() == 100

    @needs(Capability.REFUND)
    def test_unknown_refund_is_not_found(self, simulator: ProviderSimulator) -> None:
        with pytest.raises(ObjectNotFound):
            simulator.provider.read_refund("nonsense", currency="USD")

    # ---- saved methods ---------------------------------------------------------------------------------------------

    @needs(Capability.SAVE)
    def test_saving_waits_for_the_buyer(self, simulator: ProviderSimulator) -> None:
        setup = simulator.provider.save_start(build_save_request())

        assert (setup.is_done, setup.method) == (False, None)
        assert setup.action is not None
        assert simulator.provider.save_read(setup.setup_id).setup_id == setup.setup_id
        assert simulator.provider.save_start(build_save_request()).setup_id == setup.setup_id

    @needs(Capability.SAVE)
    def test_saved_method_is_listed_until_it_is_detached(self, simulator: ProviderSimulator) -> None:
        method = simulator.provider.save_token(build_save_request(), simulator.token)
        assert method in simulator.provider.saved_methods(method.customer_id)

        for key in ("detach-1", "detach-1", "detach-2"):
            simulator.provider.detach(method.method_id, key=key)

        assert simulator.provider.saved_methods(method.customer_id) == []

    @needs(Capability.SAVE)
    def test_card_number_is_refused_as_a_token_without_an_echo(self, simulator: ProviderSimulator) -> None:
        with pytest.raises(ProviderError) as seen:
            simulator.provider.save_token(build_save_request(), "4242424242424242")

        assert isinstance(seen.value, Refused)
        assert "4242424242424242" not in str(seen.value)

    # ---- messages --------------------------------------------------------------------------------------------------

    @needs(Capability.WEBHOOK)
    def test_genuine_message_names_its_payment(self, simulator: ProviderSimulator) -> None:
        payment = paid(simulator)

        event = simulator.provider.parse_webhook(*simulator.message(payment))

        assert payment.object_id in event.object_ids
        assert (bool(event.event_id), bool(event.kind), event.is_live) == (True, True, False)
        again = simulator.provider.parse_webhook(*simulator.message(payment))
        assert again.kind == event.kind

    @needs(Capability.WEBHOOK)
    def test_tampered_message_is_refused(self, simulator: ProviderSimulator) -> None:
        body, headers = simulator.message(paid(simulator))
        touched: list[tuple[bytes, dict[str, Any]]] = [
            (body + b" ", headers),
            (body.replace(b"a", b"b", 1), headers),
            (b"", headers),
            (body, {}),
            (body, {name: value[:-1] for name, value in headers.items()}),
            (body, dict.fromkeys(headers, "")),
        ]

        for their_body, their_headers in touched:
            with pytest.raises(BadSignature):
                simulator.provider.parse_webhook(their_body, their_headers)

    # ---- listing ---------------------------------------------------------------------------------------------------

    @needs(Capability.LIST)
    def test_listing_has_each_paid_payment_of_the_period_once(self, simulator: ProviderSimulator) -> None:
        payments = [paid(simulator, key) for key in ("create-1", "create-2")]
        now, hour = datetime.now(UTC), timedelta(hours=1)

        listed = list(simulator.provider.list_payments(now - hour, now + hour))

        taken = sorted((one.object_id, one.captures) for one in payments)
        assert sorted((one.object_id, one.captures) for one in listed if one.captures) == taken
        assert list(simulator.provider.list_payments(now - 2 * hour, now - hour)) == []

    # ---- movements -------------------------------------------------------------------------------------------------

    @needs(Capability.MOVEMENTS)
    def test_movements_of_the_period_add_up_to_the_balance(self, simulator: ProviderSimulator) -> None:
        payment = paid(simulator)
        simulator.provider.refund(build_refund_request(payment, 2500))
        simulator.settle()
        now, hour = datetime.now(UTC), timedelta(hours=1)

        moved = list(simulator.provider.list_movements(now - hour, now + hour))
        [balance] = simulator.provider.balance()

        [capture] = payment.captures
        assert sorted((row.kind, row.gross.minor) for row in moved) == [("payment", 9999), ("refund", -2500)]
        assert {row.capture_id for row in moved} == {capture.capture_id}
        assert sum(row.net.minor for row in moved) == balance.amount.minor < simulator.captured_minor() - 2500
        assert len({row.movement_id for row in moved}) == len(moved)
        assert list(simulator.provider.list_movements(now - 2 * hour, now - hour)) == []
