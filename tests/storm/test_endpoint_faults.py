"""Every endpoint of a provider fails in every way while someone pays, refunds, cancels or disputes.

While it lasts nothing false is booked, the buyer's page is true and staff are warned. Afterwards the money at the
provider is the money in our books, and the warnings are gone. `make storm` runs all cases, the suite two of them.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.models import User
from artisans.core.errors import DomainError
from payments.gateway import connection
from payments.gateway.payments import payment_confirm, payment_ensure_at_provider
from payments.methods import PaymentMethod
from payments.models import CallState, Dispute, EventState, Payment, PaymentRefund, ProviderCall, WebhookEvent
from payments.providers import registry
from payments.providers.facts import ProviderFacts
from payments.providers.paypal import certificates
from payments.providers.paypal import provider as paypal_provider
from payments.providers.paypal.client import PayPalClient
from payments.selectors import alerts_open, flags_open
from payments.statuses import DisputeStatus, PaymentStatus
from payments.tasks import check_alerts_task
from payments.tests.factories import refund, reread, start
from payments.tests.periodic import expire_orders, process_due
from tests.invariants import check_invariants
from tests.provider_journal import check_provider_journal

pytestmark = [
    pytest.mark.storm,
    pytest.mark.django_db,
    pytest.mark.usefixtures("store", "impatient"),
]

PATIENCE = 1.0  # seconds that the shop waits for an answer: on a busy machine too, only faults last longer
SILENCE = 4.0  # seconds that the provider delays an answer, unless the fault ends earlier
REFUSALS = ("unauthorized", "forbidden")
FAULTS: dict[str, dict[str, Any]] = {
    "401": {"action": "unauthorized"},
    "403": {"action": "forbidden"},
    "timeout, never happens": {"action": "drop_before", "seconds": SILENCE},
    "timeout, happens later": {"action": "hold_before", "seconds": SILENCE},
    "timeout, has happened": {"action": "hold_after", "seconds": SILENCE},
}
ID = re.compile(r"(?<=/)(?:[a-z]+_\w{8,}|CERT-[^/]+|(?=[A-Z0-9-]*\d)[A-Z0-9-]{8,})")


class ImpatientRegistry:
    """The registry, with a short time-out for Stripe."""

    def __getattr__(self, name: str) -> Any:
        return getattr(registry, name)

    def readable_config(self, facts: ProviderFacts) -> Any:
        config = registry.readable_config(facts)
        return replace(config, read_timeout=PATIENCE) if facts.name == "stripe" else config


@pytest.fixture
def impatient(monkeypatch) -> Iterator[None]:
    """The shop has a short timeout, so that a delayed answer is a real timeout."""
    times = (3.0, PATIENCE)
    monkeypatch.setattr(connection, "registry", ImpatientRegistry())
    monkeypatch.setattr(paypal_provider, "PayPalClient", partial(PayPalClient, timeout=times))
    monkeypatch.setattr(certificates, "TIMEOUT", times)
    connection.configured.cache_clear()
    yield
    connection.configured.cache_clear()


# ---- journeys ----------------------------------------------------------------------------------------------------


@dataclass
class Journey:
    """Faults do not affect `prepare`. They affect `go`, which is repeated after a failure."""

    sandbox: Any
    buyer: Client
    user: User
    staff: User
    deliver: Callable[..., list[int]]
    payment: Payment = field(init=False)

    provider: ClassVar[str]
    method: ClassVar[PaymentMethod]

    def prepare(self) -> None:
        self.payment = start(self.method, user=self.user)

    def go(self) -> None:
        raise NotImplementedError

    def is_done(self) -> bool:
        raise NotImplementedError

    def page(self, name: str) -> Any:
        return self.buyer.get(self.address(name))

    def address(self, name: str) -> str:
        return reverse(f"payments:{name}", args=[self.payment.order.access_token])

    def there(self) -> tuple[int, int, int]:
        """Minor units that were captured, refunded and disputed at the provider, whatever we know of it."""
        totals = self.sandbox.get("journal/totals", provider=self.provider)
        captured, refunded, disputed = (
            totals[name].get("usd", 0) for name in ("captured", "refunded", "disputed")
        )
        return captured, refunded, disputed


class Purchase(Journey):
    def is_done(self) -> bool:
        payment = reread(self.payment)
        return (payment.status, payment.order.payment_status) == ("COMPLETED", "PAID")


class Card(Purchase):
    """The provider's card element on our page."""

    provider, method = "stripe", PaymentMethod.CREDIT_CARD

    def go(self) -> None:
        if self.page("order_card").status_code == 200:
            self.sandbox.pay(self.payment)
            self.page("order_return")


