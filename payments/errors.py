from uuid import UUID

from django.utils.translation import gettext as _

from artisans.core.errors import (
    TEXT,
    WHOLE_NUMBER,
    Conflict,
    Declined,
    Forbidden,
    InvalidInput,
    ServiceUnavailable,
)
from artisans.core.money import Money


class MethodNotOffered(InvalidInput):
    """The payment method is not available in this shop, for this order, or from this provider."""

    code = "method_not_offered"
    remedy = "Choose another `payment_method`; omit `payment_provider` to use the right one."

    def __init__(self, detail: str) -> None:
        super().__init__(detail)


class AmountTooSmall(MethodNotOffered):
    """The payment method is not available for so small an amount."""

    code = "amount_too_small"
    members = {"least": TEXT, "currency": TEXT}

    def __init__(self, detail: str, *, least: Money) -> None:
        super().__init__(detail)
        self.extra = {"least": least.amount, "currency": least.currency}


class AmountTooLarge(MethodNotOffered):
    """The payment method is not available for so large an amount."""

    code = "amount_too_large"
    members = {"most": TEXT, "currency": TEXT}

    def __init__(self, detail: str, *, most: Money) -> None:
        super().__init__(detail)
        self.extra = {"most": most.amount, "currency": most.currency}


class CurrencyNotTaken(MethodNotOffered):
    """The payment method is not available in the currency of the order."""

    code = "currency_not_taken"
    members = {"currency": TEXT}

    def __init__(self, detail: str, *, currency: str) -> None:
        super().__init__(detail)
        self.extra = {"currency": currency}


class AmountMismatch(Conflict):
    """The client's amount differs from the amount due, which is what would be charged."""

    code = "amount_mismatch"
    remedy = (
        "Show the buyer `amount`, then send the request again with it, or without an amount. If a payment is over "
        "another amount, start a new one."
    )
    members = {"sent": TEXT, "amount": TEXT, "currency": TEXT}

    def __init__(self, *, sent: str, due: Money) -> None:
        super().__init__(
            _("The amount due is %(due)s, not %(sent)s. Nothing was charged.") % {"due": due, "sent": sent},
            extra={"sent": sent, "amount": due.amount, "currency": due.currency},
        )


class NothingDue(Conflict):
    """The order is already paid, or closed."""

    code = "nothing_due"

    def __init__(self) -> None:
        super().__init__(_("No payment is due for this order: it is paid or closed."))


class OwnOrder(Forbidden):
    """Staff cannot act on their own orders."""

    code = "own_order"
    remedy = "Ask a colleague to do it."

    def __init__(self) -> None:
        super().__init__(_("You cannot do this for your own order. Ask a colleague."))


class OwnCashReport(Forbidden):
    """Who reported cash as collected, or sells what it paid for, cannot record it."""

    code = "own_cash_report"
    remedy = "Ask a colleague to record it."

    def __init__(self) -> None:
        super().__init__(_("You reported this cash, or act for its artisan. Ask a colleague to record it."))


class NoPermission(Forbidden):
    """The account lacks the required permission."""

    code = "no_permission"
    remedy = "Ask an administrator for the permission."

    def __init__(self) -> None:
        super().__init__(_("You do not have permission to do this."))


class AlreadyRecorded(Conflict):
    """The same change was already recorded; nothing was booked twice."""

    code = "already_recorded"


class ReceiptExceedsDue(Conflict):
    """The amount received is far above the amount due, and was not confirmed as checked."""

    code = "receipt_exceeds_due"

    def __init__(self, amount: Money, *, due: Money) -> None:
        super().__init__(
            _(
                "%(amount)s is far more than the %(due)s due. Compare it with the bank statement. Nothing was "
                "recorded. If the amount is right, confirm that in the form."
            )
            % {"amount": amount, "due": due}
        )


class NotManual(Conflict):
    """Only offline payments can be recorded or rejected by staff."""

    code = "not_manual"

    def __init__(self) -> None:
        super().__init__(_("This is not an offline payment; its provider reports the money received."))


