"""Asks VIES, the VAT Information Exchange System of the European Commission, whether a VAT ID is valid.

It passes questions on to the tax offices of 27 countries, each of which may be down for hours. Only a clear yes or no
counts as an answer.
"""

import time
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings

from artisans.core.strict_json import strict_json

TIMEOUTS = (3.05, 10.0)  # seconds to connect, and between two parts of the answer
SECONDS = 15.0  # for the whole answer
LARGEST, CHUNK = 100_000, 8192
NOT_VALID = {
    "",
    "INVALID",
    "INVALID_INPUT",
}  # what `userError` says beside `valid: false` when that is the answer
# Asking again would not help: the shop, or its own VAT ID, is refused.
FINAL = {"IP_BLOCKED", "VAT_BLOCKED", "INVALID_REQUESTER_INFO"}
NOTHING = "---"  # in place of a name or an address that a country does not tell


@dataclass(frozen=True, slots=True)
class Answer:
    """`request_identifier`: VIES's proof of the question, only given to shops that name their own VAT ID."""

    is_valid: bool
    name: str = ""
    address: str = ""
    request_identifier: str = ""


class Unavailable(Exception):
    """VIES gave no answer. `code`: its own, or what went wrong on the way."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code[:60]

    @property
    def may_pass(self) -> bool:
        return self.code not in FINAL


def check_vat_number(value: str) -> Answer:
    """Errors: Unavailable."""
    question = {"countryCode": value[:2], "vatNumber": value[2:]}
    if own := settings.VIES_REQUESTER:
        question |= {"requesterMemberStateCode": own[:2], "requesterNumber": own[2:]}
    try:
        return read_answer(strict_json(post(question)))
    except requests.RequestException as silence:
        raise Unavailable(type(silence).__name__) from None
    except ValueError:
        raise Unavailable("unreadable_answer") from None


def post(question: dict[str, str]) -> bytes:
    """Errors: requests.RequestException, ValueError for an answer without an end."""
    address, end = f"{settings.VIES_API_BASE}/check-vat-number", time.monotonic() + SECONDS
    with requests.post(
        address, json=question, timeout=TIMEOUTS, stream=True, allow_redirects=False
    ) as response:
        content = bytearray()
        for part in response.iter_content(CHUNK):
            content += part
            if len(content) > LARGEST:
                raise ValueError
            if time.monotonic() > end:
                raise requests.Timeout
    return bytes(content)


def read_answer(found: Any) -> Answer:
    """Errors: Unavailable unless it is a clear yes or no."""
    if not isinstance(found, dict):
        raise Unavailable("unreadable_answer")
    if found.get("actionSucceed") is False:
        raise Unavailable(error_of(found) or "unreadable_answer")
    is_valid, error = found.get("valid"), text_of(found, "userError")
    if is_valid is True or (is_valid is False and error in NOT_VALID):
        return Answer(
            is_valid=is_valid,
            name=text_of(found, "name")[:300],
            address=text_of(found, "address")[:500],
            request_identifier=text_of(found, "requestIdentifier")[:60],
        )
    raise Unavailable(error or "unreadable_answer")


def error_of(found: dict[str, Any]) -> str:
    """Shape: {"errorWrappers": [{"error": "MS_UNAVAILABLE"}]}."""
    wrappers = found.get("errorWrappers")
    first = wrappers[0] if isinstance(wrappers, list) and wrappers else None
    return text_of(first, "error") if isinstance(first, dict) else ""


def text_of(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    text = value.replace("\x00", "").strip() if isinstance(value, str) else ""
    return "" if text == NOTHING else text
