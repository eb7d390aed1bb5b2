from artisans.core.errors import Conflict, Forbidden, InvalidInput
from artisans.core.money import Money


class MethodNotOffered(InvalidInput):
    """The shop does not take this method, or not for this order, or not from this provider."""

    code = "method_not_offered"
    way_out = "Choose another `payment_method`; leave `payment_provider` out to get the right one."

    def __init__(self, detail: str) -> None:
        super().__init__(detail)


class AmountMismatch(Conflict):
    """The client's figure is not ours; ours is charged, so the client must know it first."""

    code = "amount_mismatch"
    way_out = "Show the buyer `amount` and send the request again with it, or without an amount."

    def __init__(self, *, sent: str, due: Money) -> None:
        super().__init__(
            f"The order's open balance is {due}, not {sent}. Nothing was charged.",
            extra={"sent": sent, "amount": due.amount, "currency": due.currency},
        )


class NothingDue(Conflict):
    """The order is paid, or closed."""

    code = "nothing_due"

    def __init__(self) -> None:
        super().__init__("This order needs no payment: it is paid, or it is closed.")


class OwnOrder(Forbidden):
    """Staff do not decide about their own orders."""

    code = "own_order"
    way_out = "Let a colleague do it."

    def __init__(self) -> None:
        super().__init__("Somebody else has to do this: the order is your own.")


class NoPermission(Forbidden):
    """The account lacks the permission of the job."""

    code = "no_permission"
    way_out = "Ask an administrator for the job."

    def __init__(self, what: str) -> None:
        super().__init__(f"Your account may not {what}.")


class AlreadyRecorded(Conflict):
    """The same money was recorded before; nothing was booked twice."""

    code = "already_recorded"


class NotManual(Conflict):
    """Only payments by hand are decided by hand."""

    code = "not_manual"

    def __init__(self) -> None:
        super().__init__("This payment is not made by hand; its provider tells us about the money.")


class HasReceipts(Conflict):
    """Money was received for this payment, so it cannot be rejected."""

    code = "has_receipts"
    way_out = "Return the money instead."

    def __init__(self, received: Money) -> None:
        super().__init__(
            f"{received} was received for this payment; return the money instead of rejecting it."
        )


class RefundExceedsReceived(Conflict):
    """More would be returned than is left; `left` says how much that is."""

    code = "refund_exceeds_received"

    def __init__(self, *, asked: Money, left: Money) -> None:
        super().__init__(f"Cannot return {asked}; {left} is left.", extra={"left": left.amount})