class HasReceipts(Conflict):
    """Money was received for this payment, so it cannot be rejected."""

    code = "has_receipts"
    remedy = "Refund the payment instead."

    def __init__(self, received: Money) -> None:
        super().__init__(
            _("%(received)s was received for this payment. Refund it instead of rejecting it.")
            % {"received": received}
        )


class OrderChanged(Conflict):
    """The order's amounts have changed since the page was loaded."""

    code = "order_changed"

    def __init__(self, changes: str) -> None:
        super().__init__(
            _(
                "The order changed while this page was open. %(changes)s Nothing was saved. "
                "Check the amounts and try again."
            )
            % {"changes": changes}
        )


class ReceiptSpent(Conflict):
    """Part of the receipt was refunded, so reversing it would leave more refunded than received."""

    code = "receipt_spent"

    def __init__(self, amount: Money, *, returned: Money) -> None:
        super().__init__(
            _(
                "%(returned)s of this payment was refunded or is being refunded. Without this %(amount)s, more "
                "would be refunded than received. Nothing was changed. When the buyer has sent the refund "
                "back, record it as a receipt, then reverse this one."
            )
            % {"returned": returned, "amount": amount}
        )


class RefundExceedsReceived(Conflict):
    """The refund exceeds what is left of the payment; `left` gives that amount."""

    code = "refund_exceeds_received"
    members = {"left": TEXT}

    def __init__(self, *, asked: Money, left: Money) -> None:
        super().__init__(
            _("You cannot refund %(asked)s; only %(left)s can still be refunded.")
            % {"asked": asked, "left": left},
            extra={"left": left.amount},
        )


class ReturnExceedsOwed(Conflict):
    """The refund exceeds what the order owes the buyer, and was not confirmed as intended."""

    code = "return_exceeds_owed"

    def __init__(self, amount: Money, *, owed: Money) -> None:
        super().__init__(
            _(
                "%(amount)s is more than the %(owed)s due to the buyer. A colleague may have refunded it already. "
                "Nothing was recorded. If you refunded more on purpose, confirm that in the form."
            )
            % {"amount": amount, "owed": owed}
        )


class RefundMismatch(Conflict):
    """The client's amount differs from the value of the units."""

    code = "amount_mismatch"
    remedy = AmountMismatch.remedy
    members = AmountMismatch.members

    def __init__(self, *, sent: Money, worth: Money) -> None:
        super().__init__(
            _("These items total %(worth)s, not %(sent)s. Nothing was refunded.")
            % {"worth": worth, "sent": sent},
            extra={"sent": sent.amount, "amount": worth.amount, "currency": worth.currency},
        )


class UnitsAlreadyRefunded(Conflict):
    """More units would be refunded than are left; `left` gives that number."""

    code = "refund_exceeds_quantity"
    remedy = "Refund at most `left` units."
    members = {"left": WHOLE_NUMBER}

    def __init__(self, name: str, *, left: int) -> None:
        super().__init__(
            _("Only %(left)s of %(name)s can still be refunded.") % {"left": left, "name": name},
            extra={"left": left},
        )


class NothingToRestock(Conflict):
    """The items are already back on sale, because their parcel or order was cancelled."""

    code = "nothing_to_restock"
    remedy = "Refund without `restock`."

    def __init__(self, names: str) -> None:
        super().__init__(_("Already back on sale: %(names)s. Refund without restocking.") % {"names": names})


class NotRetryable(Conflict):
    """Only a failed refund that this shop sent can be retried, and only once."""

    code = "not_retryable"

    def __init__(self) -> None:
        super().__init__(_("Only a failed refund that this shop sent can be retried, and only once."))


class NotDecidable(Conflict):
    """No decision is pending about this refund."""

    code = "not_decidable"

    def __init__(self) -> None:
        super().__init__(_("No decision is pending; a colleague may have handled it."))


class RecordedOnly(Conflict):
    """Offline payments are refunded offline."""

    code = "recorded_only"
    remedy = "Make the transfer, then record it in the admin."

    def __init__(self) -> None:
        super().__init__(
            _("Offline payments are refunded offline. Make the transfer, then record it in the admin.")
        )


class PaymentDisputed(Conflict):
    """The payment is disputed; a refund as well would pay the buyer twice."""

    code = "payment_disputed"
    remedy = "Respond to the dispute at the provider first."

    def __init__(self) -> None:
        super().__init__(_("This payment is disputed. Respond to the dispute at the provider first."))