class CardByCall(Purchase):
    """A client of the API confirms with a token of the provider."""

    provider, method = "stripe", PaymentMethod.CREDIT_CARD

    def go(self) -> None:
        try:
            payment_ensure_at_provider(self.payment)
            payment_confirm(self.payment.pk, method_id="pm_card_visa")
        except DomainError:
            return  # said to the client


class Hosted(Purchase):
    """From our page to the provider's, where the card is entered."""

    provider, method = "stripe", PaymentMethod.CREDIT_CARD

    def go(self) -> None:
        if self.page("order_card").status_code != 200:
            return
        if self.buyer.post(self.address("order_hosted")).status_code == 303:
            self.sandbox.pay(self.payment)
            self.page("order_return")


class Wallet(Purchase):
    """Approved at PayPal, captured by us."""

    provider, method = "paypal", PaymentMethod.PAYPAL

    def go(self) -> None:
        answer = self.buyer.post(self.address("order_pay"), {"payment_method": self.method})
        if answer.status_code == 303:
            self.sandbox.approve(self.payment)
            self.page("order_return")


class Refund(Journey):
    """Staff send a part back."""

    def prepare(self) -> None:
        super().prepare()
        self.pay()

    def pay(self) -> None:
        raise NotImplementedError

    def go(self) -> None:
        if not PaymentRefund.objects.exists():
            refund(self.payment, "20.00", actor=self.staff)

    def is_done(self) -> bool:
        return (reread(self.payment).status, self.payment.refunded_minor) == ("PARTIALLY_REFUNDED", 2000)


class PaidByCard(Journey):
    provider, method = "stripe", PaymentMethod.CREDIT_CARD

    def pay(self) -> None:
        Card.go(self)
        assert Purchase.is_done(self)


class PaidByWallet(Journey):
    provider, method = "paypal", PaymentMethod.PAYPAL

    def pay(self) -> None:
        Wallet.go(self)
        assert Purchase.is_done(self)


class CardRefund(PaidByCard, Refund):
    pass


class WalletRefund(PaidByWallet, Refund):
    pass


class Cancel(Journey):
    """The buyer cancels what could be paid by now."""

    def prepare(self) -> None:
        super().prepare()
        payment_ensure_at_provider(self.payment)

    def go(self) -> None:
        page = reverse("payments:order_cancel", args=[self.payment.order_id])
        self.buyer.post(page, {"reason": "Changed my mind."})

    def is_done(self) -> bool:
        return (reread(self.payment).status, self.payment.order.status) == ("CANCELLED", "CANCELLED")


class CardCancel(Cancel):
    provider, method = "stripe", PaymentMethod.CREDIT_CARD


class HostedCancel(CardCancel):
    def prepare(self) -> None:
        super().prepare()
        assert self.buyer.post(self.address("order_hosted")).status_code == 303


class WalletCancel(Cancel):
    provider, method = "paypal", PaymentMethod.PAYPAL


