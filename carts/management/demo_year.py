"""A year of believable trade for the demo shop, made by the services of the shop while its clock is moved.

The same seed makes the same year, up to random keys. Nothing is asked of payment providers, and no email is sent.
"""

import heapq
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.catalog.models.product import BUYABLE
from artisans.catalog.services import Count, products_lock, stock_count, stock_snapshots
from artisans.core.changes import changes_note
from artisans.core.errors import DomainError
from artisans.core.money import Money
from artisans.journeys.models import COLUMNS, Channel, Device, Journey, JourneyProblem, ProblemKind, Step
from artisans.notifications.models import Notification
from orders.models import Parcel
from orders.quoting import quote_products
from orders.selectors import store_rules
from orders.services.parcels import parcel_deliver, parcel_ship
from orders.services.placing import Buyer, PlacedOrder, order_place
from orders.statuses import PARCELS_UNSHIPPED, CashHolder
from payments.bookkeeping.earnings import earnings_release
from payments.bookkeeping.fraud_warnings import fraud_warning_record
from payments.bookkeeping.provider_calls import provider_call_finish
from payments.bookkeeping.refunds import refund_finish
from payments.errors import MethodNotOffered
from payments.gateway.sync import payment_apply_remote_state
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.offer import choose_provider
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipts import payment_reject, receipt_record
from payments.lifecycle.start import payment_start
from payments.methods import PaymentMethod
from payments.models import CallState, EventState, Payment, ProviderCall, ProviderRequest, WebhookEvent
from payments.providers.contract import (
    Capture,
    DeclineGroup,
    RemoteAttempt,
    RemoteDispute,
    RemoteDisputeStatus,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteStatus,
)
from payments.providers.round_trips import RequestOutcome
from payments.refunds.manual import money_return_record
from payments.refunds.staff import refund_open

