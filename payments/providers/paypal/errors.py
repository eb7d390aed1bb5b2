"""What PayPal's refusals mean: HTTP status × issue → Refused, ObjectNotFound or Unknown. The one table.

A refusal counts as one only when it carries PayPal's own error body: a proxy or a firewall in between also says 403,
and knows nothing about what PayPal did. 401 is none either: an earlier call with the same key may have gone through.
"""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from payments.providers.contract import DeclineGroup, ObjectNotFound, ProviderError, Refused, Unknown

REFUSING = frozenset({400, 403, 404, 405, 406, 410, 413, 415, 422})
LONGEST_WAIT = 3600

# The call itself does nothing, but it says that an earlier one did or is doing something.
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

# The order is fine, its address is not: the same order is made without one.
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
    """By its code, or by the field that it names: `detail` ends with the field and the id of the call."""
    return refused.code in ADDRESS_REFUSED or "/shipping/" in refused.detail


DECLINES = {
    "AGREEMENT_ALREADY_CANCELLED": DeclineGroup.OTHER_CARD,
    "BILLING_AGREEMENT_NOT_FOUND": DeclineGroup.OTHER_CARD,
    "CARD_EXPIRED": DeclineGroup.OTHER_CARD,
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
    "REFERENCED_CARD_EXPIRED": DeclineGroup.OTHER_CARD,
    "TOKEN_EXPIRED": DeclineGroup.OTHER_CARD,
    "TOKEN_ID_NOT_FOUND": DeclineGroup.OTHER_CARD,
    "TRANSACTION_BLOCKED_BY_PAYEE": DeclineGroup.DECLINED,
    "TRANSACTION_LIMIT_EXCEEDED": DeclineGroup.FUNDS,
    "TRANSACTION_REFUSED": DeclineGroup.DECLINED,
}


class PayPalRefused(Refused):
    """`redirect`: where the buyer chooses another way to pay, when PayPal says so."""

    redirect: str = ""


def failure(status: int, text: str, *, retry_after: str = "") -> ProviderError:
    """The exception for an answer that is no success."""
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
        found.redirect = link_of(error, "redirect")
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
    """The finest code that the error has: the issue of its first detail, else its name."""
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
    """The address of the first of these relations that the answer links to, "" when it has none."""
    links = answer.get("links")
    rows = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    known = {link["rel"]: link.get("href") for link in rows if isinstance(link.get("rel"), str)}
    return next((str(known[rel]) for rel in wanted if known.get(rel)), "")


def seconds_to_wait(retry_after: str) -> int:
    """Of a Retry-After header in either form (seconds, date); 0 when there is none that can be read."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(int(retry_after[:9]), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0
    seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(int(seconds), 0), LONGEST_WAIT)
