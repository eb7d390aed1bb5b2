"""Random trade on days of our choice: orders, payments, refunds, disputes and checkouts, through the services."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from django.utils import timezone

from artisans.accounts.models import User
from artisans.core.errors import DomainError
from artisans.core.money import Money
from artisans.journeys.models import Channel, Device, ProblemKind, Step
from artisans.journeys.services import (
    Visit,
    journey_place,
    journey_problems_add,
    journey_reach,
    journey_start,
    journeys_merge,
)
from orders.models import Order
from orders.statuses import OrderStatus
from payments.bookkeeping.refunds import refund_finish
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Payment, PaymentRefund, Receipt, ReversalReason
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus, RemoteRefundStatus
from payments.refunds.staff import refund_open
from payments.statuses import OPEN, SETTLED
from payments.tests.factories import apply_card_captures, give_back, record, remote_refund_of, start

OFFLINE = (PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK)
SHOWN = [step for step in Step if step not in {Step.STARTED, Step.PLACED}]


class Trade:
    """`step` does one random thing; what the shop refuses is no thing."""

    def __init__(self, seed: int, *, staff: User, products: list[Any]) -> None:
        self.random = random.Random(seed)  # noqa: S311  # a test
        self.staff, self.products = staff, products
        self.carts: list[Any] = []
        self.disputes: dict[Any, int] = {}
        self.steps: list[Callable[[], object]] = [
            *(
                self.place,
                self.place,
                self.place_by_card,
                self.receive,
                self.receive,
                self.capture,
                self.capture,
            ),
            *(self.choose, self.give_back, self.refund, self.finish_refund, self.fail_refund, self.reverse),
            *(
                self.dispute,
                self.cancel,
                self.expire,
                self.begin,
                self.go_on,
                self.go_on,
                self.stumble,
                self.merge,
            ),
        ]

    def step(self) -> None:
        with suppress(DomainError, IndexError):
            self.random.choice(self.steps)()

    def one(self, rows: Any) -> Any:
        """Errors: IndexError if there is none."""
        return self.random.choice(list(rows.order_by("created_at", "pk")))

    def place(self, method: PaymentMethod | None = None) -> None:
        items = {self.random.choice(self.products): self.random.randint(1, 2)}
        email = f"buyer{self.random.randint(1, 10**6)}@example.test"
        start(method or self.random.choice(OFFLINE), items, email=email)

    def place_by_card(self) -> None:
        self.place(PaymentMethod.CREDIT_CARD)

    def receive(self) -> None:
        payment = self.one(Payment.objects.filter(payment_provider="manual", status__in=OPEN))
        amount = payment.amount if self.random.random() < 0.7 else Money(100, payment.currency)
        record(payment, amount, actor=self.staff, reference=f"STMT-{uuid4().hex}")

    def capture(self) -> None:
        apply_card_captures(self.one(Payment.objects.filter(payment_provider="stripe", status__in=OPEN)))

    def choose(self) -> None:
        payment = self.one(Payment.objects.filter(payment_provider="manual", status__in=OPEN))
        payment_choose_method(order_id=payment.order_id, method=self.random.choice(OFFLINE), actor=self.staff)

    def give_back(self) -> None:
        payment = self.one(Payment.objects.filter(payment_provider="manual", received_minor__gt=0))
        give_back(payment, "1.00", actor=self.staff, reference=f"OUT-{uuid4().hex}")

    def refund(self) -> None:
        payment = self.one(Payment.objects.filter(payment_provider="stripe", status__in=SETTLED))
        refund_open(
            payment_id=payment.pk, reason="chipped", actor=self.staff, amount=Money(200, payment.currency)
        )

    def finish_refund(self) -> None:
        refund = self.one(PaymentRefund.objects.filter(payment__payment_provider="stripe"))
        refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund))

    def fail_refund(self) -> None:
        """Also one that was completed."""
        refund = self.one(PaymentRefund.objects.filter(payment__payment_provider="stripe"))
        refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund, RemoteRefundStatus.FAILED))

    def reverse(self) -> None:
        receipt = self.one(Receipt.objects.filter(reversal=None))
        receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=self.staff)

    def dispute(self) -> None:
        """Opened, lost, then won."""
        payment = self.one(
            Payment.objects.filter(payment_provider="stripe", captures__isnull=False).distinct()
        )
        count = self.disputes.get(payment.pk, 0)
        status = [RemoteDisputeStatus.OPEN, RemoteDisputeStatus.LOST, RemoteDisputeStatus.WON][count % 3]
        self.disputes[payment.pk] = count + 1
        remote = RemoteDispute(f"du_{payment.pk.hex}", Money(300, payment.currency), status)
        apply_card_captures(payment, disputes=(remote,))

    def cancel(self) -> None:
        order = self.one(Order.objects.filter(status__in=[OrderStatus.PENDING, OrderStatus.CONFIRMED]))
        order_cancel(order_id=order.pk, reason="", actor=self.staff)

    def expire(self) -> None:
        due = Order.objects.filter(status=OrderStatus.PENDING, expires_at__lt=timezone.now())
        order_expire(order_id=self.one(due.exclude(payments__payment_provider="stripe")).pk)

    # ---- checkouts -----------------------------------------------------------------------------------------------

    def visit(self) -> Visit:
        return Visit(
            self.random.choice([Channel.PAGE, Channel.API]),
            self.random.choice([*Device]),
            is_staff=self.random.random() < 0.1,
        )

    def begin(self) -> None:
        self.carts.append(uuid4())
        journey_start(cart_id=self.carts[-1], currency="USD", visit=self.visit())

    def go_on(self) -> None:
        cart = self.random.choice(self.carts)
        if self.random.random() < 0.3:
            journey_place(
                cart_id=cart,
                order_id=uuid4(),
                placed_at=timezone.now(),
                currency="USD",
                country="US",
                visit=self.visit(),
            )
            return
        journey_reach(cart_id=cart, step=self.random.choice(SHOWN), currency="USD", visit=self.visit())

    def stumble(self) -> None:
        journey_problems_add(
            step=Step.DETAILS,
            kind=ProblemKind.FORM,
            codes=self.random.sample(["email", "city", "postal_code"], 2),
            visit=self.visit(),
            cart_id=self.random.choice(self.carts),
        )

    def merge(self) -> None:
        first, second = self.random.sample(self.carts, 2) if len(self.carts) > 1 else (None, None)
        if first and second:
            journeys_merge(guest_cart_id=first, cart_id=second)