SEED = 20261130
DAYS = 365
STOCK = 5000  # of each product, so that nothing sells out
RECOVERED = 8  # percent of orders whose checkout was abandoned first
MONTHS = (7, 8, 8, 9, 11, 9, 7, 7, 9, 11, 16, 20)  # how busy each month is
WEEKDAYS = (9, 9, 9, 10, 11, 12, 14)
METHODS = {
    PaymentMethod.CREDIT_CARD: 52,
    PaymentMethod.DEBIT_CARD: 8,
    PaymentMethod.PAYPAL: 22,
    PaymentMethod.BANK_TRANSFER: 11,
    PaymentMethod.CHECK: 3,
    PaymentMethod.CASH_ON_DELIVERY: 4,
}
DECLINES = {
    (DeclineGroup.FUNDS, "insufficient_funds"): 40,
    (DeclineGroup.DECLINED, "generic_decline"): 30,
    (DeclineGroup.AUTHENTICATION, "authentication_failed"): 12,
    (DeclineGroup.FIX_DATA, "incorrect_cvc"): 10,
    (DeclineGroup.EXPIRED, "expired_card"): 8,
}
BRANDS = {"visa": 55, "mastercard": 33, "amex": 12}
NAMES = (
    "Alex",
    "Billie",
    "Casey",
    "Dana",
    "Eden",
    "Frankie",
    "Gray",
    "Harper",
    "Indigo",
    "Jules",
    "Kit",
    "Lee",
)
PLACES = (
    ("Astoria", "OR", "97103"),
    ("Portland", "OR", "97201"),
    ("Seattle", "WA", "98101"),
    ("Boise", "ID", "83702"),
)
REASONS = (
    "A scratch on the glaze.",
    "The colour differs from the picture.",
    "It arrived late for a birthday.",
)
PROBLEMS = (
    (Step.DETAILS, ProblemKind.FORM, "postal_code"),
    (Step.DETAILS, ProblemKind.FORM, "email"),
    (Step.PAYMENT, ProblemKind.DECLINED, "card_declined"),
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REQUESTS_KEPT = 34 * DAY  # and events of providers; they are purged later
REQUESTS = {
    "stripe": ("POST /v1/checkout/sessions", "GET /v1/checkout/sessions/{id}"),
    "paypal": ("POST /v2/checkout/orders", "POST /v2/checkout/orders/{id}/capture"),
}
EVENTS = {"stripe": "checkout.session.completed", "paypal": "PAYMENT.CAPTURE.COMPLETED"}


class DemoYear:
    """`orders`: about how many. `say`: called with a line of progress for each month."""

    def __init__(self, *, orders: int, say: Callable[[str], None]) -> None:
        self.random = random.Random(SEED)  # noqa: S311  # a demo
        self.orders, self.say = orders, say
        self.staff = User.objects.get(email="admin@demo.test")
        self.store = store_rules()
        self.end = self.now = timezone.now()
        self.waiting: list[tuple[datetime, int, Callable[[], object]]] = []
        self.numbers = count(1)
        self.remotes: dict[UUID, RemotePayment] = {}
        self.made: dict[str, int] = {"orders": 0, "abandoned": 0}

    @transaction.atomic
    def make(self) -> dict[str, int]:
        """All of it, or nothing. Returns how many orders and abandoned checkouts there are."""
        known = set(Notification.objects.values_list("pk", flat=True))
        with self.moved_clock():
            self.now = self.end - DAYS * DAY
            stock = self.stock_up()
            self.plan()
            self.run()
            self.now = self.end
            self.count(stock)
        Notification.objects.exclude(pk__in=known).delete()  # emails of the past, which nobody waits for
        return self.made

    @contextmanager
    def moved_clock(self) -> Iterator[None]:
        """The time is `now`, and workers are told of nothing."""
        with patch("django.utils.timezone.now", lambda: self.now), patch("django.db.transaction.on_commit"):
            yield

    def stock_up(self) -> dict[UUID, int]:
        """The products for sale, and what was there of each."""
        products = Product.objects.filter(BUYABLE, is_active=True, stock__gt=0, currency=self.store.currency)
        self.products = list(products.order_by("slug"))
        self.weights = [self.random.randint(1, 10) for _ in self.products]
        stock = {row.pk: row.stock for row in self.products}
        self.count({pk: units + STOCK for pk, units in stock.items()})
        return stock

    def count(self, stock: dict[UUID, int]) -> None:
        snapshots = stock_snapshots(stock)
        counts = [Count(pk, units, snapshots[pk]) for pk, units in stock.items()]
        stock_count(counts=counts, reason="The demo's year", actor=self.staff)

    # ---- time ------------------------------------------------------------------------------------------------------

    def plan(self) -> None:
        """Place orders by season and weekday, more towards the end than at the beginning."""
        days = [self.now + number * DAY for number in range(DAYS)]
        busy = [
            MONTHS[day.month - 1] * WEEKDAYS[day.weekday()] * (DAYS + number)
            for number, day in enumerate(days)
        ]
        for day in self.random.choices(days, busy, k=self.orders):
            self.at(day + self.random.random() * DAY, self.buy)
        for day in self.random.choices(days, busy, k=self.orders * 3 // 2):
            self.at(day + self.random.random() * DAY, self.abandon)

    def at(self, moment: datetime, act: Callable[[], object]) -> None:
        heapq.heappush(self.waiting, (moment, next(self.numbers), act))

    def later(self, hours: float, act: Callable[[], object]) -> None:
        """After so many hours, more or less."""
        self.at(self.now + self.random.uniform(0.5, 1.5) * hours * HOUR, act)

    def run(self) -> None:
        month = ""
        while self.waiting and self.waiting[0][0] < self.end:
            self.now, _number, act = heapq.heappop(self.waiting)
            if (name := f"{self.now:%Y-%m}") != month:
                month = name
                self.say(f"{month} …")
            with suppress(DomainError), transaction.atomic():  # what the shop refuses does not happen
                act()

    def chance(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def choose(self, weights: dict[Any, int]) -> Any:
        [chosen] = self.random.choices(list(weights), list(weights.values()))
        return chosen

    # ---- buying ----------------------------------------------------------------------------------------------------

    def buy(self) -> None:
        method = self.choose(METHODS)
        if isinstance(choose_provider(method, amount=Money(1000, self.store.currency)), MethodNotOffered):
            method = PaymentMethod.BANK_TRANSFER
        with transaction.atomic():
            placed = self.place()
            try:
                with transaction.atomic():
                    payment = payment_start(placed, method=method, store=self.store)
            except DomainError:  # such as cash on delivery for a large order
                payment = payment_start(placed, method=PaymentMethod.BANK_TRANSFER, store=self.store)
        self.finish_calls(payment)
        self.made["orders"] += 1
        self.journey(list(Step), order_id=placed.order.pk, was_abandoned=self.chance(RECOVERED))
        if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
            self.later(40, partial(self.ship, payment))
        elif payment.is_remote:
            self.pay_at_provider(payment)
        elif self.chance(4):
            self.later(60, partial(self.reject, payment))
        elif self.chance(88):
            self.later(50, partial(self.receive, payment))
        else:
            self.expire(payment)

    def place(self) -> PlacedOrder:
        wanted = dict.fromkeys(
            self.random.choices(self.products, self.weights, k=self.choose({1: 70, 2: 22, 3: 8}))
        )
        number = self.random.randint(1, max(10, self.orders // 2))  # some buy again
        city, region, postal_code = PLACES[number % len(PLACES)]
        name = f"{NAMES[number % len(NAMES)]} {NAMES[number // 12 % len(NAMES)]}son"
        address = {"name": name, "line1": f"{number} Pier Road", "city": city, "region": region}
        address |= {"postal_code": postal_code, "country": "US"}
        items = [(row, self.choose({1: 85, 2: 12, 3: 3})) for row in wanted]
        return order_place(
            quote=quote_products(items, store=self.store),
            products=products_lock(row.pk for row in wanted),
            buyer=Buyer(f"buyer{number}@example.test", address, address),
            store=self.store,
            expires_at=self.now + timedelta(minutes=30),
        )

    def expire(self, payment: Payment) -> None:
        """An hour after its time, as nobody pays it."""
        due = payment.order.expires_at or self.now
        self.at(due + HOUR, partial(order_expire, order_id=payment.order_id))

    def reject(self, payment: Payment) -> None:
        """The buyer pays in another way."""
        payment_reject(payment_id=payment.pk, reason="The check was not signed.", actor=self.staff)
        other = PaymentMethod.BANK_TRANSFER
        change = payment_choose_method(order_id=payment.order_id, method=other, actor=self.staff)
        self.later(30, partial(self.receive, change.payment))

    def receive(self, payment: Payment, parcel: Parcel | None = None) -> None:
        reference = f"DEMO-YEAR-{next(self.numbers)}"
        amount, cash = payment.amount, dict[str, Any]()
        if parcel:
            amount, cash = parcel.total, {"parcel_id": parcel.pk, "holder": CashHolder.SHOP}
        money = IncomingMoney(amount, timezone.localdate(), reference, **cash)
        receipt_record(payment_id=payment.pk, money=money, actor=self.staff)
        if not parcel:
            self.paid(payment)

    # ---- payments at providers, which know nothing of it -----------------------------------------------------------

    def finish_calls(self, payment: Payment) -> None:
        for call in ProviderCall.objects.filter(payment=payment, state=CallState.OPEN):
            provider_call_finish(call, CallState.DONE)

    def pay_at_provider(self, payment: Payment) -> None:
        """Paid at once, after a decline, or never."""
        key = payment.payment_number
        Payment.objects.filter(pk=payment.pk).update(provider_payment_id=f"demo_year_{key}")
        self.remotes[payment.pk] = RemotePayment(
            object_id=f"demo_year_{key}",
            status=RemoteStatus.OPEN,
            amount=payment.amount,
            reference=str(payment.pk),
            is_live=False,
        )
        self.exchange(payment)
        is_card = payment.payment_method != PaymentMethod.PAYPAL
        if is_card and self.chance(2):
            self.challenge(payment)
            self.expire(payment)
            return
        if is_card and self.chance(11):
            self.decline(payment)
            if self.chance(40):
                self.apply(payment, status=RemoteStatus.CANCELLED)
                self.expire(payment)
                return
            self.now += timedelta(minutes=self.random.randint(1, 9))
        self.succeed(payment)

    def exchange(self, payment: Payment) -> None:
        """The requests to the provider, and its event; of some there is no answer, or it comes twice."""
        if self.end - self.now > REQUESTS_KEPT:
            return
        provider, now = payment.payment_provider, self.now
        for operation in REQUESTS[provider]:
            answer: dict[str, Any] = {"outcome": RequestOutcome.ANSWERED, "status_code": HTTPStatus.OK}
            answer["duration_ms"] = self.random.randint(150, 900)
            if self.chance(2):
                answer = {"outcome": RequestOutcome.UNKNOWN, "error_code": "timeout", "duration_ms": 20_000}
            ProviderRequest.objects.create(provider=provider, operation=operation, started_at=now, **answer)
        received_at = now + timedelta(seconds=self.random.uniform(0.5, 9))
        processed_at = received_at + timedelta(seconds=self.random.uniform(0.1, 2))
        WebhookEvent.objects.create(
            created_at=received_at,
            provider=provider,
            event_id=f"demo_event_{payment.payment_number}",
            kind=EVENTS[provider],
            content={},
            payment=payment,
            state=EventState.DONE,
            copies=2 if self.chance(4) else 1,
            tries=1,
            processed_at=processed_at,
            sent_at=now,
            first_processed_at=processed_at,
        )
        changes_note(("requests", now), ("messages", received_at))

    def apply(self, payment: Payment, **news: Any) -> None:
        remote = self.remotes[payment.pk] = replace(self.remotes[payment.pk], **news)
        payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause="demo data")

    def attempt(self, payment: Payment, three_d_secure: str = "", **result: Any) -> tuple[RemoteAttempt, ...]:
        """The attempts so far with a new one."""
        before = self.remotes[payment.pk].attempts
        is_card = payment.payment_method != PaymentMethod.PAYPAL
        if is_card and self.chance(30):
            three_d_secure = three_d_secure or "authenticated"
        made = RemoteAttempt(
            attempt_id=f"demo_attempt_{payment.payment_number}_{len(before) + 1}",
            amount=payment.amount,
            at=self.now,
            brand=self.choose(BRANDS) if is_card else "",
            three_d_secure=three_d_secure,
            three_d_secure_flow=self.choose({"frictionless": 60, "challenge": 40}) if three_d_secure else "",
            **result,
        )
        return (*before, made)

    def decline(self, payment: Payment) -> None:
        group, code = self.choose(DECLINES)
        result = {"is_success": False, "decline": group, "decline_code": code}
        if group == DeclineGroup.AUTHENTICATION:
            result["three_d_secure"] = "failed"
        self.apply(payment, attempts=self.attempt(payment, **result))

    def challenge(self, payment: Payment) -> None:
        """The bank asks for 3-D Secure, and the buyer leaves."""
        attempt = RemoteAttempt(
            attempt_id=f"demo_challenge_{payment.payment_number}",
            amount=payment.amount,
            is_success=False,
            is_challenged=True,
            challenge_id=f"demo_challenge_{payment.payment_number}",
            at=self.now,
            brand=self.choose(BRANDS),
            three_d_secure_flow="challenge",
        )
        self.apply(payment, attempts=(attempt,))
        self.apply(payment, status=RemoteStatus.CANCELLED)

    def succeed(self, payment: Payment) -> None:
        fee = payment.amount.share(29_000) + Money(30, payment.currency)
        capture = Capture(f"demo_capture_{payment.payment_number}", payment.amount, fee)
        attempts = self.attempt(payment, is_success=True)
        self.apply(payment, status=RemoteStatus.SUCCEEDED, captures=(capture,), attempts=attempts)
        self.paid(payment)

    # ---- afterwards ------------------------------------------------------------------------------------------------

    def paid(self, payment: Payment) -> None:
        """What happens to most orders, and to some."""
        if self.chance(3):
            self.later(8, partial(self.cancel, payment))
            return
        self.later(self.choose({20: 50, 45: 35, 110: 15}), partial(self.ship, payment))
        if self.chance(5):
            self.later(250, partial(self.refund, payment))
        elif payment.is_remote and self.chance(1.2):
            self.later(500, partial(self.dispute, payment))
        elif payment.payment_provider == "stripe" and self.chance(0.5):
            self.later(300, partial(self.warn, payment))

    def parcels(self, payment: Payment) -> list[Parcel]:
        return list(payment.order.parcels.select_related("artisan__user").order_by("number"))

    def ship(self, payment: Payment) -> None:
        for parcel in self.parcels(payment):
            if parcel.status in PARCELS_UNSHIPPED:
                actor = parcel.artisan.user or self.staff
                parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=actor)
        self.later(70, partial(self.deliver, payment))

    def deliver(self, payment: Payment) -> None:
        for parcel in self.parcels(payment):
            parcel_deliver(parcel_id=parcel.pk, actor=parcel.artisan.user or self.staff)
            if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
                self.later(30, partial(self.receive, payment, parcel))
        if self.chance(2):
            self.later(100, partial(self.take_back, payment))
        keys = [parcel.pk for parcel in self.parcels(payment)]
        due = self.now + self.store.hold_days * DAY + HOUR
        self.at(due, partial(earnings_release, order_id=payment.order_id, parcel_ids=keys))

    def take_back(self, payment: Payment) -> None:
        parcel = self.random.choice(self.parcels(payment))
        parcel_return(parcel_id=parcel.pk, restock=True, actor=self.staff)
        self.finish_refunds(payment)

    def cancel(self, payment: Payment) -> None:
        order_cancel(order_id=payment.order_id, reason="Ordered twice.", actor=self.staff, refund=True)
        self.finish_refunds(payment)

    def refund(self, payment: Payment) -> None:
        """A part, or a third of the time all of it."""
        amount = (
            payment.amount if self.chance(33) else payment.amount.share(self.random.randint(80, 300) * 1000)
        )
        reason = self.random.choice(REASONS)
        if payment.is_remote:
            refund_open(payment_id=payment.pk, reason=reason, actor=self.staff, amount=amount)
            self.finish_refunds(payment)
            return
        money_return_record(
            payment_id=payment.pk,
            amount=amount,
            value_date=timezone.localdate(),
            bank_reference=f"DEMO-YEAR-OUT-{next(self.numbers)}",
            reason=reason,
            actor=self.staff,
            beyond_owed=True,
        )

    def finish_refunds(self, payment: Payment) -> None:
        """The provider made all refunds that were asked of it."""
        self.finish_calls(payment)
        for refund in payment.refunds.filter(processed_at=None):
            key, status = f"demo_refund_{refund.refund_number}", RemoteRefundStatus.SUCCEEDED
            remote = RemoteRefund(key, refund.amount, status, reference=str(refund.pk))
            refund_finish(refund_id=refund.pk, remote=remote)

    def dispute(self, payment: Payment, status: RemoteDisputeStatus = RemoteDisputeStatus.OPEN) -> None:
        disputed = RemoteDispute(
            f"demo_dispute_{payment.payment_number}", payment.amount, status, "fraudulent"
        )
        self.apply(payment, disputes=(disputed,))
        if status == RemoteDisputeStatus.OPEN:
            decided = RemoteDisputeStatus.WON if self.chance(40) else RemoteDisputeStatus.LOST
            self.later(900, partial(self.dispute, payment, decided))

    def warn(self, payment: Payment) -> None:
        warning_id = f"demo_warning_{payment.payment_number}"
        fraud_warning_record(payment=payment, warning_id=warning_id, fraud_type="", warned_at=self.now)

    # ---- checkouts -------------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        steps = list(Step)[:-1]
        reached = steps[: self.random.choices(range(1, len(steps) + 1), range(len(steps), 0, -1))[0]]
        in_cart = self.random.choices(self.products, self.weights, k=self.random.randint(1, 3))
        journey = self.journey(reached, abandoned_minor=sum(product.price_minor for product in in_cart))
        self.made["abandoned"] += 1
        if self.chance(20):
            step, kind, code = self.random.choice(PROBLEMS)
            problem = {"channel": journey.channel, "step": step, "kind": kind, "code": code, "at": self.now}
            JourneyProblem.objects.create(journey=journey, **problem)
            changes_note(("problems", self.now))

    def journey(self, reached: list[Step], **fields: Any) -> Journey:
        """Each step took a minute or so, the last of them now."""
        moments = [
            self.now - (len(reached) - number) * timedelta(seconds=70)
            for number in range(1, len(reached) + 1)
        ]
        changes_note(("journeys", moments[0]))
        return Journey.objects.create(
            cart_id=uuid4(),
            channel=Channel.PAGE,
            device=self.choose({Device.NARROW: 60, Device.WIDE: 40}),
            currency=self.store.currency,
            delivery_country="US" if Step.DELIVERY in reached else "",
            last_at=moments[-1],
            **fields,
            **{COLUMNS[step]: moment for step, moment in zip(reached, moments, strict=True)},
        )
