"""What a buyer reads when a payment was declined: one text per group. The provider's own text is never shown."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.providers.contract import DeclineGroup

D = DeclineGroup
MESSAGES: dict[DeclineGroup, Promise] = {
    D.DECLINED: gettext_lazy(
        "Your bank declined the payment without giving a reason. Try another card, or contact your bank."
    ),
    D.OTHER_CARD: gettext_lazy(
        "This card cannot be used for this payment. Please try another card or payment method."
    ),
    D.FUNDS: gettext_lazy("Your card has insufficient funds. Please try another card or payment method."),
    D.FIX_DATA: gettext_lazy(
        "The card number, expiry date or security code is incorrect. Please check them and try again."
    ),
    D.AUTHENTICATION: gettext_lazy(
        "Your bank could not confirm your identity. Please try again, or pay another way."
    ),
    D.TRY_AGAIN: gettext_lazy("We could not reach your bank. Please try again in a moment."),
}


def not_started() -> str:
    return _("We could not start the payment. Please choose another payment method, or try again later.")


def not_taken() -> str:
    return _("We could not take the payment, and nothing was charged. Please choose another payment method.")


def decline_message(group: DeclineGroup | None) -> str:
    return str(MESSAGES[group or D.DECLINED])
