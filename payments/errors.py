from uuid import UUID

from artisans.core.errors import Conflict, Declined, Forbidden, InvalidInput, NotNow
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


class RefundMismatch(Conflict):
    """The client's figure for these pieces is not ours."""

    code = "amount_mismatch"

    def __init__(self, *, sent: Money, worth: Money) -> None:
        super().__init__(
            f"These pieces are worth {worth}, not {sent}. Nothing was refunded.",
            extra={"sent": sent.amount, "amount": worth.amount, "currency": worth.currency},
        )


class PiecesRefunded(Conflict):
    code = "refund_exceeds_quantity"

    def __init__(self, name: str, *, left: int) -> None:
        super().__init__(f"Of {name} only {left} can be refunded still.", extra={"left": left})


class NothingToRestock(Conflict):
    code = "nothing_to_restock"

    def __init__(self, names: str) -> None:
        super().__init__(f"{names}: on sale again already; refund without putting it back.")


class NotRetryable(Conflict):
    code = "not_retryable"

    def __init__(self) -> None:
        super().__init__("Only a refund of ours that failed can be tried again, and only once.")


class NotDecidable(Conflict):
    code = "not_decidable"

    def __init__(self) -> None:
        super().__init__("Nothing is to be decided about this refund, or a colleague did it already.")


class RecordedOnly(Conflict):
    code = "recorded_only"

    def __init__(self) -> None:
        super().__init__(
            "This money came by hand and goes back by hand: make the transfer, then record it in the admin."
        )


class PaymentDisputed(Conflict):
    code = "payment_disputed"

    def __init__(self) -> None:
        super().__init__("The buyer's bank disputes this payment; answer the dispute at the provider first.")


class PaymentBusy(Conflict):
    """Something is being done with the payment at this moment; a moment later it can be tried again."""

    code = "payment_busy"
    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "We are talking to the payment provider about this payment already; try again in a moment."
        )


class PaymentUnderWay(Conflict):
    """Nobody knows yet whether the open payment succeeds; its outcome comes first."""

    code = "payment_under_way"
    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "A payment of this order is under way and we do not know its outcome yet. Do not pay again; "
            "we are checking."
        )


class StillPayable(PaymentUnderWay):
    """A provider still holds an object that can be paid; it has to be taken back there first."""

    def __init__(self, payment_id: UUID) -> None:
        super().__init__()
        self.payment_id = payment_id


class ProviderUnavailable(NotNow):
    code = "provider_unavailable"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} does not answer at the moment. Nothing was charged; try again in a moment or pay another way."
        )


class PaymentDeclined(Declined):
    """`payment_id` can be tried again, with another card or another way to pay."""

    code = "payment_declined"

    def __init__(self, detail: str, *, payment_id: str, group: str) -> None:
        super().__init__(detail, extra={"payment_id": payment_id, "decline_group": group})


class NotConfirmable(Conflict):
    code = "not_confirmable"


class MethodDeclined(Declined):
    """The bank does not let the card be saved."""

    code = "method_declined"

    def __init__(self, detail: str, *, group: str = "") -> None:
        super().__init__(detail, extra={"decline_group": group})


class MethodNotUsable(InvalidInput):
    code = "method_not_usable"

    def __init__(self) -> None:
        super().__init__(
            "The payment provider does not take this token. Nothing was saved or charged; send a new one."
        )


class MethodGone(Conflict):
    code = "method_gone"

    def __init__(self) -> None:
        super().__init__(
            "The payment provider does not hold this saved method any more, so we removed it. Nothing was charged; "
            "choose another one or enter the card anew."
        )


class MethodInUse(Conflict):
    code = "method_in_use"
    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "A payment with it is under way and we do not know its outcome yet. Remove it in a moment."
        )


class DefaultWanted(InvalidInput):
    code = "default_wanted"

    def __init__(self) -> None:
        super().__init__("One of the methods is the default: make another one the default instead.")


class SavingUnderWay(NotNow):
    code = "method_under_way"

    def __init__(self) -> None:
        super().__init__(
            "The payment provider does not answer, so we do not know yet whether this was saved. Nothing was charged; "
            "look at your saved methods in a moment, or send the same again."
        )


class RawCardData(InvalidInput):
    """Said without a word of what was sent."""

    code = "raw_card_data_not_accepted"

    def __init__(self) -> None:
        super().__init__(
            "This shop takes no card numbers or security codes. Let the payment provider's form in the browser make "
            "a token and send that. What you sent was not kept."
        )