class DisputeLost(Journey):
    """The buyer's bank claims the money back and gets it; messages that we do not take are sent again."""

    def prepare(self) -> None:
        super().prepare()
        self.pay()
        self.dispute = ""

    def pay(self) -> None:
        raise NotImplementedError

    def go(self) -> None:
        if not self.dispute:
            opened = self.sandbox.post(f"{self.provider}/dispute", **self.disputed())
            self.dispute = opened.get("id") or opened["dispute_id"]
            self.hear()
            self.sandbox.post(f"{self.provider}/close_dispute", dispute=self.dispute, outcome="lost")
        self.hear()

    def disputed(self) -> dict[str, str]:
        raise NotImplementedError

    def hear(self) -> None:
        self.deliver(*self.sandbox.events(), path=f"/payments/webhooks/{self.provider}")
        process_due()

    def is_done(self) -> bool:
        lost = Dispute.objects.filter(payment=self.payment, status=DisputeStatus.LOST)
        return lost.exists() and reread(self.payment).status == PaymentStatus.REFUNDED


class CardDispute(PaidByCard, DisputeLost):
    def disputed(self) -> dict[str, str]:
        return {"payment_intent": reread(self.payment).provider_payment_id}


class WalletDispute(PaidByWallet, DisputeLost):
    def disputed(self) -> dict[str, str]:
        return {"capture": self.payment.captures.get().provider_capture_id}


# The requests of each journey to its provider. A test compares them with the provider's request log.
INTENTS, SESSIONS, ORDERS = "/v1/payment_intents", "/v1/checkout/sessions", "/v2/checkout/orders"
ENDPOINTS: dict[type[Journey], list[str]] = {
    Card: [f"POST {INTENTS}", f"GET {INTENTS}/*", "GET /v1/charges", "GET /v1/disputes"],
    CardByCall: [f"POST {INTENTS}", f"POST {INTENTS}/*/confirm"],
    Hosted: [
        f"POST {INTENTS}",
        f"POST {INTENTS}/*/cancel",
        f"GET {INTENTS}/*",
        f"POST {SESSIONS}",
        f"GET {SESSIONS}/*",
        "GET /v1/charges",
        "GET /v1/disputes",
    ],
    Wallet: ["POST /v1/oauth2/token", f"POST {ORDERS}", f"GET {ORDERS}/*", f"POST {ORDERS}/*/capture"],
    CardRefund: ["POST /v1/refunds"],
    WalletRefund: ["POST /v2/payments/captures/*/refund"],
    CardCancel: [f"POST {INTENTS}/*/cancel", f"GET {INTENTS}/*"],
    HostedCancel: [f"POST {SESSIONS}/*/expire", f"GET {SESSIONS}/*"],
    WalletCancel: [f"GET {ORDERS}/*"],
    CardDispute: [f"GET {INTENTS}/*", "GET /v1/disputes"],
    WalletDispute: [
        "GET /v1/notifications/certs/*",
        f"GET {ORDERS}/*",
        "GET /v1/customer/disputes",
        "GET /v1/customer/disputes/*",
    ],
}


@pytest.fixture
def travel(request, shopper, staff, browser, deliver) -> Callable[[type[Journey]], Journey]:
    def begin(kind: type[Journey]) -> Journey:
        journey = kind(request.getfixturevalue(kind.provider), browser(shopper), shopper, staff, deliver)
        journey.prepare()
        return journey

    return begin


# ---- what must hold ----------------------------------------------------------------------------------------------


def check_page(journey: Journey) -> None:
    """The order page shows the state at the provider, or that it is still unknown; then it requests no payment."""
    answer = journey.page("order")
    assert answer.status_code == 200
    payment, order = reread(journey.payment), journey.payment.order
    shown, text = answer.context["state"].label, answer.content.decode()
    captured, refunded, disputed = journey.there()
    assert order.received_minor <= captured, "booked, but never taken"
    assert payment.refunded_minor <= refunded, "refund booked, but never sent"
    if shown == "Paid":
        assert captured >= order.total_minor
    if captured > order.received_minor:
        assert shown in {"Checking", "In review"}, shown
        assert "Do not pay again." in text
        assert not answer.context["can_pay_now"]
    if "We refunded" in text:
        assert refunded or disputed


