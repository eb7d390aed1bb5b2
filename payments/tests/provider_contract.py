"""What every payment provider must keep, whoever it is.

A provider joins with two classes beside its tests: a `World`, which is its other side, and a test class:

    class TestToy(ProviderContract):
        provider_class = ToyProvider

        @pytest.fixture
        def world(self) -> World:
            return ToyWorld()

It has no tests of capabilities that the provider does not declare.
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
    RefundStatus,
    Refused,
    RemotePayment,
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
    Capability.WEBHOOK: ("parse_webhook",),
    Capability.LIST: ("list_payments",),
}


class ProviderFault(StrEnum):
    """What can happen to one call that has an effect."""

    OVERLOADED = "overloaded"  # refused for now, with 7 seconds to wait; nothing happened
    SILENT = "silent"  # no connection; nothing happened
    ANSWER_LOST = "answer_lost"  # it happened, and nobody heard of it


class World(ABC):
    """The other side of one provider in a test. `missing_id` looks like one of its ids and is none."""

    provider: PaymentProvider
    missing_id: str
    secrets: tuple[str, ...]
    token = ""  # of a method that can be saved; "" when the provider has none for tests

    @abstractmethod
    def buyer_agrees(self, payment: RemotePayment) -> None:
        """All that the buyer does at the provider: a card pays at once, a wallet's owner approves."""

    @abstractmethod
    def meet(self, fault_kind: ProviderFault) -> None:
        """The next call with an effect meets it."""

    @abstractmethod
    def taken(self) -> int:
        """Minor units that the provider took, by its own books."""

    @abstractmethod
    def returned(self) -> int:
        """Minor units that the provider gave back, by its own books."""

    @abstractmethod
    def made(self) -> int:
        """How many payments the provider knows."""

    def build_confirm_request(self, payment: RemotePayment, key: str = "confirm-1") -> ConfirmRequest:
        """Capability CONFIRM: a confirmation that will work, with all that must come before it."""
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


def paid(world: World, key: str = "create-1") -> RemotePayment:
    """A payment whose money was taken, whatever it takes."""
    made = world.provider.create(build_create_request(key))
    world.buyer_agrees(made)
    now = world.provider.read(made.object_id)
    if now.status is RemoteStatus.APPROVED:
        world.provider.confirm(world.build_confirm_request(now, f"confirm-{key}"))
    return world.provider.read(made.object_id)


def needs(capability: Capability) -> Callable[[Test], Test]:
    """Mark a test of a capability: it is there for the providers that declare it, and for no others."""

    def mark(test: Test) -> Test:
        test.needs = capability  # type: ignore[attr-defined]  # functions take attributes
        return test

    return mark


