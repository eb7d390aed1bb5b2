from uuid import UUID

from django.utils.translation import gettext as _

from artisans.core.errors import Conflict, Declined, Forbidden, InvalidInput, ServiceUnavailable
from artisans.core.money import Money


class MethodNotOffered(InvalidInput):
    """The shop does not take this method, or not for this order, or not from this provider."""

    code = "method_not_offered"
    remedy = "Choose another `payment_method`; leave `payment_provider` out to get the right one."

    def __init__(self, detail: str) -> None:
        super().__init__(detail)


class AmountMismatch(Conflict):
    """The client's figure is not ours; ours is charged, so the client must know it first."""

    code = "amount_mismatch"
    remedy = "Show the buyer `amount` and send the request again with it, or without an amount."

    def __init__(self, *, sent: str, due: Money) -> None:
        super().__init__(
            _("The order's open balance is %(due)s, not %(sent)s. Nothing was charged.")
            % {"due": due, "sent": sent},
            extra={"sent": sent, "amount": due.amount, "currency": due.currency},
        )


class NothingDue(Conflict):
    """The order is paid, or closed."""

    code = "nothing_due"

    def __init__(self) -> None:
        super().__init__(_("This order needs no payment: it is paid, or it is closed."))


class OwnOrder(Forbidden):
    """Staff do not decide about their own orders."""

    code = "own_order"
    remedy = "Let a colleague do it."

    def __init__(self) -> None:
        super().__init__(_("Somebody else has to do this: the order is your own."))


class NoPermission(Forbidden):
    """The account lacks the permission of the job."""

    code = "no_permission"
    remedy = "Ask an administrator for the job."

    def __init__(self, what: str) -> None:
        super().__init__(_("Your account may not %(what)s.") % {"what": what})


class AlreadyRecorded(Conflict):
    """The same money was recorded before; nothing was booked twice."""

    code = "already_recorded"


class NotManual(Conflict):
    """Only payments by hand are decided by hand."""

    code = "not_manual"

    def __init__(self) -> None:
        super().__init__(_("This payment is not made by hand; its provider tells us about the money."))


class HasReceipts(Conflict):
    """Money was received for this payment, so it cannot be rejected."""

    code = "has_receipts"
    remedy = "Return the money instead."

    def __init__(self, received: Money) -> None:
        super().__init__(
            f"{received} was received for this payment; return the money instead of rejecting it."
        )


class OrderChanged(Conflict):
    """The order's money is not as the person saw it."""

    code = "order_changed"

    def __init__(self, changes: str) -> None:
        super().__init__(
            _(
                "The order changed while this page was open: %(changes)s. Nothing was done. Check "
                "the figures and press again."
            )
            % {"changes": changes}
        )


class ReceiptSpent(Conflict):
    """Money of the payment went back to the buyer, so less would have been received than was returned."""

    code = "receipt_spent"

    def __init__(self, amount: Money, *, returned: Money) -> None:
        super().__init__(
            f"{returned} of this payment was returned to the buyer or is on its way there; without this {amount} less "
            "would have been received than was returned. Nothing was changed. When the buyer has sent the returned "
            "money back, record that as money received, then take this receipt back."
        )


class RefundExceedsReceived(Conflict):
    """More would be returned than is left; `left` says how much that is."""

    code = "refund_exceeds_received"

    def __init__(self, *, asked: Money, left: Money) -> None:
        super().__init__(
            _("Cannot return %(asked)s; %(left)s is left.") % {"asked": asked, "left": left},
            extra={"left": left.amount},
        )


class ReturnExceedsOwed(Conflict):
    """More would be returned than the order owes its buyer, and nobody said that this is meant."""

    code = "return_exceeds_owed"

    def __init__(self, amount: Money, *, owed: Money) -> None:
        super().__init__(
            _(
                "The order owes the buyer %(owed)s; %(amount)s is more. A colleague may have "
                "returned money already. Nothing was recorded. If you returned more on purpose, say "
                "so."
            )
            % {"owed": owed, "amount": amount}
        )


class RefundMismatch(Conflict):
    """The client's figure for these pieces is not ours."""

    code = "amount_mismatch"
    remedy = AmountMismatch.remedy

    def __init__(self, *, sent: Money, worth: Money) -> None:
        super().__init__(
            _("These pieces are worth %(worth)s, not %(sent)s. Nothing was refunded.")
            % {"worth": worth, "sent": sent},
            extra={"sent": sent.amount, "amount": worth.amount, "currency": worth.currency},
        )


class UnitsAlreadyRefunded(Conflict):
    """More pieces would be refunded than are left; `left` says how many that are."""

    code = "refund_exceeds_quantity"
    remedy = "Refund as many pieces as `left` says, or fewer."

    def __init__(self, name: str, *, left: int) -> None:
        super().__init__(
            _("Of %(name)s only %(left)s can be refunded still.") % {"name": name, "left": left},
            extra={"left": left},
        )


class NothingToRestock(Conflict):
    """The pieces are on sale again already, because their parcel or their order was cancelled."""

    code = "nothing_to_restock"
    remedy = "Refund without `restock`."

    def __init__(self, names: str) -> None:
        super().__init__(f"{names}: on sale again already; refund without putting it back.")


class NotRetryable(Conflict):
    """Only a failed refund of the shop's own is tried again, once."""

    code = "not_retryable"

    def __init__(self) -> None:
        super().__init__(_("Only a refund of ours that failed can be tried again, and only once."))