class PaymentBusy(Conflict):
    """The payment is being processed; try again in a moment."""

    code = "payment_busy"
    retryable = True
    remedy = "Send the same request again in a moment."

    def __init__(self) -> None:
        super().__init__(_("This payment is already being processed. Try again in a moment."))


class PaymentInProgress(Conflict):
    """The outcome of the open payment is not known yet."""

    code = "payment_under_way"
    retryable = True
    remedy = "Do not pay again. Poll the payment until it is no longer PROCESSING, then continue."

    def __init__(self) -> None:
        super().__init__(
            _(
                "A payment for this order is in progress and its outcome is not known yet. Do not pay again; "
                "we are checking."
            )
        )


class StillPayable(PaymentInProgress):
    """The provider still has a payable object, which has to be cancelled there first."""

    def __init__(self, payment_id: UUID) -> None:
        super().__init__()
        self.payment_id = payment_id


class ProviderUnavailable(ServiceUnavailable):
    """The payment provider does not respond. Nothing was charged."""

    code = "provider_unavailable"
    remedy = "Try again in a moment, or let the buyer pay another way."

    def __init__(self, name: str) -> None:
        super().__init__(
            _("%(name)s is not responding. Nothing was charged. Try again in a moment, or pay another way.")
            % {"name": name}
        )


class PaymentDeclined(Declined):
    """The bank or the provider declined the payment; `decline_group` categorizes the reason, `detail`
    explains it.

    `payment_id` can be retried with another card or payment method.
    """

    code = "payment_declined"
    members = {"payment_id": TEXT, "decline_group": TEXT}
    remedy = "Show `detail` to the buyer and confirm again with another card, or start a payment of another method."

    def __init__(self, detail: str, *, payment_id: str, group: str) -> None:
        super().__init__(detail, extra={"payment_id": payment_id, "decline_group": group})


class NotConfirmable(Conflict):
    """This payment is not confirmed through the API: the buyer pays at the provider, or offline."""

    code = "not_confirmable"
    remedy = "Follow the payment's `next_action`."


class MethodDeclined(Declined):
    """The bank does not allow the card to be saved."""

    code = "method_declined"
    members = {"decline_group": TEXT}
    remedy = "Save another card, or save this one in the browser with `setup`."

    def __init__(self, detail: str, *, group: str = "") -> None:
        super().__init__(detail, extra={"decline_group": group})


class MethodNotUsable(InvalidInput):
    """The provider does not accept this token: it is unknown, already used, or belongs to another account."""

    code = "method_not_usable"
    remedy = "Create a new token with the provider's script."

    def __init__(self) -> None:
        super().__init__(
            _("The payment provider did not accept this token. Nothing was saved or charged. Send a new one.")
        )


class MethodRemoved(Conflict):
    """The saved method no longer exists at the provider and was removed here too. Nothing was charged."""

    code = "method_gone"
    remedy = "Choose another saved method, or enter the card again."

    def __init__(self) -> None:
        super().__init__(
            _(
                "This saved method no longer exists at the payment provider, so we removed it. Nothing was charged. "
                "Choose another one, or enter the card again."
            )
        )


class MethodInUse(Conflict):
    """A payment with this method is in progress and its outcome is not known yet."""

    code = "method_in_use"
    retryable = True
    remedy = "Try again in a moment."

    def __init__(self) -> None:
        super().__init__(_("A payment with this method is in progress. Try again in a moment."))


class DefaultRequired(InvalidInput):
    """There is always one default among the saved methods."""

    code = "default_wanted"
    remedy = "Make another method the default instead."

    def __init__(self) -> None:
        super().__init__(_("One saved method must be the default. Make another one the default instead."))


class SaveInProgress(ServiceUnavailable):
    """The provider does not respond, so it is not known yet whether the method was saved. Nothing was
    charged."""

    code = "method_under_way"
    remedy = "Check the saved methods in a moment, or repeat the request: the method is saved once."

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment provider is not responding, so we do not know yet whether this was saved. Nothing was "
                "charged. Check your saved methods in a moment, or try again."
            )
        )
