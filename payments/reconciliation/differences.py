"""What reconciliation finds and leaves to staff."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The kinds of difference. `MISSING_HERE`: the provider moved money, and no payment of ours belongs to it.
    `UNREGISTERED`: no registered provider takes this payment.

    Of the balance at the provider: `NO_MOVEMENT`: a capture, refund or dispute of ours has not moved it; `UNEXPLAINED`:
    nothing of ours explains a movement; `CHANGED`: a movement is not what it was; `BALANCE`: its movements do not add
    up to it; `LEDGER`: the ledger's account of it is not what was booked for captures, refunds, disputes and movements.
    """

    MISSING_HERE = "missing here"
    NOT_BOOKED = "not booked"
    NOT_THERE = "not at the provider"
    MISMATCH = "not ours"
    UNREADABLE = "unreadable"
    STUCK = "stuck"
    UNREGISTERED = "unregistered"
    NO_MOVEMENT = "no movement"
    UNEXPLAINED = "unexplained movement"
    AMOUNT = "other amount"
    CURRENCY = "other currency"
    FEE = "other fee"
    CHANGED = "changed movement"
    BALANCE = "other balance"
    LEDGER = "other ledger"


class Difference(NamedTuple):
    kind: Kind
    object_id: str
    payment: str
    detail: str
