"""Statuses of orders and parcels with their transitions (product specification, section 6)."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from artisans.core.state import Transitions


class OrderStatus(TextChoices):
    PENDING = "PENDING", _("Awaiting payment")
    CONFIRMED = "CONFIRMED", _("Confirmed")
    PROCESSING = "PROCESSING", _("Being prepared")
    SHIPPED = "SHIPPED", _("Shipped")
    DELIVERED = "DELIVERED", _("Delivered")
    CANCELLED = "CANCELLED", _("Cancelled")
    EXPIRED = "EXPIRED", _("Expired")


class OrderPaymentStatus(TextChoices):
    """Derived from total, received and refunded; never set directly."""

    UNPAID = "UNPAID", _("Unpaid")
    PARTIALLY_PAID = "PARTIALLY_PAID", _("Partly paid")
    PAID = "PAID", _("Paid")
    OVERPAID = "OVERPAID", _("Overpaid")
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED", _("Partly refunded")
    REFUNDED = "REFUNDED", _("Refunded")


class ParcelStatus(TextChoices):
    NEW = "NEW", _("New")
    STARTED = "STARTED", _("Being made")
    PACKED = "PACKED", _("Packed")
    SHIPPED = "SHIPPED", _("On its way")
    DELIVERED = "DELIVERED", _("Delivered")
    CANCELLED = "CANCELLED", _("Cancelled")
    RETURNED = "RETURNED", _("Returned")


class ParcelInstruction(TextChoices):
    """What to do with a parcel after a refund."""

    NONE = "", _("None")
    HOLD = "hold", _("On hold")
    SEND = "send", _("Ship although refunded")
    RETURN = "return", _("Awaiting return")


class TaxRemitter(TextChoices):
    """Who pays the tax on the goods to the tax office."""

    ARTISAN = "artisan", _("The artisan")
    SHOP = "shop", _("The shop")


class ShippingTax(TextChoices):
    """How shipping is taxed."""

    NONE = "none", _("Not taxed")
    GOODS = "goods", _("At the rates of the goods that are shipped")
    CLASS = "class", _("At the rate of a tax class")


class TaxBy(TextChoices):
    """The place that decides the rates."""

    DESTINATION = "destination", _("Where the order is delivered")
    ORIGIN = "origin", _("The shop’s own country")


class OrderOrigin(TextChoices):
    """How an order came about."""

    SHOP = "shop", _("The shop")
    RENEWAL = "renewal", _("The renewal of a subscription")
    CHANGE = "change", _("The change of a subscription")


class FeeBearer(TextChoices):
    """Who bears the fee that a payment provider keeps of a payment."""

    SHOP = "shop", _("The shop")
    ARTISAN = "artisan", _("The artisans of the order")


class CommissionOnRefund(TextChoices):
    """What becomes of the shop's commission on goods that are refunded."""

    RETURNED = "returned", _("Given back to the artisan")
    KEPT = "kept", _("Kept by the shop")


class CashHolder(TextChoices):
    """Who holds cash on delivery when it is recorded."""

    ARTISAN = "artisan", _("The artisan")
    SHOP = "shop", _("The shop")
    COURIER = "courier", _("The courier")


class ParcelDecision(TextChoices):
    """What staff decide about a parcel after a refund."""

    SEND = "send", _("Ship anyway")
    CANCEL = "cancel", _("Cancel and restock")
    KEEP = "keep", _("Buyer keeps it")
    AWAIT_RETURN = "await_return", _("Awaiting return")
    RETURNED = "returned", _("Returned, restock")
    WRITTEN_OFF = "written_off", _("Returned, do not restock")


O = OrderStatus  # noqa: E741  # reads well in the table
ORDER_TRANSITIONS: Transitions[OrderStatus] = {
    O.PENDING: frozenset({O.CONFIRMED, O.CANCELLED, O.EXPIRED}),
    O.EXPIRED: frozenset({O.CONFIRMED}),  # late payment, when the stock could be taken again
    O.CONFIRMED: frozenset({O.PROCESSING, O.SHIPPED, O.DELIVERED, O.CANCELLED}),
    O.PROCESSING: frozenset({O.CONFIRMED, O.SHIPPED, O.DELIVERED, O.CANCELLED}),
    O.SHIPPED: frozenset({O.DELIVERED, O.CANCELLED}),  # cancelled when every parcel was returned
    O.DELIVERED: frozenset({O.CANCELLED}),
    O.CANCELLED: frozenset(),
}

PAID_IN_FULL = (OrderPaymentStatus.PAID, OrderPaymentStatus.OVERPAID)
ORDERS_CLOSED = (O.CANCELLED, O.EXPIRED)
ORDERS_UNSHIPPED = (O.PENDING, O.CONFIRMED, O.PROCESSING)

P = ParcelStatus
PARCEL_TRANSITIONS: Transitions[ParcelStatus] = {
    P.NEW: frozenset({P.STARTED, P.PACKED, P.CANCELLED}),
    P.STARTED: frozenset({P.PACKED, P.CANCELLED}),
    P.PACKED: frozenset({P.SHIPPED, P.CANCELLED}),
    P.SHIPPED: frozenset({P.DELIVERED, P.RETURNED}),
    P.DELIVERED: frozenset({P.RETURNED}),
    P.CANCELLED: frozenset(),
    P.RETURNED: frozenset(),
}
PARCELS_UNSHIPPED = (P.NEW, P.STARTED, P.PACKED)
PARCELS_SHIPPED = (P.SHIPPED, P.DELIVERED)
PARCELS_WITH_SHIPMENTS = (P.PACKED, P.SHIPPED, P.DELIVERED, P.RETURNED)  # packed: a part of it was shipped
PARCELS_ENDED = (P.CANCELLED, P.RETURNED)  # no longer charged; what was paid for them is owed to the buyer
D = ParcelDecision
DECISIONS: dict[str, tuple[ParcelDecision, ...]] = {
    **dict.fromkeys(PARCELS_UNSHIPPED, (D.SEND, D.CANCEL)),
    **dict.fromkeys(PARCELS_SHIPPED, (D.KEEP, D.AWAIT_RETURN, D.RETURNED, D.WRITTEN_OFF)),
    **dict.fromkeys(PARCELS_ENDED, ()),
}


def payment_status_of(*, total: int, received: int, refunded: int, agreed: int) -> OrderPaymentStatus:
    """The payment status for these sums (minor units); `agreed` is the total without cancelled parcels."""
    kept = received - refunded
    if total == 0:
        return OrderPaymentStatus.PAID
    if received == 0:
        return OrderPaymentStatus.UNPAID
    if refunded and kept == 0:
        return OrderPaymentStatus.REFUNDED
    if refunded and kept < total:
        return OrderPaymentStatus.PARTIALLY_REFUNDED
    if kept < agreed:
        return OrderPaymentStatus.PARTIALLY_PAID
    return OrderPaymentStatus.OVERPAID if kept > total else OrderPaymentStatus.PAID


def order_status_of(parcels: list[ParcelStatus]) -> OrderStatus:
    """The status of a confirmed order, derived from its parcels."""
    alive = {status for status in parcels if status not in PARCELS_ENDED}
    if not alive:
        return O.CANCELLED
    if alive == {P.DELIVERED}:
        return O.DELIVERED
    if alive <= {P.SHIPPED, P.DELIVERED}:
        return O.SHIPPED
    return O.CONFIRMED if alive == {P.NEW} else O.PROCESSING
