"""Statuses of orders and parcels with their transitions (product specification, section 6)."""

from django.db.models import TextChoices

from artisans.core.state import Transitions


class OrderStatus(TextChoices):
    PENDING = "PENDING", "Awaiting payment"
    CONFIRMED = "CONFIRMED", "Confirmed"
    PROCESSING = "PROCESSING", "Being prepared"
    SHIPPED = "SHIPPED", "Shipped"
    DELIVERED = "DELIVERED", "Delivered"
    CANCELLED = "CANCELLED", "Cancelled"
    EXPIRED = "EXPIRED", "Expired"


class OrderPaymentStatus(TextChoices):
    """Derived from total, received and refunded; never set directly."""

    UNPAID = "UNPAID", "Unpaid"
    PARTIALLY_PAID = "PARTIALLY_PAID", "Partly paid"
    PAID = "PAID", "Paid"
    OVERPAID = "OVERPAID", "Overpaid"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED", "Partly refunded"
    REFUNDED = "REFUNDED", "Refunded"


class ParcelStatus(TextChoices):
    NEW = "NEW", "New"
    STARTED = "STARTED", "Being made"
    PACKED = "PACKED", "Packed"
    SHIPPED = "SHIPPED", "On its way"
    DELIVERED = "DELIVERED", "Delivered"
    CANCELLED = "CANCELLED", "Cancelled"
    RETURNED = "RETURNED", "Returned"


class ParcelInstruction(TextChoices):
    """What to do with a parcel after a refund."""

    NONE = "", "None"
    HOLD = "hold", "On hold"
    SEND = "send", "Send it although its money went back"
    RETURN = "return", "The buyer sends it back"


class ParcelDecision(TextChoices):
    """What staff decide about a parcel after a refund."""

    SEND = "send", "Send it anyway"
    CANCEL = "cancel", "Cancel it; its goods go back on sale"
    KEEP = "keep", "The buyer keeps it"
    AWAIT_RETURN = "await_return", "The buyer sends it back"
    RETURNED = "returned", "It came back; its goods go back on sale"
    WRITTEN_OFF = "written_off", "It came back; its goods are not for sale again"


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

ORDERS_CLOSED = (O.CANCELLED, O.EXPIRED)

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
