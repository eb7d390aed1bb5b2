"""Decline codes: every published code is in a group, and sensitive codes look like a generic decline."""

import pytest

from payments.providers.contract import DeclineGroup
from payments.providers.stripe.declines import CODES, GROUPS, group_of

# https://docs.stripe.com/declines/codes, card and local payment method codes.
PUBLISHED = """
authentication_required authentication_not_handled approve_with_id call_issuer card_not_supported card_velocity_exceeded
currency_not_supported do_not_honor do_not_try_again duplicate_transaction expired_card fraudulent generic_decline
incorrect_address incorrect_cvc incorrect_number incorrect_pin incorrect_zip insufficient_funds invalid_account
invalid_amount invalid_cvc invalid_expiry_month invalid_expiry_year invalid_number invalid_pin issuer_not_available
lost_card merchant_blacklist new_account_information_available no_action_taken not_permitted offline_pin_required
online_or_offline_pin_required pickup_card pin_try_exceeded processing_error reenter_transaction restricted_card
revocation_of_all_authorizations revocation_of_authorization security_violation service_not_allowed stolen_card
stop_payment_order testmode_decline transaction_not_allowed try_again_later withdrawal_count_limit_exceeded
mobile_device_authentication_required
partner_generic_decline invalid_customer_account payment_limit_exceeded invalid_billing_agreement
invalid_business_account partner_high_risk_customer compliance_violation payment_disputed invalid_authorization
invalid_payment_information partner_payment_not_found expired_payment_information
"""
HIDDEN = """
fraudulent generic_decline lost_card merchant_blacklist pickup_card restricted_card security_violation stolen_card
partner_high_risk_customer
"""


@pytest.mark.parametrize("code", PUBLISHED.split())
def test_every_published_code_is_in_a_group(code):
    assert code in GROUPS
    assert group_of(code, "card_declined") == GROUPS[code]


def test_no_code_is_in_two_groups():
    listed = [code for codes in CODES.values() for code in codes.split()]

    assert len(listed) == len(set(listed)) == len(GROUPS)


@pytest.mark.parametrize("code", HIDDEN.split())
def test_lost_stolen_and_suspected_cards_look_like_a_generic_decline(code):
    assert group_of(code, "card_declined") is DeclineGroup.DECLINED


@pytest.mark.parametrize(
    ("decline_code", "code", "group"),
    [
        ("", "expired_card", DeclineGroup.EXPIRED),
        ("", "incorrect_cvc", DeclineGroup.FIX_DATA),
        ("", "processing_error", DeclineGroup.TRY_AGAIN),
        ("", "payment_intent_authentication_failure", DeclineGroup.AUTHENTICATION),
        ("insufficient_funds", "card_declined", DeclineGroup.FUNDS),
        ("lost_card", "expired_card", DeclineGroup.DECLINED),
        ("a_code_of_next_year", "card_declined", DeclineGroup.DECLINED),
        ("a_code_of_next_year", "expired_card", DeclineGroup.EXPIRED),
        ("", "", DeclineGroup.DECLINED),
    ],
)
def test_decline_code_takes_precedence_over_the_error_code(decline_code, code, group):
    assert group_of(decline_code, code) is group
