"""What an order owes its buyer, computed a second way: event by event, with money in envelopes.

`orders/owed.py` reads sums. This walks the rows in the order of their times and moves money between envelopes: what
covers the goods that still come (`covered`), what is the buyer's (`claim`), what nobody has said the purpose of
(`unassigned`). It shares no code with the product.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from artisans.audit.models import AuditEntry
from orders.models import LineCancellation, Order, OrderLine, OrderTransition, Parcel, ParcelTransition
from payments.models import (
    Capture,
    DisputeTransition,
    PaymentRefund,
    Receipt,
    RefundTransition,
)

CLOSED, GONE = {"CANCELLED", "EXPIRED"}, {"CANCELLED", "RETURNED"}


@dataclass
class OrderReplay:
    order: Order
    status: str = "PENDING"
    kept: int = 0
    covered: int = 0
    claim: int = 0
    unassigned: int = 0
    parcels: dict[UUID, Parcel] = field(default_factory=dict)
    lines: dict[UUID, OrderLine] = field(default_factory=dict)
    cancelled: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    already_back: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    named: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    shipping: int = 0
    reopened: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    applied: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    lost: dict[UUID, dict[UUID, int]] = field(default_factory=lambda: defaultdict(dict))
    taken: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    left: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    cash: defaultdict[UUID | None, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def due(self) -> int:
        """The buyer's money that is still held and not being refunded."""
        return min(self.claim, self.kept)

    @property
    def balance(self) -> int:
        return self.claim - self.unassigned

    @balance.setter
    def balance(self, minor: int) -> None:
        self.claim, self.unassigned = max(0, minor), max(0, -minor)

    @property
    def outstanding(self) -> int:
        return max(0, self.price() - self.covered)

    def price(self) -> int:
        """The price of the units still to be delivered, without refunded units."""
        if self.status in CLOSED:
            return 0
        shipping = sum(shipping_of(parcel) for parcel in self.parcels.values())
        goods = sum(self.price_of(line) for line in self.lines.values() if line.parcel_id in self.parcels)
        return goods + shipping - min(self.shipping, shipping)

    def price_of(self, line: OrderLine) -> int:
        """Refunds first give back what was cancelled although they had given it back before."""
        refunded = self.named[line.pk] - min(self.named[line.pk], self.already_back[line.pk])
        return line_value(line) - self.cancelled[line.pk] - refunded

    def paid_on_delivery(self) -> int:
        """The price of the parcels whose own cash is here."""
        prices = {pk: shipping_of(parcel) for pk, parcel in self.parcels.items()}
        for line in self.lines.values():
            if line.parcel_id in prices:
                prices[line.parcel_id] += line_value(line) - self.cancelled[line.pk]
        return sum(price for pk, price in prices.items() if 0 < self.cash[pk] >= price)

    # ---- envelopes -----------------------------------------------------------------------------------------------

    def cover(self, minor: int) -> None:
        """Money for the units; the surplus belongs to the buyer."""
        room = min(minor, self.outstanding)
        self.covered += room
        self.owe(minor - room)

    def owe(self, minor: int) -> None:
        """Money owed to the buyer; refunds without a purpose count first."""
        paid = min(minor, self.unassigned)
        self.unassigned -= paid
        self.claim += minor - paid

    def reprice(self) -> None:
        over = max(0, self.covered - self.price())
        self.covered -= over
        self.owe(over)

    # ---- events --------------------------------------------------------------------------------------------------

    def receive(self, payment: UUID, minor: int, parcel: UUID | None = None) -> None:
        self.cash[parcel] += minor
        self.kept += minor
        self.left[payment] += minor
        self.cover(minor)

    def reverse(self, payment: UUID, minor: int, parcel: UUID | None) -> None:
        self.cash[parcel] -= minor
        self.kept -= minor
        self.left[payment] -= minor
        from_claim = min(minor, self.claim)
        self.claim -= from_claim
        self.covered -= minor - from_claim

    def move(self, status: str) -> None:
        self.status = status
        if status in CLOSED:
            self.reprice()
        elif self.outstanding and self.claim:  # late money revived it
            again, self.claim = self.claim, 0
            self.cover(again)

    def lose(self, parcel: UUID) -> None:
        del self.parcels[parcel]
        self.reprice()

    def cancel_units(self, row: LineCancellation) -> None:
        self.cancelled[row.line_id] += row.amount_minor
        self.already_back[row.line_id] += row.refunded_minor
        self.reprice()

    def refund(self, refund: PaymentRefund, *, is_decided: bool) -> None:
        """A refund: first for its units, then for money owed to the buyer, then as goodwill."""
        minor = refund.amount_minor
        self.kept -= minor
        self.left[refund.payment_id] -= minor
        if not is_decided:
            self.reopened[refund.pk] = self.without_purpose(minor)
            return
        self.spend(refund, was_paid=not self.outstanding)

    def spend(self, refund: PaymentRefund, *, was_paid: bool) -> None:
        minor, covered, balance = refund.amount_minor, self.covered, self.balance
        goods = min(minor, self.name(refund, 1))
        self.covered -= goods
        self.reprice()
        claim = min(self.claim, minor - goods)
        self.claim -= claim
        if not was_paid:  # a part payment goes back, and is due again
            part_payment = max(0, covered - self.paid_on_delivery())
            self.covered -= min(minor - goods - claim, part_payment)
        self.applied[refund.pk] = self.covered - covered, self.balance - balance

    def without_purpose(self, minor: int) -> int:
        """Returns what is due again."""
        claim = min(self.claim, minor)
        self.claim -= claim
        if self.status == "PENDING":
            self.covered -= minor - claim
            return minor - claim
        self.unassigned += minor - claim
        return 0

    def name(self, refund: PaymentRefund, sign: int) -> int:
        """Count the units of a refund; returns their value among units still to be delivered."""
        before = self.price()
        for line in refund.lines.all():
            self.named[line.order_line_id] += sign * line.amount_minor
        self.shipping += sign * refund.shipping_minor
        return sign * (before - self.price())

    def decide(self, refund: PaymentRefund) -> None:
        """Staff decide what a refund was for: it is applied again for that purpose."""
        reopened, was_paid = self.reopened.pop(refund.pk, 0), not self.outstanding
        self.balance += refund.amount_minor - reopened
        self.cover(reopened)
        self.spend(refund, was_paid=was_paid)

    def fail(self, refund: PaymentRefund) -> None:
        """What a refund with a purpose took comes back where it was taken; goodwill was nobody's."""
        self.kept += refund.amount_minor
        self.left[refund.payment_id] += refund.amount_minor
        self.name(refund, -1)
        if refund.pk not in self.applied:
            self.cover(refund.amount_minor)
            return
        covered, balance = self.applied.pop(refund.pk)
        self.covered -= covered
        self.balance -= balance
        self.reprice()

    def dispute(self, payment: UUID, dispute: UUID, minor: int) -> None:
        self.lost[payment][dispute] = minor

    def follow_disputes(self) -> None:
        """A lost dispute takes the rest of its payment and returns it if it is won later."""
        for payment, lost in self.lost.items():
            now = min(sum(lost.values()), self.left[payment])
            more, self.taken[payment] = now - self.taken[payment], now
            self.kept -= more
            if more > 0:
                self.without_purpose(more)
            else:
                self.owe(-more)


