"""Random trade on days of our choice: orders, payments, refunds, disputes and checkouts, through the services."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
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
from carts.models import Cart, CartItem
from orders.models import Order
from orders.statuses import OrderStatus
from payments.bookkeeping.attempts import attempts_record, challenges_expire
from payments.bookkeeping.fraud_warnings import fraud_warning_record
from payments.bookkeeping.provider_requests import requests_record
from payments.bookkeeping.refunds import refund_finish
from payments.bookkeeping.review_flags import flag_raise
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.lifecycle.receipts import payment_reject
from payments.methods import PaymentMethod
from payments.models import (
    AttemptOutcome,
    EventState,
    FlagKind,
    Payment,
    PaymentAttempt,
    PaymentRefund,
    Receipt,
    ReversalReason,
    WebhookEvent,
)
from payments.providers.contract import (
    DeclineGroup,
    ProviderEvent,
    RemoteAttempt,
    RemoteDispute,
    RemoteDisputeStatus,
    RemoteRefundStatus,
)
from payments.providers.round_trips import RoundTrip
from payments.refunds.staff import refund_open
from payments.statuses import OPEN, SETTLED, PaymentStatus
from payments.tests.factories import apply_card_captures, give_back, record, remote_refund_of, start
from payments.webhooks.events import Outcome
from payments.webhooks.inbox import save_outcome, webhook_receive
from payments.webhooks.refusals import refusal_record

OFFLINE = (PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK)
SHOWN = [step for step in Step if step not in {Step.STARTED, Step.PLACED}]


class Trade:
    """`step` does one random thing; if the shop refuses it, another. `is_live`: the mode of Stripe's keys."""

    is_live = False

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
            *(
                self.place_by_card,
                self.place_by_card,
                self.decline,
                self.decline,
                self.challenge,
                self.answer,
            ),
            *(
                self.leave,
                self.reject,
                self.mismatch,
                self.begin,
                self.begin,
                self.choose,
                self.choose,
                *[self.dispute] * 5,
            ),
            *(self.capture, self.refund, self.refund, self.finish_refund, self.finish_refund),
            *(self.ask_provider, self.ask_provider, self.hear, self.hear, self.hear_again, self.process),
        ]

    def step(self) -> None:
        for _ in range(20):
            with suppress(DomainError, IndexError):
                self.random.choice(self.steps)()
                return

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
        part = self.random.random()
        amount = (
            payment.amount
            if part < 0.4
            else payment.outstanding
            if part < 0.7
            else Money(100, payment.currency)
        )
        record(payment, amount, actor=self.staff, reference=f"STMT-{uuid4().hex}")

    def capture(self) -> None:
        payment = self.one(Payment.objects.filter(payment_provider="stripe", status__in=OPEN))
        apply_card_captures(payment, is_live=self.is_live)

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
        paid = Payment.objects.filter(payment_provider="stripe", captures__isnull=False).distinct()
        is_known = self.disputes and self.random.random() < 0.8
        payment = self.one(paid.filter(pk__in=self.disputes) if is_known else paid)
        count = self.disputes.get(payment.pk, 0)
        status = [RemoteDisputeStatus.OPEN, RemoteDisputeStatus.LOST, RemoteDisputeStatus.WON][count % 3]
        self.disputes[payment.pk] = count + 1
        remote = RemoteDispute(f"du_{payment.pk.hex}", Money(300, payment.currency), status)
        apply_card_captures(payment, disputes=(remote,), is_live=self.is_live)
        fraud_warning_record(
            payment=payment, warning_id=f"issfr_{payment.pk.hex}", fraud_type="misc", warned_at=None
        )

    def cancel(self) -> None:
        order = self.one(Order.objects.filter(status__in=[OrderStatus.PENDING, OrderStatus.CONFIRMED]))
        order_cancel(order_id=order.pk, reason="", actor=self.staff)

    def expire(self) -> None:
        due = Order.objects.filter(status=OrderStatus.PENDING, expires_at__lt=timezone.now())
        order_expire(order_id=self.one(due.exclude(payments__payment_provider="stripe")).pk)

    # ---- attempts, requests and messages -----------------------------------------------------------------------------

    def try_card(self, payment: Payment, attempt: RemoteAttempt) -> None:
        with transaction.atomic():
            attempts_record(payment, payment.order, [attempt])
            payment.save(update_fields=["declines"])

    def open_card(self) -> Payment:
        payment: Payment = self.one(Payment.objects.filter(payment_provider="stripe", status__in=OPEN))
        return payment

    def decline(self) -> None:
        """Of which the shop may learn days later."""
        payment, code = self.open_card(), self.random.choice(["do_not_honor", "generic_decline"])
        attempt = RemoteAttempt(
            f"ch_{uuid4().hex}",
            payment.amount,
            is_success=False,
            decline=DeclineGroup.DECLINED,
            decline_code=code,
            at=timezone.now() - timedelta(hours=self.random.choice([0, 1, 50])),
            method="card",
            three_d_secure=self.random.choice(["", "exempted", "authenticated", "authenticated", "failed"]),
        )
        self.try_card(payment, attempt)

    def challenge(self) -> None:
        payment = self.open_card()
        challenge_id = f"pi_{payment.pk.hex}:card"
        self.try_card(
            payment,
            RemoteAttempt(
                challenge_id,
                payment.amount,
                is_success=False,
                is_challenged=True,
                challenge_id=challenge_id,
                three_d_secure_flow="challenge",
            ),
        )

    def answer(self) -> None:
        row = self.one(PaymentAttempt.objects.filter(outcome=AttemptOutcome.CHALLENGED))
        attempt = RemoteAttempt(
            f"ch_{uuid4().hex}",
            row.payment.amount,
            is_success=False,
            challenge_id=f"pi_{row.payment_id.hex}:card",
            decline=DeclineGroup.FUNDS,
            decline_code="insufficient_funds",
            three_d_secure="authenticated",
        )
        self.try_card(row.payment, attempt)

    def leave(self) -> None:
        challenges_expire()

    def reject(self) -> None:
        payment = self.one(
            Payment.objects.filter(payment_method="bank_transfer", status=PaymentStatus.PENDING)
        )
        payment_reject(payment_id=payment.pk, reason="no money", actor=self.staff)

    def mismatch(self) -> None:
        """Also of one that was lost before."""
        payment = self.one(Payment.objects.filter(received_minor=0))
        flag_raise(payment, FlagKind.MISMATCH, "The provider has another amount.")

    def ask_provider(self) -> None:
        trip = RoundTrip(
            self.random.choice(["GET /v1/charges", "POST /v1/refunds"]),
            timezone.now() - timedelta(minutes=self.random.randint(0, 90)),
            self.random.randint(1, 9000),
        )
        if self.random.random() < 0.8:
            trip.answer(self.random.choice([200, 200, 402, 503]))
        requests_record(self.random.choice(["stripe", "paypal"]), [trip])

    def hear(self, event_id: str = "") -> None:
        """And a request that was not sent by the provider."""
        refusal_record(provider="stripe", reason="wrong_signature")
        at = timezone.now() - timedelta(seconds=self.random.choice([-2, 0, 3, 400]))
        event = ProviderEvent(
            event_id or f"evt_{uuid4().hex}",
            "charge.updated",
            ("pi_unknown",),
            is_live=self.is_live,
            created_at=at,
        )
        webhook_receive(
            name=self.random.choice(["stripe", "paypal"]) if not event_id else "stripe", provider_event=event
        )

    def hear_again(self) -> None:
        self.hear(self.one(WebhookEvent.objects.filter(provider="stripe")).event_id)

    def process(self) -> None:
        event = self.one(WebhookEvent.objects.filter(state=EventState.RECEIVED))
        state = self.random.choice([EventState.DONE, EventState.DEAD, EventState.STAFF])
        save_outcome(event, Outcome(state, ""), ended_at=timezone.now())

    # ---- checkouts -----------------------------------------------------------------------------------------------

    def visit(self) -> Visit:
        return Visit(
            self.random.choice([Channel.PAGE, Channel.API]),
            self.random.choice([*Device]),
            is_staff=self.random.random() < 0.1,
        )

    def begin(self) -> None:
        cart = Cart.objects.create(token_hash=uuid4().hex, currency="USD")
        product, quantity = self.products[0], 1 + len(self.carts) % 3
        price = {"seen_price_minor": product.price_minor, "seen_currency": "USD"}
        CartItem.objects.create(cart=cart, product=product, quantity=quantity, **price)
        self.carts.append(cart.pk)
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
