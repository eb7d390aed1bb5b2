"""Allowed status transitions, read from the tables that the shop enforces."""

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
    """`text` explains what the table does not show."""

    name: str
    title: str
    text: str
    statuses: tuple[Status, ...]


def machines() -> tuple[Machine, ...]:
    derived = "Computed from the total, received and refunded amounts, so any transition is possible."
    of_payment_status = tuple(Status(str(s), str(s.label), ()) for s in OrderPaymentStatus)
    return (
        Machine(
            "payment",
            "Payment",
            "FAILED is not final: the buyer may try again. CANCELLED becomes COMPLETED only if a payment arrives late. "
            "COMPLETED becomes PENDING when a receipt is reversed, or CANCELLED if the order no longer needs it.",
            table(PAYMENT_TRANSITIONS),
        ),
        Machine(
            "order",
            "Order",
            "From CONFIRMED on it follows its parcels: CANCELLED when all of them were cancelled or returned. "
            "EXPIRED becomes CONFIRMED if a payment arrives late and the items are in stock.",
            table(ORDER_TRANSITIONS),
        ),
        Machine("order-payment", "Payment status of an order", derived, of_payment_status),
        Machine(
            "parcel",
            "Parcel",
            "The items of one artisan. A parcel can be cancelled until it is shipped; afterwards it can be returned.",
            table(PARCEL_TRANSITIONS),
        ),
        Machine(
            "refund",
            "Refund",
            "COMPLETED becomes FAILED only if the provider reports it.",
            table(REFUND_TRANSITIONS),
        ),
    )


def table(transitions: Any) -> tuple[Status, ...]:
    return tuple(
        Status(str(old), str(old.label), tuple(str(new) for new in type(old) if new in following))
        for old, following in transitions.items()
    )
