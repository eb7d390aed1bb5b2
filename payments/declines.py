"""What a buyer reads when a payment was declined: one text per group. The provider's own text is never shown."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.models import label_of
from payments.methods import CARD_METHODS, PaymentMethod
from payments.providers.contract import DeclineGroup

D = DeclineGroup
MESSAGES: dict[DeclineGroup, Promise] = {
    D.DECLINED: gettext_lazy(
        "Your bank declined the payment without giving a reason. Try another card, or contact your bank."
    ),
    D.OTHER_CARD: gettext_lazy(
        "This card cannot be used for this payment. Please try another card or payment method."
    ),
    D.EXPIRED: gettext_lazy("Your card has expired. Please try another card or payment method."),
    D.FUNDS: gettext_lazy(
        "Your card has insufficient funds, or the payment exceeds its limit. Please try another card or payment method."
    ),
    D.FIX_DATA: gettext_lazy(
        "The card number, expiry date, security code or billing address is incorrect. Please check them and try again."
    ),
    D.AUTHENTICATION: gettext_lazy(
        "Your bank could not confirm your identity. Please try again, or pay another way."
    ),
    D.TRY_AGAIN: gettext_lazy("Your bank could not process the payment now. Please try again in a moment."),
}


WALLET_MESSAGES: dict[DeclineGroup, Promise] = {
    D.DECLINED: gettext_lazy(
        "%(method)s declined the payment. Try again there, or choose another payment method."
    ),
    D.OTHER_CARD: gettext_lazy(
        "%(method)s could not use the card or bank account that you chose there. Choose another one there, or "
        "another payment method here."
    ),
    D.EXPIRED: gettext_lazy(
        "The card that you chose with %(method)s has expired. Choose another one there, or another payment method here."
    ),
    D.FUNDS: gettext_lazy(
        "The payment exceeds what you can pay with %(method)s at the moment. Choose another card or bank account "
        "there, or another payment method here."
    ),
    D.FIX_DATA: gettext_lazy(
        "%(method)s could not use the payment details. Check them there, or choose another payment method."
    ),
    D.AUTHENTICATION: gettext_lazy(
        "%(method)s needs you to confirm the payment there. Please try again, or choose another payment method."
    ),
    D.TRY_AGAIN: gettext_lazy("%(method)s could not process the payment. Please try again in a moment."),
}

# For the order's history, which gives no advice.
PAST: dict[DeclineGroup, Promise] = {
    D.DECLINED: gettext_lazy("%(method)s payment declined."),
    D.OTHER_CARD: gettext_lazy("%(method)s payment declined: the card or account cannot be used for it."),
    D.EXPIRED: gettext_lazy("%(method)s payment declined: the card has expired."),
    D.FUNDS: gettext_lazy("%(method)s payment declined: insufficient funds, or a limit was exceeded."),
    D.FIX_DATA: gettext_lazy("%(method)s payment declined: the payment details were incorrect."),
    D.AUTHENTICATION: gettext_lazy("%(method)s payment declined: your identity could not be confirmed."),
    D.TRY_AGAIN: gettext_lazy("%(method)s payment declined: the bank could not process it at that time."),
}


def not_started() -> str:
    return _("We could not start the payment. Please choose another payment method, or try again later.")


def not_taken() -> str:
    return _("We could not take the payment. Please choose another payment method.")


def decline_message(group: DeclineGroup | None, method: str, *, wallet: str = "") -> str:
    """`method`: how the buyer pays; cards have sentences of their own. `wallet`: of a card in one, such as Apple Pay,
    whose number nobody typed."""
    if wallet and group == D.FIX_DATA:
        group = D.OTHER_CARD
    if method in CARD_METHODS:
        return str(MESSAGES[group or D.DECLINED])
    return str(WALLET_MESSAGES[group or D.DECLINED]) % {"method": PaymentMethod(method).label}


def past_decline(group: str, method: str) -> str:
    """The entry of a decline in the order's history. `group` and `method` as stored."""
    known = DeclineGroup(group) if group in DeclineGroup._value2member_map_ else D.DECLINED
    return str(PAST[known]) % {"method": label_of(PaymentMethod, method)}
