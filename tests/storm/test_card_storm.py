"""Buyers who do anything in any order, a provider with faults, and SIGKILL of web and worker at random moments.

Each round is random with a seed. `STORM_ROUNDS` says how many, `STORM_SEED` where to begin; a failure names its seed.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from urllib.error import HTTPError
from uuid import UUID

import pytest
from django.db import connection

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from orders.models import Order
from payments.models import Payment
from tests.invariants import check_invariants
from tests.live.cards import (
    INTENTS,
    PAID,
    forget_outage,
    object_of,
    reset_sandbox,
    status,
    still_open,
    time_passes,
)
from tests.live.runner import Answer, Caller, Sandbox, Shop, meanwhile, together, wait_for
from tests.live.users import Visitor, order_body, order_page
from tests.provider_journal import check_provider_journal

pytestmark = [
    pytest.mark.crash,
    pytest.mark.storm,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("postgres_only", "clean_database"),
]

ROUNDS = int(os.environ.get("STORM_ROUNDS", "1"))
FIRST_SEED = int(os.environ.get("STORM_SEED", "1"))
PEOPLE, ACTIONS, KILLS = 6, 8, 3
STOCK = 40
FAULTS = (
    "drop_after",
    "drop_before",
    "error_after",
    "truncate",
    "html",
    "empty",
    "rate_limit",
    "unavailable",
)
PATHS = (
    INTENTS,
    f"{INTENTS}/*/confirm",
    f"{INTENTS}/*/cancel",
    f"{INTENTS}/*",
    "/v1/refunds",
    "/v1/checkout/*",
)
EXPECTED = {0, 200, 201, 400, 402, 409, 502, 503}


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox) -> Iterator[Shop]:
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000") as shop:
        sandbox.tell(shop)
        shop.start()
        yield shop


class Buyer:
    """A buyer with one order at a time and random actions."""

    def __init__(
        self, dice: random.Random, caller: Caller, shop: Shop, sandbox: Sandbox, goods: Product
    ) -> None:
        self.dice, self.caller, self.shop, self.sandbox, self.goods = dice, caller, shop, sandbox, goods
        self.order: Order | None = None
        self.promised: set[UUID] = set()  # payments of which the shop said that they are done
        self.answers: list[Answer] = []

    def live(self) -> None:
        try:
            for _ in range(ACTIONS):
                action = self.dice.choices(self.actions, weights=(3, 4, 4, 2, 1, 2, 2, 1))[0]
                action()
                time.sleep(self.dice.uniform(0, 0.3))
        finally:
            connection.close()

    @property
    def actions(self) -> tuple[Callable[[], None], ...]:
        choose = [partial(self.choose, method) for method in ("credit_card", "bank_transfer")]
        return (self.buy, self.confirm, self.pay, *choose, self.come_back, self.cancel, self.refund)

    def call(self, path: str, body: object) -> Answer:
        answer = self.caller.post(path, body)
        self.answers.append(answer)
        result = answer.body if answer.is_good else {}
        payment = result.get("payment") or result
        if payment.get("status") == "COMPLETED":
            self.promised.add(UUID(payment["id"]))
        return answer

    def buy(self) -> None:
        answer = self.call("/orders/", order_body((self.goods, 1), method="credit_card"))
        if answer.is_good:
            self.order = Order.objects.get(pk=answer.body["order"]["id"])

    def payment(self) -> Payment | None:
        if self.order is None:
            return None
        return self.order.payments.order_by("created_at").last()

    def confirm(self) -> None:
        if payment := self.payment():
            cards = ("pm_card_visa", "pm_card_visa", "pm_card_visa_chargeDeclined")
            body = {"payment_intent_id": str(payment.pk), "payment_method_id": self.dice.choice(cards)}
            self.call("/payments/confirm", body)

    def pay(self) -> None:
        """Pay at the provider without the shop's involvement."""
        payment = self.payment()
        if payment is None or not payment.provider_payment_id:
            return
        try:
            self.sandbox.post("stripe/pay", payment_intent=object_of(payment), payment_method="pm_card_visa")
        except HTTPError:
            return  # paid, cancelled or gone

    def choose(self, method: str) -> None:
        if self.order is not None:
            self.call("/payments/intents", {"order_id": str(self.order.pk), "payment_method": method})

    def come_back(self) -> None:
        if self.order is not None:
            try:
                page = Visitor(self.shop.url).get(f"{order_page(self.order)}return/")
            except OSError:
                return  # killed
            assert page.status_code in EXPECTED, page.text

    def cancel(self) -> None:
        if self.order is not None:
            self.call(f"/orders/{self.order.pk}/cancel", {})

    def refund(self) -> None:
        """A person in the provider's dashboard."""
        payment = self.payment()
        if payment is None or payment.status != "COMPLETED":
            return
        try:
            self.sandbox.post("stripe/refund", payment_intent=object_of(payment), amount=1000)
        except HTTPError:
            return


def storm(dice: random.Random, shop: Shop, sandbox: Sandbox, stop: threading.Event) -> None:
    """Faults at the provider, and kills; whatever is killed is started again, as a supervisor does."""
    for _ in range(KILLS):
        for _ in range(2):
            sandbox.fault(
                dice.choice(FAULTS),
                path=dice.choice(PATHS),
                skip=dice.randrange(3),
                count=dice.randrange(1, 3),
            )
        if stop.wait(dice.uniform(0.2, 1.2)):
            return
        victim = dice.choice((shop.web, shop.web, shop.worker))
        victim.kill()
        victim.start()


def calm(shop: Shop, sandbox: Sandbox) -> None:
    """Faults end and time passes, without help from staff."""
    sandbox.delete("faults")
    time_passes()  # if no server was up to receive a message, only the periodic check of its payment finds the money

    def is_calm() -> bool:
        forget_outage(shop)
        if not still_open():
            return True
        time_passes()
        time.sleep(1.5)
        return not still_open()

    try:
        wait_for(is_calm, seconds=120)
    except AssertionError:
        raise AssertionError(f"this stays open: {still_open()}") from None


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + ROUNDS))
def test_storm(shop: Shop, sandbox: Sandbox, caller, buyers, seed: int):
    reset_sandbox(sandbox)
    sandbox.post("webhooks", mode="on", copies=2)
    goods = ProductFactory.create(stock=STOCK)
    people = [
        Buyer(random.Random(f"{seed} {n}"), caller(user), shop, sandbox, goods)  # noqa: S311  # a storm
        for n, user in enumerate(buyers(PEOPLE))
    ]

    with meanwhile(partial(storm, random.Random(seed), shop, sandbox)):  # noqa: S311
        together([person.live for person in people])
    calm(shop, sandbox)

    assert {answer.status for person in people for answer in person.answers} <= EXPECTED
    check_provider_journal(sandbox)
    check_invariants()
    for person in people:
        for payment in Payment.objects.filter(pk__in=person.promised):
            assert status(payment)[0] in {PAID[0], "PARTIALLY_REFUNDED", "REFUNDED"}, "promised and forgotten"
    alive = Order.objects.exclude(status__in=["CANCELLED", "EXPIRED"]).count()
    assert Product.objects.get(pk=goods.pk).stock == STOCK - alive