class NotDecidable(Conflict):
    """Nobody has to decide about this refund any more."""

    code = "not_decidable"

    def __init__(self) -> None:
        super().__init__(_("Nothing is to be decided about this refund, or a colleague did it already."))


class RecordedOnly(Conflict):
    """Money that came by hand goes back by hand."""

    code = "recorded_only"
    remedy = "Make the transfer, then let staff record it in the admin."

    def __init__(self) -> None:
        super().__init__(
            _(
                "This money came by hand and goes back by hand: make the transfer, then record it in the admin."
            )
        )


class PaymentDisputed(Conflict):
    """The buyer's bank disputes the payment; a refund beside it would pay twice."""

    code = "payment_disputed"
    remedy = "Answer the dispute at the provider first."

    def __init__(self) -> None:
        super().__init__(
            _("The buyer's bank disputes this payment; answer the dispute at the provider first.")
        )


class PaymentBusy(Conflict):
    """Something is being done with the payment at this moment; a moment later it can be tried again."""

    code = "payment_busy"
    retryable = True
    remedy = "Send the same request again in a moment."

    def __init__(self) -> None:
        super().__init__(
            _("We are talking to the payment provider about this payment already; try again in a moment.")
        )


class PaymentInProgress(Conflict):
    """Nobody knows yet whether the open payment succeeds; its outcome comes first."""

    code = "payment_under_way"
    retryable = True
    remedy = "Do not pay again. Ask for the payment until it is no longer PROCESSING, then go on."

    def __init__(self) -> None:
        super().__init__(
            _(
                "A payment of this order is under way and we do not know its outcome yet. Do not pay again; "
                "we are checking."
            )
        )


class StillPayable(PaymentInProgress):
    """A provider still holds an object that can be paid; it has to be taken back there first."""

    def __init__(self, payment_id: UUID) -> None:
        super().__init__()
        self.payment_id = payment_id


class ProviderUnavailable(ServiceUnavailable):
    """The payment provider does not answer. Nothing was charged."""

    code = "provider_unavailable"
    remedy = "Try again in a moment, or let the buyer pay another way."

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} does not answer at the moment. Nothing was charged; try again in a moment or pay another way."
        )


class PaymentDeclined(Declined):
    """The bank or the provider refused this try; `decline_group` says in one word why, `detail` in a sentence.

    `payment_id` can be tried again, with another card or another way to pay.
    """

    code = "payment_declined"
    remedy = "Show `detail` to the buyer and confirm again with another card, or start a payment of another method."

    def __init__(self, detail: str, *, payment_id: str, group: str) -> None:
        super().__init__(detail, extra={"payment_id": payment_id, "decline_group": group})


class NotConfirmable(Conflict):
    """Nothing is confirmed by a call here: the buyer pays at the provider, or by hand."""

    code = "not_confirmable"
    remedy = "Follow the payment's `next_action`."


class MethodDeclined(Declined):
    """The bank does not let the card be saved."""

    code = "method_declined"
    remedy = "Save another card, or save this one in the browser with `setup`."

    def __init__(self, detail: str, *, group: str = "") -> None:
        super().__init__(detail, extra={"decline_group": group})


class MethodNotUsable(InvalidInput):
    """The provider does not take this token: it is unknown, used up, or made for another shop."""

    code = "method_not_usable"
    remedy = "Let the provider's script make a new token."

    def __init__(self) -> None:
        super().__init__(
            _("The payment provider does not take this token. Nothing was saved or charged; send a new one.")
        )


class MethodRemoved(Conflict):
    """The provider does not hold the saved method any more; it was removed here too. Nothing was charged."""

    code = "method_gone"
    remedy = "Choose another saved method, or enter the card anew."

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment provider does not hold this saved method any more, so we removed it. Nothing was charged; "
                "choose another one or enter the card anew."
            )
        )


class MethodInUse(Conflict):
    """A payment with the method is under way, and nobody knows its outcome yet."""

    code = "method_in_use"
    retryable = True
    remedy = "Remove it in a moment."

    def __init__(self) -> None:
        super().__init__(
            _("A payment with it is under way and we do not know its outcome yet. Remove it in a moment.")
        )


class DefaultRequired(InvalidInput):
    """One of the saved methods is always the default."""

    code = "default_wanted"
    remedy = "Make another method the default instead."

    def __init__(self) -> None:
        super().__init__(_("One of the methods is the default: make another one the default instead."))


class SaveInProgress(ServiceUnavailable):
    """The provider does not answer, so nobody knows yet whether the method was saved. Nothing was charged."""

    code = "method_under_way"
    remedy = "Look at the saved methods in a moment, or send the same again: it is saved once."

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment provider does not answer, so we do not know yet whether this was saved. "
                "Nothing was charged; "
                "look at your saved methods in a moment, or send the same again."
            )
        )


class RawCardData(InvalidInput):
    """The body holds what may be a card number or a security code; none of it was kept or passed on.

    Said without a word of what was sent.
    """

    code = "raw_card_data_not_accepted"
    remedy = "Let the provider's script in the browser make a token, and send that as `provider_method_id`."

    def __init__(self) -> None:
        super().__init__(
            _(
                "This shop takes no card numbers or security codes. Let the payment provider's form "
                "in the browser make "
                "a token and send that. What you sent was not kept."
            )
        )