class ProviderContract:
    """Subclasses name their `provider_class` and have a fixture `world`."""

    provider_class: ClassVar[type[PaymentProvider]]

    def __init_subclass__(cls) -> None:
        for name, test in vars(ProviderContract).items():
            needed = getattr(test, "needs", None)
            if needed is not None and needed not in cls.provider_class.capabilities:
                setattr(cls, name, None)  # pytest collects nothing there

    # ---- what it declares ----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("capability", Capability)
    def test_declared_capabilities_are_there_and_no_others(
        self, world: World, capability: Capability
    ) -> None:
        for name in METHODS[capability]:
            is_own = getattr(type(world.provider), name) is not getattr(PaymentProvider, name)
            assert is_own == (capability in world.provider.capabilities), name

    def test_it_shows_no_secret(self, world: World) -> None:
        shown = repr(world.provider) + str(world.provider)

        assert world.secrets
        assert [secret for secret in world.secrets if secret in shown] == []

    # ---- creating and reading --------------------------------------------------------------------------------------

    def test_new_payment_waits_for_the_buyer(self, world: World) -> None:
        made = world.provider.create(build_create_request())

        assert (made.status, made.amount, made.is_live) == (RemoteStatus.OPEN, PRICE, False)
        assert made.reference == build_create_request().payment_id
        assert made.action is not None
        assert made.action.url or made.action.client_secret
        assert made.action.client_secret == "" or made.action.client_secret not in repr(made)
        assert (made.captures, made.refunds, made.disputes) == ((), (), ())
        assert world.taken() == 0

    def test_same_key_makes_one_payment_and_another_key_another(self, world: World) -> None:
        first = world.provider.create(build_create_request())

        assert world.provider.create(build_create_request()).object_id == first.object_id
        assert world.made() == 1
        assert world.provider.create(build_create_request("create-2")).object_id != first.object_id
        assert world.made() == 2

    def test_paid_payment_shows_what_was_taken(self, world: World) -> None:
        now = paid(world)

        assert (now.status, now.reference) == (RemoteStatus.SUCCEEDED, build_create_request().payment_id)
        assert [one.amount for one in now.captures] == [PRICE]
        assert now.captures[0].capture_id
        assert world.taken() == PRICE.minor

    @pytest.mark.parametrize("name", ["", "nonsense", "../payments", "a?b=c#d", "missing"])
    def test_unknown_payment_is_not_there(self, world: World, name: str) -> None:
        object_id = world.missing_id if name == "missing" else name

        with pytest.raises(ObjectNotFound):
            world.provider.read(object_id)

    # ---- ending ----------------------------------------------------------------------------------------------------

    def test_cancelled_payment_is_at_its_end_however_often_it_is_cancelled(self, world: World) -> None:
        made = world.provider.create(build_create_request())

        for key in ("cancel-1", "cancel-1", "cancel-2"):
            assert world.provider.cancel(made.object_id, key=key).status in ENDED
        assert world.taken() == 0

    def test_cancelling_a_paid_payment_tells_the_truth(self, world: World) -> None:
        before = paid(world)

        now = world.provider.cancel(before.object_id, key="cancel-1")

        assert (now.status, now.captures) == (RemoteStatus.SUCCEEDED, before.captures)
        assert (world.taken(), world.returned()) == (PRICE.minor, 0)

    def test_cancelling_an_unknown_payment_is_not_there(self, world: World) -> None:
        with pytest.raises(ObjectNotFound):
            world.provider.cancel(world.missing_id, key="cancel-1")

    # ---- bad luck --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault_kind", ProviderFault)
    def test_creating_through_bad_luck_is_unknown_and_the_same_key_makes_one(
        self, world: World, fault_kind: ProviderFault
    ) -> None:
        world.meet(fault_kind)

        with pytest.raises(Unknown) as seen:
            world.provider.create(build_create_request())

        assert (seen.value.retry_after == 7) is (fault_kind is ProviderFault.OVERLOADED)
        assert seen.value.is_outage is (fault_kind is not ProviderFault.OVERLOADED)
        assert world.provider.create(build_create_request()).status is RemoteStatus.OPEN
        assert world.made() == 1

    # ---- on the provider's page --------------------------------------------------------------------------------------

    @needs(Capability.HOSTED)
    def test_hosted_payment_sends_the_buyer_away_once_per_key(self, world: World) -> None:
        made = world.provider.create_hosted(build_create_request())

        assert (made.status, made.amount, made.reference) == (
            RemoteStatus.OPEN,
            PRICE,
            build_create_request().payment_id,
        )
        assert made.action is not None
        assert (made.action.kind, bool(made.action.url)) == (ActionKind.REDIRECT, True)
        assert world.provider.create_hosted(build_create_request()).object_id == made.object_id
        assert world.provider.cancel(made.object_id, key="cancel-1").status in ENDED

    # ---- confirming ------------------------------------------------------------------------------------------------

    @needs(Capability.CONFIRM)
    def test_confirming_takes_the_money_once(self, world: World) -> None:
        made = world.provider.create(build_create_request())
        request = world.build_confirm_request(made)

        done = world.provider.confirm(request)

        assert (done.status, [one.amount for one in done.captures]) == (RemoteStatus.SUCCEEDED, [PRICE])
        assert world.provider.confirm(request).captures == done.captures
        assert world.taken() == PRICE.minor

    @needs(Capability.CONFIRM)
    @pytest.mark.parametrize("fault_kind", ProviderFault)
    def test_confirming_through_bad_luck_is_unknown_and_takes_the_money_once(
        self, world: World, fault_kind: ProviderFault
    ) -> None:
        request = world.build_confirm_request(world.provider.create(build_create_request()))
        world.meet(fault_kind)

        with pytest.raises(Unknown):
            world.provider.confirm(request)

        assert world.taken() == (PRICE.minor if fault_kind is ProviderFault.ANSWER_LOST else 0)
        assert world.provider.confirm(request).status is RemoteStatus.SUCCEEDED
        assert world.taken() == PRICE.minor

    @needs(Capability.CONFIRM)
    def test_confirming_what_nobody_agreed_to_is_refused(self, world: World) -> None:
        made = world.provider.create(build_create_request())

        with pytest.raises(Refused):
            world.provider.confirm(ConfirmRequest("confirm-1", made.object_id, PRICE, made.reference, BACK))

        assert world.taken() == 0

    # ---- money back --------------------------------------------------------------------------------------------------

    @needs(Capability.REFUND)
    def test_money_goes_back_in_parts_to_the_last_cent_and_no_further(self, world: World) -> None:
        payment = paid(world)
        first = world.provider.refund(build_refund_request(payment, 9998, 1))
        with pytest.raises(Refused):
            world.provider.refund(build_refund_request(payment, 2, 2))

        world.provider.refund(build_refund_request(payment, 1, 3))

        with pytest.raises(Refused):
            world.provider.refund(build_refund_request(payment, 1, 4))
        assert world.returned() == PRICE.minor
        refunds = world.provider.read(payment.object_id).refunds
        assert sorted(one.amount.minor for one in refunds) == [1, 9998]
        assert first in refunds
        assert first.reference == build_refund_request(payment, 9998, 1).refund_id

    @needs(Capability.REFUND)
    def test_refund_is_made_once_per_key_and_can_be_read(self, world: World) -> None:
        payment = paid(world)
        made = world.provider.refund(build_refund_request(payment, 100))

        assert made.status in {RefundStatus.PENDING, RefundStatus.SUCCEEDED}
        assert world.provider.refund(build_refund_request(payment, 100)).refund_id == made.refund_id
        assert world.provider.read_refund(made.refund_id, currency="USD") == made
        assert world.returned() == 100

    @needs(Capability.REFUND)
    @pytest.mark.parametrize("fault_kind", ProviderFault)
    def test_refunding_through_bad_luck_is_unknown_and_returns_the_money_once(
        self, world: World, fault_kind: ProviderFault
    ) -> None:
        payment = paid(world)
        world.meet(fault_kind)

        with pytest.raises(Unknown):
            world.provider.refund(build_refund_request(payment, 100))

        assert world.provider.refund(build_refund_request(payment, 100)).amount == Money(100, "USD")
        assert world.returned() == 100

    @needs(Capability.REFUND)
    def test_unknown_refund_is_not_there(self, world: World) -> None:
        with pytest.raises(ObjectNotFound):
            world.provider.read_refund("nonsense", currency="USD")

    # ---- saved methods -----------------------------------------------------------------------------------------------

    @needs(Capability.SAVE)
    def test_saving_waits_for_the_buyer(self, world: World) -> None:
        setup = world.provider.save_start(build_save_request())

        assert (setup.is_done, setup.method) == (False, None)
        assert setup.action is not None
        assert world.provider.save_read(setup.setup_id).setup_id == setup.setup_id
        assert world.provider.save_start(build_save_request()).setup_id == setup.setup_id

    @needs(Capability.SAVE)
    def test_saved_method_is_listed_until_it_is_forgotten(self, world: World) -> None:
        method = world.provider.save_token(build_save_request(), world.token)
        assert method in world.provider.saved_methods(method.customer_id)

        for key in ("detach-1", "detach-1", "detach-2"):
            world.provider.detach(method.method_id, key=key)

        assert world.provider.saved_methods(method.customer_id) == []

    @needs(Capability.SAVE)
    def test_card_number_is_no_token_and_is_not_repeated(self, world: World) -> None:
        with pytest.raises(ProviderError) as seen:
            world.provider.save_token(build_save_request(), "4242424242424242")

        assert isinstance(seen.value, Refused)
        assert "4242424242424242" not in str(seen.value)

    # ---- messages ----------------------------------------------------------------------------------------------------

    @needs(Capability.WEBHOOK)
    def test_genuine_message_leads_to_its_payment(self, world: World) -> None:
        payment = paid(world)

        event = world.provider.parse_webhook(*world.message(payment))

        assert payment.object_id in event.object_ids
        assert (bool(event.event_id), bool(event.kind), event.is_live) == (True, True, False)
        again = world.provider.parse_webhook(*world.message(payment))
        assert again.kind == event.kind

    @needs(Capability.WEBHOOK)
    def test_message_that_was_touched_is_refused(self, world: World) -> None:
        body, headers = world.message(paid(world))
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
                world.provider.parse_webhook(their_body, their_headers)

    # ---- all of them -------------------------------------------------------------------------------------------------

    @needs(Capability.LIST)
    def test_listing_names_each_paid_payment_once_within_its_time(self, world: World) -> None:
        payments = [paid(world, key) for key in ("create-1", "create-2")]
        now, hour = datetime.now(UTC), timedelta(hours=1)

        listed = list(world.provider.list_payments(now - hour, now + hour))

        taken = sorted((one.object_id, one.captures) for one in payments)
        assert sorted((one.object_id, one.captures) for one in listed if one.captures) == taken
        assert list(world.provider.list_payments(now - 2 * hour, now - hour)) == []
