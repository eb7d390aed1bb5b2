"""What units of an order are worth: shares of the frozen price and tax; the last unit takes the rounding
remainder."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from orders.cancellations import LineRefunds
from orders.models import SHIPPING_CHARGED, Order, OrderLine
from orders.statuses import PARCELS_ENDED
from payments.errors import NothingToRestock, UnitsAlreadyRefunded
from payments.models import PaymentRefund, RefundLine
from payments.statuses import RefundStatus


@dataclass(frozen=True, slots=True)
class RefundLineInput:
    """A quantity of an order line."""

    line_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class RefundSelection:
    """What a refund is for. `with_shipping`: include all shipping that was not refunded yet."""

    lines: tuple[RefundLineInput, ...] = ()
    with_shipping: bool = False
    restock: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """`goods`: what of the amount is for units that the order still costs; the rest is due as a refund already."""

    line: OrderLine
    quantity: int
    amount: Money
    goods: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Units with their amounts."""

    lines: tuple[Part, ...]
    shipping: Money
    restock: bool = False

    @property
    def amount(self) -> Money:
        return Money.total((part.amount for part in self.lines), self.shipping.currency) + self.shipping


def price_selection(order: Order, items: RefundSelection) -> Parts:
    """The amounts for the selected units, given what was refunded or is being refunded. The caller holds the
    order's lock.

    Errors: InvalidInput, UnitsAlreadyRefunded, NothingToRestock.
    """
    if len({line_input.line_id for line_input in items.lines}) < len(items.lines):
        raise InvalidInput(_("An order line is listed twice."))
    if items.restock and not items.lines:
        raise InvalidInput(_("To restock, list the lines that go back on sale."))
    lines = {line.pk: line for line in order.lines.select_related("parcel")}
    returned = refunded_by_line(order)
    parts = [price_line(lines, line_input, returned) for line_input in items.lines]
    if items.restock:
        check_restock(order, parts)
    shipping = remaining_shipping(order) if items.with_shipping else order.money(0)
    return Parts(tuple(parts), shipping, restock=items.restock)


def price_line(
    lines: dict[UUID, OrderLine], line_input: RefundLineInput, returned: dict[UUID, LineRefunds]
) -> Part:
    line = lines.get(line_input.line_id)
    if line is None:
        raise InvalidInput(_("This line does not belong to the order."))
    if line_input.quantity < 1:
        raise InvalidInput(_("Enter a quantity of one or more."))
    if line_input.quantity > line.refundable_quantity:
        raise UnitsAlreadyRefunded(line.product_name, left=line.refundable_quantity)
    before = returned.get(line.pk, LineRefunds()).minor
    so_far = line.cancelled_minor - line.cancelled_refunded_minor + before
    minor = max(0, line.value_minor(line.uncharged_quantity + line_input.quantity) - so_far)
    goods = line.goods_refunded(before + minor) - line.goods_refunded(before)
    return Part(line, line_input.quantity, Money.stored(minor, line.currency), goods)


def line_value(line: OrderLine, quantity: int) -> Money:
    return Money.stored(line.value_minor(quantity), line.currency)


def refunded_by_line(order: Order) -> dict[UUID, LineRefunds]:
    """What was refunded or is being refunded, by line. `unsent` counts all units that are not put back on sale."""
    live = RefundLine.objects.filter(order_line__order=order).exclude(refund__status=RefundStatus.FAILED)
    kept = Sum("quantity", filter=Q(refund__restock=False), default=0)
    rows = live.order_by().values_list("order_line").annotate(sum=Sum("amount_minor"), kept=kept)
    return {line: LineRefunds(minor, units) for line, minor, units in rows}


def goods_minor_in(order: Order, parts: Parts) -> int:
    """Minor units of these lines and of shipping in parcels that are not cancelled or returned; the rest is already
    due as a refund. Parcels are read again: they may have ended since the parts were priced."""
    if not order.is_alive:
        return 0
    ended = set(order.parcels.filter(status__in=PARCELS_ENDED).values_list("pk", flat=True))
    goods = sum(part.goods for part in parts.lines if part.line.parcel_id not in ended)
    shipping = parts.shipping.minor and min(parts.shipping.minor, remaining_shipping(order).minor)
    return goods + shipping


def remaining_shipping(order: Order) -> Money:
    """Shipping of parcels that are not cancelled or returned, less what was refunded or is being refunded."""
    here = order.parcels.exclude(status__in=PARCELS_ENDED).aggregate(sum=Sum(SHIPPING_CHARGED, default=0))
    live = PaymentRefund.objects.filter(payment__order=order).exclude(status=RefundStatus.FAILED)
    returned = live.aggregate(sum=Sum("shipping_minor"))["sum"] or 0
    return order.money(max(0, here["sum"] - returned))


def check_restock(order: Order, parts: Sequence[Part]) -> None:
    gone = {part.line.product_name for part in parts if not is_held(order, part.line)}
    if gone:
        raise NothingToRestock(", ".join(sorted(gone)))


def is_held(order: Order, line: OrderLine) -> bool:
    """Whether the order still holds units of this line, that is, its parcel was neither cancelled nor
    returned."""
    return order.is_alive and line.parcel.status not in PARCELS_ENDED
