"""The meaning of PayPal's errors: HTTP status × issue → Refused, ObjectNotFound or Unknown.

A refusal counts only if it has PayPal's own error body: a proxy or firewall in between also returns 403 and knows
nothing of what PayPal did. Nor does a 401 count: an earlier call with the same key may have succeeded.
"""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from payments.providers.contract import DeclineGroup, ObjectNotFound, ProviderError, Refused, Unknown

REFUSING = frozenset({400, 403, 404, 405, 406, 410, 413, 415, 422})
LONGEST_WAIT = 3600

# The call had no effect, but an earlier one had or may have.
UNSETTLED = frozenset(
    {
        "DUPLICATE_INVOICE_ID",
        "DUPLICATE_REQUEST_ID",
        "INTERNAL_SERVER_ERROR",
        "INTERNAL_SERVICE_ERROR",
        "ORDER_COMPLETION_IN_PROGRESS",
        "PAYPAL_REQUEST_ID_PREVIOUSLY_USED",
        "PREVIOUS_REQUEST_IN_PROGRESS",
        "RATE_LIMIT_REACHED",
        "SERVICE_UNAVAILABLE",
    }
)
ABSENT = frozenset({"INVALID_RESOURCE_ID", "RESOURCE_NOT_FOUND"})

# Only the address is invalid: the order is created again without it.
ADDRESS_REFUSED = frozenset(
    {
        "ADDRESS_INCOMPLETE",
        "CITY_REQUIRED",
        "COUNTRY_NOT_SUPPORTED_BY_PAYMENT_SOURCE",
        "INVALID_COUNTRY_CODE",
        "MISSING_SHIPPING_ADDRESS",
        "POSTAL_CODE_REQUIRED",
        "SHIPPING_ADDRESS_INVALID",
        "STATE_REQUIRED",
    }
)


def is_about_address(refused: Refused) -> bool:
    """By the issue code or the field that it names; `detail` ends with the field and the debug id."""
    return refused.code in ADDRESS_REFUSED or "/shipping/" in refused.detail


DECLINES = {
    "AGREEMENT_ALREADY_CANCELLED": DeclineGroup.OTHER_CARD,
    "BILLING_AGREEMENT_NOT_FOUND": DeclineGroup.OTHER_CARD,
    "CARD_EXPIRED": DeclineGroup.EXPIRED,
    "COMPLIANCE_VIOLATION": DeclineGroup.DECLINED,
    "DOMESTIC_TRANSACTION_REQUIRED": DeclineGroup.OTHER_CARD,
    "INSTRUMENT_DECLINED": DeclineGroup.OTHER_CARD,
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": DeclineGroup.OTHER_CARD,
    "PAYEE_BLOCKED_TRANSACTION": DeclineGroup.DECLINED,
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": DeclineGroup.DECLINED,
    "PAYER_ACCOUNT_RESTRICTED": DeclineGroup.DECLINED,
    "PAYER_ACTION_REQUIRED": DeclineGroup.AUTHENTICATION,
    "PAYER_CANNOT_PAY": DeclineGroup.OTHER_CARD,
    "PAYMENT_SOURCE_CANNOT_BE_USED": DeclineGroup.OTHER_CARD,
    "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR": DeclineGroup.OTHER_CARD,
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": DeclineGroup.OTHER_CARD,
    "REFERENCED_CARD_EXPIRED": DeclineGroup.EXPIRED,
    "TOKEN_EXPIRED": DeclineGroup.OTHER_CARD,
    "TOKEN_ID_NOT_FOUND": DeclineGroup.OTHER_CARD,
    "TRANSACTION_BLOCKED_BY_PAYEE": DeclineGroup.DECLINED,
    "TRANSACTION_LIMIT_EXCEEDED": DeclineGroup.FUNDS,
    "TRANSACTION_REFUSED": DeclineGroup.DECLINED,
}


class PayPalRefused(Refused):
    """`redirect`: where the buyer can choose another way to pay, if PayPal returned it."""

    redirect: str = ""


def failure(status: int, text: str, *, retry_after: str = "") -> ProviderError:
    """The exception for an unsuccessful response."""
    wait = seconds_to_wait(retry_after)
    error = error_body(text)
    code = issue_of(error) or f"http_{status}"
    detail = detail_of(error)
    found: ProviderError
    if status not in REFUSING or not error or code in UNSETTLED:
        found = Unknown(code, detail, retry_after=wait)
    elif status == HTTPStatus.NOT_FOUND or code in ABSENT:
        found = ObjectNotFound(code, detail)
    else:
        found = PayPalRefused(code, detail, decline=DECLINES.get(code))
        found.redirect = link_of(error, "redirect", "payer-action")
    found.is_forbidden = status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    return found


def error_body(text: str) -> dict[str, Any]:
    """PayPal's error object; {} for anything else, such as a proxy's page."""
    try:
        error = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return error if isinstance(error, dict) and isinstance(error.get("name"), str) else {}


def issue_of(error: dict[str, Any]) -> str:
    """The most specific code of the error: the issue of its first detail, otherwise its name."""
    first = first_detail(error)
    return str(first.get("issue") or error.get("name") or "")[:100]


def detail_of(error: dict[str, Any]) -> str:
    first = first_detail(error)
    parts = [first.get("description") or error.get("message"), first.get("field"), error.get("debug_id")]
    return " · ".join(str(part)[:200] for part in parts if part)


def first_detail(error: dict[str, Any]) -> dict[str, Any]:
    details = error.get("details")
    first = details[0] if isinstance(details, list) and details else {}
    return first if isinstance(first, dict) else {}


def link_of(answer: dict[str, Any], *wanted: str) -> str:
    """The URL of the first of these link relations in the response, "" if it has none."""
    links = answer.get("links")
    rows = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    known = {link["rel"]: link.get("href") for link in rows if isinstance(link.get("rel"), str)}
    return next((str(known[rel]) for rel in wanted if known.get(rel)), "")


def seconds_to_wait(retry_after: str) -> int:
    """Parse a Retry-After header in either form (seconds or date); 0 if it is missing or invalid."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(int(retry_after[:9]), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0
    seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(int(seconds), 0), LONGEST_WAIT)
