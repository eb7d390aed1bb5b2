"""Words for the codes of providers: of declines, and of requests that failed."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

PROVIDER_CODES: dict[str, Promise] = {
    # declines
    "authentication_required": gettext_lazy("The bank asked for 3-D Secure"),
    "call_issuer": gettext_lazy("The buyer should call the bank"),
    "card_declined": gettext_lazy("Declined without a reason"),
    "card_expired": gettext_lazy("Card at the provider has expired"),
    "card_not_supported": gettext_lazy("Card does not support this kind of purchase"),
    "card_velocity_exceeded": gettext_lazy("Too many payments with this card"),
    "do_not_honor": gettext_lazy("The bank refused without a reason"),
    "expired_card": gettext_lazy("Card expired"),
    "fraudulent": gettext_lazy("Suspected fraud"),
    "generic_decline": gettext_lazy("The bank gave no reason"),
    "highest_risk_level": gettext_lazy("Suspected fraud (highest risk)"),
    "incorrect_cvc": gettext_lazy("Wrong security code"),
    "incorrect_number": gettext_lazy("Wrong card number"),
    "incorrect_zip": gettext_lazy("Wrong postal code"),
    "instrument_declined": gettext_lazy("Card or bank account declined"),
    "insufficient_funds": gettext_lazy("Insufficient funds"),
    "issuer_not_available": gettext_lazy("The bank did not answer"),
    "lost_card": gettext_lazy("Card reported lost"),
    "payer_action_required": gettext_lazy("The buyer has to confirm at the provider"),
    "payment_intent_authentication_failure": gettext_lazy("3-D Secure failed"),
    "pickup_card": gettext_lazy("Card must not be used"),
    "processing_error": gettext_lazy("Technical failure at the bank or provider"),
    "restricted_card": gettext_lazy("Card is restricted"),
    "stolen_card": gettext_lazy("Card reported stolen"),
    "transaction_not_allowed": gettext_lazy("The bank does not allow this payment"),
    # requests to providers
    "api_error": gettext_lazy("Error of the provider"),
    "apiconnectionerror": gettext_lazy("No connection to the provider"),
    "connectionerror": gettext_lazy("No connection to the provider"),
    "connecttimeout": gettext_lazy("No connection within the time limit"),
    "internal_server_error": gettext_lazy("Error of the provider"),
    "lock_timeout": gettext_lazy("The provider was busy with the same object"),
    "rate_limit": gettext_lazy("Too many requests for the provider"),
    "rate_limit_reached": gettext_lazy("Too many requests for the provider"),
    "readtimeout": gettext_lazy("No answer within the time limit"),
    "sslerror": gettext_lazy("No secure connection to the provider"),
    "timeout": gettext_lazy("No answer within the time limit"),
}


def provider_code_text(code: str) -> str:
    """Codes without words are made readable, since providers add codes at any time."""
    if code.isdigit():
        return _("Code %(code)s") % {"code": code}
    if words := PROVIDER_CODES.get(code.lower()):
        return str(words)
    return code.replace("_", " ").replace(".", " ").strip().capitalize()