def check_staff_know(journey: Journey, action: str) -> None:
    """A refused key is shown to staff at once; other failures recover, are shown, or are retried."""
    if action in REFUSALS:
        assert alerts_open().exists() or flags_open().exists(), "a refused key is not reported"
        return
    waits = ProviderCall.objects.filter(state=CallState.OPEN, tries__gt=0)
    unread = WebhookEvent.objects.filter(state__in=[EventState.RECEIVED, EventState.WAITING])
    checked = Payment.objects.filter(next_check_at__isnull=False)
    assert journey.is_done() or any(
        rows.exists() for rows in (alerts_open(), flags_open(), waits, unread, checked)
    )


def check_end(journey: Journey) -> None:
    payment = reread(journey.payment)
    ours = (payment.received_minor, payment.refunded_minor, payment.disputed_minor)
    assert ours == journey.there()
    assert journey.is_done(), (payment.status, payment.order.status)
    assert [str(alert) for alert in alerts_open()] == []
    kinds = {flag.kind for flag in flags_open()}
    assert kinds <= ({"dispute"} if isinstance(journey, DisputeLost) else set()), kinds
    assert not ProviderCall.objects.filter(state=CallState.OPEN).exists()
    if journey.provider == "stripe":
        check_provider_journal(journey.sandbox)
    check_invariants()


def requests_of(sandbox: Any, skip: int = 0) -> list[str]:
    """Method and path of what the provider was sent, ids as stars; each once, in their order."""
    rows = sandbox.get("requests")["rows"][skip:]
    return list(dict.fromkeys(f"{row['method']} {ID.sub('*', row['path'])}" for row in rows))


def pass_time(time_machine: Any, minutes: int) -> None:
    time_machine.move_to(timezone.now() + timedelta(minutes=minutes))
    process_due()
    expire_orders()
    check_alerts_task()


# ---- cases -------------------------------------------------------------------------------------------------------

IS_STORM = "STORM_ROUNDS" in os.environ
CASES = [
    pytest.param(journey, endpoint, fault, id=f"{journey.__name__}: {endpoint}: {fault}")
    for journey, endpoints in ENDPOINTS.items()
    for endpoint in endpoints
    for fault in FAULTS
]
IN_SUITE = {
    "Card: GET /v1/payment_intents/*: 403",
    "Wallet: POST /v2/checkout/orders/*/capture: timeout, has happened",
}


if IS_STORM:

    @pytest.mark.parametrize("kind", ENDPOINTS, ids=lambda kind: kind.__name__)
    def test_cases_cover_every_endpoint_of_a_journey(travel, time_machine, kind):
        journey = travel(kind)
        before = len(journey.sandbox.get("requests")["rows"])

        journey.go()
        pass_time(time_machine, 2)

        check_end(journey)
        assert requests_of(journey.sandbox, before) == ENDPOINTS[kind]


@pytest.mark.parametrize(
    ("kind", "endpoint", "fault"), [case for case in CASES if IS_STORM or case.id in IN_SUITE]
)
def test_endpoint_failure_misbooks_nothing_and_misleads_nobody(travel, time_machine, kind, endpoint, fault):
    journey = travel(kind)
    method, path = endpoint.split()
    journey.sandbox.fault(**FAULTS[fault], method=method, path=path, count=None)

    journey.go()
    check_page(journey)
    pass_time(time_machine, 2)
    check_page(journey)
    check_staff_know(journey, FAULTS[fault]["action"])

    assert journey.sandbox.get("faults")["rows"][0]["matched"], "the fault met no request"
    journey.sandbox.delete("faults")
    time.sleep(0.05)  # a held request continues at the provider
    for _ in range(3):
        pass_time(time_machine, 6)
        check_page(journey)
    if not journey.is_done():
        journey.go()
    pass_time(time_machine, 11)
    check_end(journey)
