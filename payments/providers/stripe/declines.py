"""Stripe's decline codes, grouped by what the buyer can do. https://docs.stripe.com/declines/codes

Cards that are lost, stolen, blocked or suspected are in the same group as a generic decline, so that they
cannot be distinguished.
"""

from payments.providers.contract import DeclineGroup

CODES: dict[DeclineGroup, str] = {
    DeclineGroup.DECLINED: (
        "call_issuer card_declined compliance_violation do_not_honor do_not_try_again duplicate_transaction "
        "fraudulent generic_decline invalid_authorization invalid_business_account lost_card merchant_blacklist "
        "no_action_taken not_permitted partner_generic_decline partner_high_risk_customer "
        "partner_payment_not_found payment_disputed pickup_card restricted_card "
        "revocation_of_all_authorizations revocation_of_authorization security_violation service_not_allowed "
        "stolen_card stop_payment_order transaction_not_allowed"
    ),
    DeclineGroup.OTHER_CARD: (
        "card_not_supported currency_not_supported invalid_account "
        "invalid_billing_agreement invalid_customer_account new_account_information_available "
        "offline_pin_required online_or_offline_pin_required pin_try_exceeded test_mode_live_card "
        "testmode_decline"
    ),
    DeclineGroup.EXPIRED: "expired_card expired_payment_information",
    DeclineGroup.FUNDS: (
        "card_velocity_exceeded insufficient_funds invalid_amount payment_limit_exceeded "
        "withdrawal_count_limit_exceeded"
    ),
    DeclineGroup.FIX_DATA: (
        "incorrect_address incorrect_cvc incorrect_number incorrect_pin incorrect_zip invalid_characters "
        "invalid_cvc invalid_expiry_month invalid_expiry_year invalid_number invalid_payment_information "
        "invalid_pin"
    ),
    DeclineGroup.AUTHENTICATION: (
        "authentication_not_handled authentication_required mobile_device_authentication_required "
        "payment_intent_authentication_failure setup_intent_authentication_failure"
    ),
    DeclineGroup.TRY_AGAIN: (
        "approve_with_id issuer_not_available processing_error reenter_transaction try_again_later"
    ),
}
# Declines for suspected fraud, and of cards that were reported lost or stolen, for staff.
FRAUD = frozenset(
    (
        *(
            "fraudulent",
            "highest_risk_level",
            "lost_card",
            "merchant_blacklist",
            "partner_high_risk_customer",
        ),
        *("pickup_card", "restricted_card", "stolen_card"),
    )
)
GROUPS = {code: group for group, codes in CODES.items() for code in codes.split()}


def group_of(decline_code: str, code: str) -> DeclineGroup:
    """The decline code takes precedence over the error code; an unknown code is a generic decline."""
    return GROUPS.get(decline_code) or GROUPS.get(code) or DeclineGroup.DECLINED
