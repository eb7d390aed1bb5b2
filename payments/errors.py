from artisans.core.errors import Conflict, Forbidden, InvalidInput
from artisans.core.money import Money


class MethodNotOffered(InvalidInput):
    code = "method_not_offered"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)


class AmountMismatch(Conflict):
    """The client's figure is not ours; ours is charged, so the client must know it first."""

    code = "amount_mismatch"

    def __init__(self, *, sent: str, due: Money) -> None:
        super().__init__(
            f"The order's open balance is {due}, not {sent}. Nothing was charged.",
            extra={"sent": sent, "amount": due.amount, "currency": due.currency},
        )


class NothingDue(Conflict):
    code = "nothing_due"

    def __init__(self) -> None:
        super().__init__("This order needs no payment: it is paid, or it is closed.")


class OwnOrder(Forbidden):
    code = "own_order"

    def __init__(self) -> None:
        super().__init__("Somebody else has to do this: the order is your own.")


class NoPermission(Forbidden):
    code = "no_permission"

    def __init__(self, what: str) -> None:
        super().__init__(f"Your account may not {what}.")


class AlreadyRecorded(Conflict):
    code = "already_recorded"


class NotManual(Conflict):
    code = "not_manual"

    def __init__(self) -> None:
        super().__init__("This payment is not made by hand; its provider tells us about the money.")


class HasReceipts(Conflict):
    code = "has_receipts"

    def __init__(self, received: Money) -> None:
        super().__init__(
            f"{received} was received for this payment; return the money instead of rejecting it."
        )


class RefundExceedsReceived(Conflict):
    code = "refund_exceeds_received"

    def __init__(self, *, asked: Money, left: Money) -> None:
        super().__init__(f"Cannot return {asked}; {left} is left.", extra={"left": left.amount})
