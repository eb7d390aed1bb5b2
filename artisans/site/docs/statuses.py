"""Which status may follow which, read from the tables that the shop itself obeys."""

from dataclasses import dataclass
from typing import Any

from orders.statuses import ORDER_TRANSITIONS, PARCEL_TRANSITIONS, OrderPaymentStatus
from payments.statuses import PAYMENT_TRANSITIONS, REFUND_TRANSITIONS


@dataclass(frozen=True, slots=True)
class Status:
    name: str
    label: str
    following: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """`text`: what the table does not say."""

    name: str
    title: str
    text: str
    statuses: tuple[Status, ...]


def machines() -> tuple[Machine, ...]:
    derived = "Computed from total, received and refunded money; nobody sets it, so any may follow any."
    of_payment_status = tuple(Status(str(s), str(s.label), ()) for s in OrderPaymentStatus)
    return (
        Machine(
            "payment",
            "Payment",
            "FAILED is not the end: the buyer may try again. CANCELLED becomes COMPLETED by late money only. "
            "COMPLETED becomes PENDING when a receipt is taken back, CANCELLED when the order needs it no more.",
            table(PAYMENT_TRANSITIONS),
        ),
        Machine(
            "order",
            "Order",
            "From CONFIRMED on it follows the parcels: CANCELLED when all of them were cancelled or came back. "
            "EXPIRED becomes CONFIRMED when late money finds the stock.",
            table(ORDER_TRANSITIONS),
        ),
        Machine("order-payment", "Payment status of an order", derived, of_payment_status),
        Machine(
            "parcel",
            "Parcel",
            "What one artisan sends. It is cancelled until it is shipped; afterwards it can come back.",
            table(PARCEL_TRANSITIONS),
        ),
        Machine(
            "refund",
            "Refund",
            "COMPLETED becomes FAILED only when the provider says so.",
            table(REFUND_TRANSITIONS),
        ),
    )


def table(transitions: Any) -> tuple[Status, ...]:
    return tuple(
        Status(str(old), str(old.label), tuple(str(new) for new in type(old) if new in following))
        for old, following in transitions.items()
    )