def shipping_of(parcel: Parcel) -> int:
    """The shipping that is charged for a parcel, with its tax."""
    added = 0 if parcel.prices_include_tax else parcel.shipping_tax_minor
    return parcel.shipping_minor - parcel.shipping_discount_minor + added


def line_value(line: OrderLine) -> int:
    """What a line costs with its tax."""
    added = 0 if line.order.prices_include_tax else line.tax_minor
    return line.line_total_minor - line.discount_minor + added


def recount(order: Order) -> OrderReplay:
    walk = OrderReplay(
        order,
        parcels={parcel.pk: parcel for parcel in order.parcels.all()},
        lines={line.pk: line for line in order.lines.all()},
    )
    events = (*money_of(order), *moves_of(order), *refunds_of(order))
    for _, happened in sorted(events, key=lambda event: event[0]):
        happened(walk)
        walk.follow_disputes()
    return walk


Event = tuple[datetime, Callable[[OrderReplay], None]]


def money_of(order: Order) -> Iterator[Event]:
    for capture in Capture.objects.filter(payment__order=order):
        yield event(capture.created_at, OrderReplay.receive, capture.payment_id, capture.amount_minor)
    for receipt in Receipt.objects.filter(payment__order=order):
        money = (receipt.payment_id, receipt.amount_minor, receipt.parcel_id)
        yield event(receipt.created_at, OrderReplay.receive, *money)
        if reversal := getattr(receipt, "reversal", None):
            yield event(reversal.created_at, OrderReplay.reverse, *money)
    for row in DisputeTransition.objects.filter(dispute__payment__order=order).select_related("dispute"):
        minor = row.dispute.amount_minor if row.new == "LOST" else 0
        yield event(row.at, OrderReplay.dispute, row.dispute.payment_id, row.dispute_id, minor)


def moves_of(order: Order) -> Iterator[Event]:
    for row in OrderTransition.objects.filter(order=order):
        yield event(row.at, OrderReplay.move, row.new)
    for gone in ParcelTransition.objects.filter(parcel__order=order, new__in=GONE):
        yield event(gone.at, OrderReplay.lose, gone.parcel_id)
    for row in LineCancellation.objects.filter(line__order=order):
        yield event(row.created_at, OrderReplay.cancel_units, row)


def refunds_of(order: Order) -> Iterator[Event]:
    decided = {row.data["refund"]: row.at for row in AuditEntry.objects.filter(action="refund.decide")}
    for refund in PaymentRefund.objects.filter(payment__order=order).prefetch_related("lines__order_line"):
        yield event(refund.created_at, OrderReplay.refund, refund, is_decided=refund.origin != "provider")
        if at := decided.get(refund.refund_number):
            yield event(at, OrderReplay.decide, refund)
        for row in RefundTransition.objects.filter(refund=refund, new="FAILED"):
            yield event(row.at, OrderReplay.fail, refund)


def event(at: datetime, happened: Callable[..., None], *args: Any, **kwargs: Any) -> Event:
    return at, lambda walk: happened(walk, *args, **kwargs)
