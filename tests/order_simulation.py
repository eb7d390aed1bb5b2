"""Random histories of orders: money that arrives late, twice or in parts; undelivered or returned products; refunds,
disputes and decisions; cash that is collected and deposited; movements at the provider; earnings that are released and
held back, in any order. Operations that the shop refuses are part of the history.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.core.errors import DomainError
from artisans.core.money import Money
from artisans.earnings.disputes import order_follow_disputes
from artisans.earnings.holds import HoldRequest, hold_end, hold_expire, hold_place
from artisans.earnings.models import Hold, HoldReason
from artisans.earnings.releases import order_release_earnings
from artisans.earnings.selectors import available_minor
from artisans.ledger.selectors import balances_of_order
from orders.models import Order, OrderLine, Parcel, StoreRules
from orders.owed import IS_OWED, OWED_MINOR
from orders.pricing import PriceInput, Quote, TaxTerms, quote
from orders.services.parcels import parcel_deliver, parcel_ship
from orders.services.placing import load_placed_order
from orders.statuses import (
    PARCELS_SHIPPED,
    PARCELS_UNSHIPPED,
    CashHolder,
    CommissionOnRefund,
    FeeBearer,
    ParcelStatus,
    TaxRemitter,
)
from orders.tests.factories import place
from payments.bookkeeping.movements import movements_explain, movements_record
from payments.bookkeeping.payments import payment_move
from payments.bookkeeping.refund_amounts import RefundLineInput, RefundSelection
from payments.bookkeeping.refunds import refund_finish
from payments.lifecycle.cancel_and_expire import (
    order_cancel_locked,
    order_expire_locked,
    parcel_cannot_deliver,
)
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record, cash_deposit_reverse
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.lifecycle.start import payment_start
from payments.methods import PaymentMethod
from payments.models import Bearer, CashDeposit, Payment, PaymentRefund, RefundDecision, ReversalReason
from payments.providers import contract
from payments.providers.contract import MovementKind, RemoteDispute, RemoteMovement, RemoteRefund
from payments.refunds.staff import refund_decide_locked, refund_open
from payments.selectors import balance_after_refunds, cash_to_deposit, refund_due
from payments.statuses import OPEN, DisputeStatus, PaymentStatus, RefundStatus
from payments.tests.factories import apply_card_captures, give_back, record, remote_refund_of
from tests.invariants import find_broken
from tests.order_replay import recount

ACTIONS = 16


@dataclass
class People:
    buyer: User
    staff: User
    admin: User
    store: StoreRules
    products: list[Product]


@dataclass
class OrderSimulation:
    """One order and its history. `story` lists what happened, for debugging."""

    dice: random.Random
    people: People
    order: Order
    story: list[str] = field(default_factory=list)
    disputes: dict[str, RemoteDispute] = field(default_factory=dict)

    of_money: list[Callable[[], object]] = field(default_factory=list)

    @property
    def actions(self) -> list[Callable[[], object]]:
        parts = [self.cannot_deliver_units, self.cannot_deliver_units, self.ship_units]
        goods = [self.not_coming, *parts, self.ship, self.ship, self.come_back, self.restock]
        ends = [self.cancel, self.expire] if self.dice.random() < 0.3 else []
        earnings = [*[self.release] * 3, self.hold, self.end_hold, self.outlast_hold]
        return [*goods, *ends, *earnings, *self.of_money, *self.of_money]

    def live(self) -> None:
        for _ in range(ACTIONS):
            action = self.dice.choice(self.actions)
            self.order = Order.objects.get(pk=self.order.pk)
            try:
                with transaction.atomic():
                    said = action()
                self.story.append(f"{action.__name__} {said or ''}")
            except DomainError as refused:
                self.story.append(f"({action.__name__}: {refused.code})")
                continue
            check_owed_of(self.order.pk, self.story)
            check_books_of(self.order.pk, self.story)
        self.withdraw()  # as the worker does with an unneeded provider payment

    # ---- parcels ---------------------------------------------------------------------------------------------------

    def parcel(self, statuses: tuple[ParcelStatus, ...]) -> Parcel:
        """One in such a status, or any."""
        parcels = list(self.order.parcels.select_related("artisan__user").order_by("number"))
        return self.dice.choice([p for p in parcels if p.status in statuses] or parcels)

    def not_coming(self) -> str:
        parcel = self.parcel(PARCELS_UNSHIPPED)
        parcel_cannot_deliver(parcel_id=parcel.pk, reason="broken", actor=parcel.artisan.user)
        return f"parcel {parcel.number} of {parcel.total}"

    def cannot_deliver_units(self) -> str:
        parcel = self.parcel(PARCELS_UNSHIPPED)
        units = self.some_units(parcel)
        restock = self.dice.random() < 0.5
        before = Order.objects.get(pk=self.order.pk).cancelled_minor
        parcel_cannot_deliver(
            parcel_id=parcel.pk, reason="broken", actor=parcel.artisan.user, units=units, restock=restock
        )
        minor = Order.objects.get(pk=self.order.pk).cancelled_minor - before
        return (
            f"{[*units.values()]} of parcel {parcel.number} for {minor}, {'' if restock else 'not '}restocked"
        )

    def ship_units(self) -> str:
        parcel = self.parcel(PARCELS_UNSHIPPED)
        units = self.some_units(parcel)
        parcel_ship(parcel_id=parcel.pk, carrier="Post", tracking="", actor=parcel.artisan.user, units=units)
        return f"{[*units.values()]} of parcel {parcel.number}"

    def some_units(self, parcel: Parcel) -> dict[UUID, int]:
        return {line.pk: self.dice.randint(0, line.quantity) for line in parcel.lines.all()}

    def ship(self) -> str:
        parcel = self.parcel(PARCELS_UNSHIPPED)
        parcel_ship(parcel_id=parcel.pk, carrier="Post", tracking="", actor=parcel.artisan.user)
        return f"parcel {parcel.number} of {parcel.total}"

    def come_back(self) -> str:
        parcel = self.parcel(PARCELS_SHIPPED)
        if parcel.status in PARCELS_UNSHIPPED:
            parcel_ship(parcel_id=parcel.pk, carrier="Post", tracking="", actor=parcel.artisan.user)
        elif self.dice.random() < 0.3:
            parcel_deliver(parcel_id=parcel.pk, actor=parcel.artisan.user)
        parcel_return(parcel_id=parcel.pk, actor=parcel.artisan.user, restock=self.dice.random() < 0.5)
        return f"parcel {parcel.number} of {parcel.total}"

    def cancel(self) -> None:
        self.withdraw()
        order_cancel_locked(
            order_id=self.order.pk,
            reason="",
            actor=self.people.admin,
            parcels=None,
            refund=self.dice.random() < 0.5,
            seen_minor=None,
        )

    def expire(self) -> None:
        self.withdraw()
        Order.objects.filter(pk=self.order.pk, status="PENDING").update(
            expires_at=timezone.now() - timedelta(1)
        )
        order_expire_locked(order_id=self.order.pk)

    def withdraw(self) -> None:
        for payment in self.order.payments.filter(status__in=OPEN):
            if payment.is_remote:
                payment_move(payment, PaymentStatus.CANCELLED, cause="withdrawn at the provider")

    def restock(self) -> None:
        """Set the stock to none or plenty."""
        Product.objects.filter(pk__in=[p.pk for p in self.people.products]).update(
            stock=self.dice.choice((0, 50))
        )

    # ---- offline money ---------------------------------------------------------------------------------------------

    def amount(self, most: int) -> Money:
        """All of it, exactly the amount due, or a part."""
        usual = [most, self.order.refund_due.minor, self.order.balance_due.minor]
        some = [self.dice.randint(1, max(1, most // part)) for part in (1, 3, 10)]
        return self.order.money(self.dice.choice([minor for minor in (*usual, *some) if minor]))

    def payment(self) -> Payment:
        return self.dice.choice(list(self.order.payments.order_by("created_at")))

    def arrive(self) -> str:
        amount = self.amount(self.order.total_minor * 5 // 4)
        record(self.payment(), amount, actor=self.people.staff, reference=f"IN-{self.dice.random()}")
        return str(amount)

    def bounce(self) -> str:
        payment = self.payment()
        receipts = list(payment.receipts.filter(reversal=None).order_by("created_at"))
        if not receipts:
            return "nothing"
        receipt = self.dice.choice(receipts)
        receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=self.people.staff)
        return str(receipt.amount)

    def return_by_hand(self) -> str:
        payment = self.payment()
        amount = self.amount(payment.net_received_minor)
        give_back(payment, amount.amount, actor=self.people.staff, reference=f"OUT-{self.dice.random()}")
        return str(amount)

    # ---- cash on delivery ------------------------------------------------------------------------------------------

    def collect(self) -> str:
        parcel = self.parcel(PARCELS_SHIPPED)
        part = self.dice.choice((1, 1, 2))
        amount, holder = self.order.money(parcel.cash_due.minor // part), self.dice.choice(list(CashHolder))
        reference = f"CASH-{self.dice.random()}"
        record(
            self.payment(),
            amount,
            actor=self.people.staff,
            reference=reference,
            parcel_id=parcel.pk,
            holder=holder,
        )
        return f"{amount} by {holder}"

    def deposit(self) -> str:
        holder = self.dice.choice((CashHolder.SHOP, CashHolder.COURIER))
        receipts = list(cash_to_deposit(holder))
        receipts = self.dice.sample(receipts, self.dice.randint(min(1, len(receipts)), len(receipts)))
        total = sum(receipt.left_minor for receipt in receipts)
        fee = self.dice.choice((0, total // 20))
        money = IncomingMoney(
            self.order.money(total - fee), timezone.localdate(), f"DEP-{self.dice.random()}"
        )
        cash_deposit_record(
            receipt_ids=[receipt.pk for receipt in receipts],
            holder=holder,
            money=money,
            fee=self.order.money(fee),
            actor=self.people.staff,
        )
        return f"{money.amount} of {holder}"

    def undo_deposit(self) -> str:
        deposit = CashDeposit.objects.order_by("created_at").last()
        if deposit is None:
            return "nothing"
        cash_deposit_reverse(deposit_id=deposit.pk, reason="another shop’s", actor=self.people.staff)
        return str(deposit.total)

    # ---- what artisans earn ----------------------------------------------------------------------------------------

    def release(self) -> str:
        """As the periodic task does; nothing has to be waited for after shipping."""
        unshipped = self.order.parcels.filter(status__in=PARCELS_UNSHIPPED)
        if self.order.released_at and unshipped and self.dice.random() < 0.7:
            self.ship()
        return f"{order_release_earnings(self.order.pk)} earnings"

    def hold(self) -> str:
        artisan = self.parcel(()).artisan
        available = max(0, available_minor(artisan.pk, self.order.currency))
        request = HoldRequest(
            amount=self.order.money(self.dice.choice((available, available // 2))),
            reason=HoldReason.STAFF,
            note="under review",
            order=self.dice.choice((None, self.order)),
            stops_releases=not available or self.dice.random() < 0.2,
        )
        hold_place(artisan_id=artisan.pk, request=request, actor=self.people.admin)
        return f"{request.amount}"

    def end_hold(self) -> str:
        hold = Hold.objects.filter(released_at=None).order_by("created_at").last()
        if hold is None:
            return "nothing"
        hold_end(hold_id=hold.pk, actor=self.people.admin)
        return str(hold.amount)

    def outlast_hold(self) -> str:
        """The time of the reserves is over."""
        reserves = Hold.objects.filter(until__isnull=False)
        reserves.update(until=timezone.now())
        return f"{sum(hold_expire(hold.pk) for hold in reserves)} holds"

    def follow_disputes(self) -> str:
        return f"{order_follow_disputes(self.order.pk)} holds"

    # ---- money at the provider -------------------------------------------------------------------------------------

    def read_movements(self) -> str:
        """Some of what the provider lists by now, perhaps before the shop knows of it."""
        payment = self.payment()
        found = list(movements_of(payment))
        chosen = self.dice.sample(found, self.dice.randint(min(1, len(found)), len(found)))
        movements_record(payment.payment_provider, chosen)
        movements_explain(payment.payment_provider)
        return ", ".join(f"{row.kind} {row.gross}" for row in chosen)

    def pay(self) -> str:
        payment = self.payment()
        apply_card_captures(payment)
        return payment.payment_number

    def pay_again(self) -> str:
        """Another payment, the first being withdrawn; both may be captured."""
        self.withdraw()
        if self.order.status == "PENDING":
            payment_start(
                load_placed_order(self.order), method=PaymentMethod.CREDIT_CARD, store=self.people.store
            )
        return ""

    def refund(self, **request: object) -> str:
        payment = self.payment()
        if not request:
            request = {
                "amount": self.amount(payment.refundable.minor),
                "borne_by": self.dice.choice(list(Bearer)),
            }
        refund = refund_open(payment_id=payment.pk, reason="chipped", actor=self.people.staff, **request)  # type: ignore[arg-type]
        return f"{refund.amount}, {refund.goodwill} of it goodwill"

    def refund_units(self) -> str:
        lines = [line for line in self.order.lines.all() if line.refundable_quantity]
        chosen = self.dice.sample(lines, min(len(lines), self.dice.choice((0, 1, 1, 2))))
        asked = tuple(
            RefundLineInput(line.pk, self.dice.randint(1, line.refundable_quantity)) for line in chosen
        )
        shipping = self.dice.random() < 0.4
        return f"{len(chosen)} lines, " + self.refund(
            items=RefundSelection(asked, with_shipping=shipping or not asked)
        )

    def answer(self) -> str:
        """The provider reports the status of a refund; a completed one may still fail."""
        live = PaymentRefund.objects.filter(payment__order=self.order).exclude(status=RefundStatus.FAILED)
        refund = self.dice.choice(list(live) or [None])
        if refund is None:
            return "nothing"
        status = self.dice.choice(
            [contract.RemoteRefundStatus.SUCCEEDED] * 4 + [contract.RemoteRefundStatus.FAILED]
        )
        if refund.origin == "provider":
            remote = RemoteRefund(refund.provider_refund_id or "", refund.amount, status)
        else:
            remote = remote_refund_of(refund, status)
        refund_finish(refund_id=refund.pk, remote=remote)
        return f"{refund.amount} {status}"

    def dashboard(self) -> str:
        """Someone refunds in the provider's dashboard."""
        payment = self.payment()
        amount = self.amount(payment.refundable.minor)
        status = self.dice.choice(
            [contract.RemoteRefundStatus.SUCCEEDED] * 3 + [contract.RemoteRefundStatus.PENDING]
        )
        apply_card_captures(payment, refunds=(RemoteRefund(f"re_{self.dice.random()}", amount, status),))
        return f"{amount} {status}"

    def decide(self) -> str:
        refunds = PaymentRefund.objects.filter(payment__order=self.order, decision=RefundDecision.PENDING)
        refund = refunds.first()
        if refund is None:
            return "nothing"
        lines = [line for line in OrderLine.objects.filter(order=self.order) if line.refundable_quantity]
        if lines and self.dice.random() < 0.5:
            asked = (RefundLineInput(self.dice.choice(lines).pk, 1),)
            refund_decide_locked(
                refund_id=refund.pk,
                decision=RefundDecision.RESTOCK,
                actor=self.people.staff,
                lines=asked,
                parcels={},
            )
            return f"goods of {refund.amount}"
        refund_decide_locked(
            refund_id=refund.pk,
            decision=RefundDecision.NOTHING,
            actor=self.people.staff,
            lines=(),
            parcels={},
        )
        return f"nothing of {refund.amount}"

    def dispute(self) -> str:
        payment = self.payment()
        known = self.disputes.get(str(payment.pk))
        order = [
            contract.RemoteDisputeStatus.OPEN,
            contract.RemoteDisputeStatus.LOST,
            contract.RemoteDisputeStatus.WON,
        ]
        amount = known.amount if known else self.amount(payment.received_minor)
        status = self.dice.choice(order[1:] if known else order)
        found = RemoteDispute(f"dp_{payment.pk.hex}", amount, status)
        apply_card_captures(payment, disputes=(found,))
        self.disputes[str(payment.pk)] = found
        return f"{amount} {status}"


