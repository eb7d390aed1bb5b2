"""A provider in fewer than 180 lines: a bank in memory, its adapter, and its FACTS.

A real adapter has the same methods and sends requests where this one calls the bank.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from artisans.core.money import Money
from payments.providers.config import ProviderConfig, variable
from payments.providers.contract import (
    Action,
    ActionKind,
    BadSignature,
    CannotVerify,
    Capability,
    Capture,
    ConfirmRequest,
    CreateRequest,
    ObjectNotFound,
    PaymentProvider,
    ProviderEvent,
    RefundRequest,
    Refused,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteStatus,
    Unknown,
)
from payments.providers.facts import KeyRules, Limits, MethodFacts, Page, PageKind, ProviderFacts


class ToyBank:
    """The provider's side. It stores the first result of every key; `fault`: what goes wrong with the next call."""

    def __init__(self) -> None:
        self.payments: dict[str, RemotePayment] = {}
        self.made_at: dict[str, datetime] = {}
        self.results: dict[str, str] = {}
        self.fault = ""

    def call(self, key: str, effect: Callable[[], str]) -> str:
        fault, self.fault = self.fault, ""
        if fault == "overloaded":
            raise Unknown("asked_too_often", retry_after=7)
        if fault == "silent":
            raise Unknown("no_answer", is_outage=True)
        if key not in self.results:
            self.results[key] = effect()
        if fault == "answer_lost":
            raise Unknown("answer_lost", is_outage=True)
        return self.results[key]

    def change(self, object_id: str, **fields: object) -> str:
        self.payments[object_id] = replace(self.payments[object_id], **fields)  # type: ignore[arg-type]
        return object_id


class ToyProvider(PaymentProvider):
    name: ClassVar[str] = "toy"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.CONFIRM, Capability.REFUND, Capability.WEBHOOK, Capability.LIST}
    )

    def __init__(self, bank: ToyBank, *, secret: str) -> None:
        self._bank = bank
        self._secret = secret

    def create(self, request: CreateRequest) -> RemotePayment:
        def effect() -> str:
            object_id = f"toy_{len(self._bank.payments) + 1}"
            action = Action(ActionKind.REDIRECT, url=f"https://toy.test/{object_id}")
            self._bank.made_at[object_id] = datetime.now(UTC)
            self._bank.payments[object_id] = RemotePayment(
                object_id, RemoteStatus.OPEN, request.amount, request.payment_id, is_live=False, action=action
            )
            return object_id

        return self.read(self._bank.call(request.key, effect))

    def read(self, object_id: str) -> RemotePayment:
        if object_id not in self._bank.payments:
            raise ObjectNotFound("no_such_payment")
        return self._bank.payments[object_id]

    def cancel(self, object_id: str, *, key: str) -> RemotePayment:
        if self.read(object_id).status is not RemoteStatus.SUCCEEDED:
            ended = {"status": RemoteStatus.CANCELLED, "action": None}
            self._bank.call(key, lambda: self._bank.change(object_id, **ended))
        return self.read(object_id)

    def confirm(self, request: ConfirmRequest) -> RemotePayment:
        """Capture what the buyer approved on the bank's page."""
        now = self.read(request.object_id)
        if now.status not in {RemoteStatus.APPROVED, RemoteStatus.SUCCEEDED}:
            raise Refused("not_approved", remote=now)
        taken = (Capture(f"take_{request.object_id}", now.amount),)
        done = {"status": RemoteStatus.SUCCEEDED, "captures": taken, "action": None}
        return self.read(self._bank.call(request.key, lambda: self._bank.change(request.object_id, **done)))

    def refund(self, request: RefundRequest) -> RemoteRefund:
        def effect() -> str:
            now = self.read(request.object_id)
            back = Money.total((one.amount for one in now.refunds), request.amount.currency)
            if back + request.amount > now.amount:
                raise Refused("more_than_the_rest")
            made = RemoteRefund(
                f"back_{request.key}", request.amount, RemoteRefundStatus.SUCCEEDED, request.refund_id
            )
            self._bank.change(request.object_id, refunds=(*now.refunds, made))
            return made.refund_id

        return self.read_refund(self._bank.call(request.key, effect), currency=request.amount.currency)

    def read_refund(self, refund_id: str, *, currency: str) -> RemoteRefund:
        for payment in self._bank.payments.values():
            for refund in payment.refunds:
                if refund.refund_id == refund_id:
                    return refund
        raise ObjectNotFound("no_such_refund")

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        if not self._secret:
            raise CannotVerify("no_secret")
        good = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(good.encode(), headers.get("Toy-Signature", "").encode()):
            raise BadSignature("wrong_signature")
        result = json.loads(body)
        status = RemoteStatus(result["status"]) if "status" in result else None
        return ProviderEvent(
            result["event_id"], result["kind"], (result["object_id"],), is_live=False, status=status
        )

    def list_payments(self, since: datetime, until: datetime) -> list[RemotePayment]:
        made = self._bank.made_at
        return [one for one in self._bank.payments.values() if since <= made[one.object_id] < until]


@dataclass(frozen=True)
class ToyConfig(ProviderConfig):
    secret: str = variable("TOY_SECRET", secret=True)


BANK = ToyBank()
FACTS = ProviderFacts(
    name="toy",
    label="Toy Bank",
    config=ToyConfig,
    build=lambda config: ToyProvider(BANK, secret=config.secret) if config.secret else None,
    methods=(MethodFacts("credit_card", countries=frozenset({"US"})),),
    limits=lambda config, method, currency, convert: (
        Limits(100, 50_000, step=1) if currency == "USD" else None
    ),
    keys=KeyRules(longest=32, lifetime=timedelta(hours=24)),
    page=Page(PageKind.REDIRECT),
    csp=lambda config: {"form-action": ("https://toy.test",)},
)
