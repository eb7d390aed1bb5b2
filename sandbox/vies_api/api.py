"""VIES, the European Commission's service that says whether a VAT ID is valid: `POST /vies/check-vat-number`.

The shapes are those of its published REST API. As at its test service, `vatNumber` chooses the answer, here by its last
three digits, because shops check the format and check digit of what buyers enter.
"""

import json
import re
import secrets
import time
from datetime import UTC, datetime

from sandbox.faults import Action, Fault
from sandbox.http_messages import Json, Request, Response, json_response
from sandbox.simulator import Simulator

PATH = "/vies/check-vat-number"
NAME, ADDRESS = "Sandbox Trading Company", "Main Street 1\n10115 Sandbox"
NOT_VALID, INVALID_INPUT, SLOW = "200", "201", "999"
# The codes of VIES's test service.
ERRORS = {
    "300": "SERVICE_UNAVAILABLE",
    "301": "MS_UNAVAILABLE",
    "302": "TIMEOUT",
    "400": "VAT_BLOCKED",
    "401": "IP_BLOCKED",
    "500": "GLOBAL_MAX_CONCURRENT_REQ",
    "600": "MS_MAX_CONCURRENT_REQ",
}
SLOW_SECONDS = 60.0  # longer than a shop waits
PREFIX = re.compile("AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI")
TRADER = ("Street", "PostalCode", "City", "CompanyType")


class ViesApi:
    name = "vies"

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def owns(self, path: str) -> bool:
        return path.startswith("/vies/")

    def control(self, action: str, changes: Json) -> Json:
        raise KeyError(action)

    def overview(self) -> list[Json]:
        return []

    def refusal(self, answer: Json) -> str:
        wrappers = answer.get("errorWrappers") or [{}]
        return str(wrappers[0].get("error", ""))

    def respond(self, request: Request, fault: Fault) -> Response:
        if early := fault.on_arrival():
            return failure("SERVICE_UNAVAILABLE", early.status)
        fault.on_execution()
        if fault.action in {Action.ERROR_BEFORE, Action.ERROR_AFTER}:
            return failure("INTERNAL_ERROR", 500)
        if request.method != "POST" or request.path != PATH:
            return failure("INVALID_INPUT", 404)
        return answer(request)


def answer(request: Request) -> Response:
    try:
        question = json.loads(request.body)
        country, number = question["countryCode"], question["vatNumber"]
    except (ValueError, KeyError, TypeError):
        return failure("INVALID_INPUT", 400)
    if not PREFIX.fullmatch(str(country)) or not isinstance(number, str) or not number:
        return failure("INVALID_INPUT", 400)
    end = "".join(letter for letter in number if letter.isdigit())[-3:]
    if end in ERRORS:
        return failure(ERRORS[end], 200)
    if end == SLOW:
        time.sleep(SLOW_SECONDS)
    return json_response(found(question, is_valid=end not in {NOT_VALID, INVALID_INPUT}))


def found(question: Json, *, is_valid: bool) -> Json:
    proof = f"WAPIAAAA{secrets.token_hex(4).upper()}" if question.get("requesterNumber") else ""
    return {
        "countryCode": question["countryCode"],
        "vatNumber": question["vatNumber"],
        "requestDate": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "valid": is_valid,
        "requestIdentifier": proof,
        "name": NAME if is_valid else "---",
        "address": ADDRESS if is_valid else "---",
        "traderName": "---",
        **{f"trader{name}": "---" for name in TRADER},
        **{f"trader{name}Match": "NOT_PROCESSED" for name in ("Name", *TRADER)},
    }


def failure(code: str, status: int) -> Response:
    return json_response({"actionSucceed": False, "errorWrappers": [{"error": code}]}, status)