def random_quote(items: Mapping[Product, int], dice: random.Random) -> Quote:
    """Prices with their tax or without, several rates, taxed shipping, discounts, steps, and reverse charge."""
    step = dice.choice((1, 1, 1, 10))
    terms = TaxTerms(
        prices_include_tax=dice.random() < 0.6,
        gross_fixed=dice.random() < 0.5,
        is_rounded_per_document=dice.random() < 0.3,
        shipping_rate_ppm=dice.choice((None, None, 0, 70_000)),
        is_reverse_charge=dice.random() < 0.15,
        step=step,
    )
    inputs = []
    for product, quantity in items.items():
        price = product.price_minor // step * step
        off = dice.choice((0, 0, dice.randint(0, price * quantity // step // 2) * step))
        rate = dice.choice((0, 70_000, 190_000, 255_000))
        price_input = PriceInput(
            product.pk, product.artisan_id, product.price, quantity, rate, "VAT", 190_000, discount_minor=off
        )
        inputs.append(replace(price_input, unit_price=Money(price, product.currency)))
    shipping = 599 // step * step
    off = dice.choice((0, dice.randint(0, shipping // step) * step))
    return quote(inputs, currency="USD", shipping=Money(shipping, "USD"), shipping_discount=off, terms=terms)


def simulate_once(seed: int, people: People, *, at_random_prices: bool = True) -> OrderSimulation:
    """A random history from a seed. Errors: AssertionError with its story."""
    dice = random.Random(seed)  # noqa: S311  # a game, not a secret
    items = {
        product: dice.randint(1, 3) for product in dice.sample(people.products, dice.choice((1, 2, 2, 3, 3)))
    }
    Product.objects.filter(pk__in=[p.pk for p in people.products]).update(stock=50)
    StoreRules.objects.update(
        hold_days=0,
        longest_hold_days=0,
        return_days=0,
        reserve_days=30,
        reserve_ppm=dice.choice((0, 100_000)),
        commission_on_refund=dice.choice(list(CommissionOnRefund)),
        tax_remitter=dice.choice(list(TaxRemitter)),
        payment_fee_bearer=dice.choice(list(FeeBearer)),
    )
    method = dice.choice(
        (PaymentMethod.CREDIT_CARD, PaymentMethod.BANK_TRANSFER, PaymentMethod.CASH_ON_DELIVERY)
    )
    offer = random_quote(items, random.Random(f"prices {seed}")) if at_random_prices else None  # noqa: S311  # as above
    placed = place(items, user=people.buyer, quote=offer)
    life = OrderSimulation(
        dice, people, placed.order, story=[f"seed {seed}: {placed.order.total} by {method}"]
    )
    payment_start(placed, method=method, store=people.store)
    life.of_money = [life.arrive, life.arrive, life.bounce, life.return_by_hand, life.return_by_hand]
    is_cash = method == PaymentMethod.CASH_ON_DELIVERY
    if is_cash:
        life.of_money += [*[life.collect] * 4, life.deposit, life.deposit, life.undo_deposit]
    if method == PaymentMethod.CREDIT_CARD:
        news = [life.dashboard, life.decide, life.dispute, life.follow_disputes, life.read_movements]
        life.of_money = [life.pay, life.pay_again, life.refund, life.refund_units, *news, *[life.answer] * 3]
        if dice.random() < 0.8:
            life.pay()
    elif dice.random() < (0.2 if is_cash else 0.6):
        record(life.payment(), placed.order.total, actor=people.staff, reference="IN-0")
    life.live()
    return life


def check_owed_of(order_id: object, story: list[str]) -> None:
    """The property, the query, what can still be sent, and the second count agree."""
    order = Order.objects.get(pk=order_id)
    result = "\n".join(story)
    [(in_query,)] = Order.objects.filter(pk=order.pk).values_list(OWED_MINOR)
    is_listed = Order.objects.filter(IS_OWED, pk=order.pk).exists()
    payments = list(order.payments.all())
    due, walk = balance_after_refunds(order).owed, recount(order)
    assert (in_query, is_listed) == (order.refund_due.minor, bool(order.refund_due)), f"query\n{result}"
    assert order.owed.total == order.refund_due, f"reasons\n{result}"
    assert due == walk.due, f"{due} is due, the second count says {walk.due}\n{result}"
    assert sum(refund_due(order, p) for p in payments) >= due, f"{due} can go back by no payment\n{result}"
    if any(payment.refund_reserved_minor for payment in payments):
        return
    assert order.refund_due.minor == walk.due, f"{order.refund_due} owed, second count {walk.due}\n{result}"
    if not order.unassigned_minor:
        assert order.balance_due.minor == walk.outstanding, (
            f"{order.balance_due} to pay, second count {walk.outstanding}\n{result}"
        )


def check_books_of(order_id: object, story: list[str]) -> None:
    """The invariants hold. Once all parcels that come are earned, the ledger holds for the order what is owed to its
    buyer, and nothing else."""
    broken = find_broken()
    assert not broken, "\n".join([broken, *story])
    order = Order.objects.get(pk=order_id)
    held = sum(row.on_account.minor for row in balances_of_order(order.pk) if row.account.kind == "order")
    is_earned = order.released_at and order.is_alive and not order.balance.outstanding
    is_settled = not order.unassigned_minor and not any(p.refund_reserved_minor for p in order.payments.all())
    if is_earned and is_settled:
        assert held == order.refund_due.minor, (
            f"{order.refund_due} owed, the ledger holds {held}\n" + "\n".join(story)
        )


def movements_of(payment: Payment) -> Iterator[RemoteMovement]:
    """What the provider lists of a payment."""
    captures = [row.provider_capture_id for row in payment.captures.order_by("provider_capture_id")]
    for row in payment.captures.all():
        yield movement(row.provider_capture_id, MovementKind.PAYMENT, row.amount, fee=row.amount_minor // 30)
    for refund in payment.refunds.exclude(provider_refund_id=None):
        number = str(refund.provider_refund_id)
        yield movement(number, MovementKind.REFUND, back(refund.amount))
        if refund.status == RefundStatus.FAILED:
            yield movement(number, MovementKind.REFUND_FAILED, refund.amount)
    for dispute in payment.disputes.all():
        of = {"capture_id": captures[0] if captures else ""}
        yield movement(
            dispute.provider_dispute_id, MovementKind.DISPUTE, back(dispute.amount), fee=1500, **of
        )
        if dispute.status == DisputeStatus.WON:
            yield movement(dispute.provider_dispute_id, MovementKind.REVERSAL, dispute.amount, **of)


def back(amount: Money) -> Money:
    return Money(-amount.minor, amount.currency)


def movement(
    source: str, kind: MovementKind, gross: Money, *, fee: int = 0, capture_id: str = ""
) -> RemoteMovement:
    return RemoteMovement(
        movement_id=f"txn_{source}_{kind}",
        kind=kind,
        code=kind.value,
        gross=gross,
        fee=Money(fee, gross.currency),
        occurred_at=timezone.now(),
        source_id=source,
        capture_id=capture_id,
    )
