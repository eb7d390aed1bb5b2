"""Our field lists and the checker itself, against PayPal's API descriptions."""

import json
import os
import re

import pytest

from sandbox.paypal_api.api import ROUTES
from sandbox.paypal_api.errors import ISSUES, MESSAGES
from sandbox.paypal_api.schemas import FOLDER, schemas
from sandbox.tests.paypal_client import money, order_body
from sandbox.tests.paypal_schemas import (
    ANSWERS,
    PUBLISHED,
    check_event,
    check_request,
    check_response,
    operation,
    operations,
)

ORDERS = "/v2/checkout/orders"


@pytest.fixture(scope="module")
def published():
    """The text of all descriptions, which must contain every issue and message."""
    files = sorted(PUBLISHED.glob("*.json"))
    if not files and not os.environ.get("CI"):
        pytest.skip(f"{PUBLISHED} is not here.")
    return "".join(json.dumps(json.loads(file.read_text()), ensure_ascii=False) for file in files)


def test_every_file_names_its_source_and_every_schema_is_used():
    used = {route.request for route in ROUTES} | {route.query for route in ROUTES}
    used |= {shape for names in ANSWERS.values() for shape in names.split("|")}
    for file in FOLDER.glob("paypal.*.json"):
        known = json.loads(file.read_text())
        assert known["source"].startswith("https://developer.paypal.com/")
        used |= set(re.findall(r'"@(\w+)"', file.read_text()))

    assert schemas().keys() - used == {"error", "oauth_error"}


def test_every_call_of_the_sandbox_is_published_and_has_a_list(published):
    answered = {f"{route.method} {route.path}" for route in ROUTES} - set(ANSWERS)

    assert {name for name in answered if not name.startswith(("PATCH", "DELETE"))} == set()
    assert {f"{route.method} {route.path}" for route in ROUTES} - operations().keys() == set()


# Not in the descriptions, but on developer.paypal.com: /api/payment-tokens/v3/errors/…
ELSEWHERE = {"PAYPAL_REQUEST_ID_PREVIOUSLY_USED", "SETUP_TOKEN_ALREADY_TOKENIZED"}


def test_errors_have_the_published_messages(published):
    def is_published(text):
        return json.dumps(text, ensure_ascii=False) in published

    assert {issue for issue in ISSUES if not is_published(issue)} == ELSEWHERE
    assert {issue for issue, text in ISSUES.items() if not is_published(text)} == ELSEWHERE
    assert {name for name, text in MESSAGES.items() if not is_published(text)} == {"RATE_LIMIT_REACHED"}


@pytest.mark.parametrize(
    ("change", "ours", "theirs"),
    [
        ({"intent": "SALE"}, "/intent INVALID_PARAMETER_VALUE", "is not one of"),
        ({"colour": "red"}, "/colour NOT_SUPPORTED", "/colour is not published"),
        (
            {"purchase_units": [{"amount": {"currency_code": "USD", "value": 5}}]},
            "/purchase_units/0/amount/value INVALID_PARAMETER_SYNTAX",
            "is not of type 'string'",
        ),
    ],
)
def test_checker_detects_a_wrong_request(published, change, ours, theirs):
    found = check_request("POST", ORDERS, order_body() | change)

    assert len(found) == 2
    assert (ours in found[0], theirs in found[1]) == (True, True)


def test_checker_accepts_a_valid_request_and_no_unknown_calls():
    assert check_request("POST", f"{ORDERS}?x=1", order_body()) == []
    assert check_request("POST", f"{ORDERS}/X/capture", {}) == []
    assert check_request("POST", "/v2/payments/captures/X/refund", {"amount": money("1.00")}) == []
    token = {"payment_source": {"token": {"id": "X", "type": "SETUP_TOKEN"}}}
    assert check_request("POST", "/v3/vault/payment-tokens", token) == []
    assert check_request("POST", "/v1/payments/payment", {}) != []
    assert operation("GET", "/v2/elsewhere") is None


def test_checker_detects_a_wrong_answer(paypal):
    order = paypal.order()

    assert check_response("GET", f"{ORDERS}/{order['id']}", 200, order) == []
    assert check_response("GET", f"{ORDERS}/{order['id']}", 200, order | {"status": "DONE"}) != []
    assert check_response("GET", f"{ORDERS}/{order['id']}", 200, order | {"shop": "x"}) != []
    assert check_response("GET", f"{ORDERS}/X", 404, {"name": "RESOURCE_NOT_FOUND"}) != []


def test_checker_detects_a_wrong_event(paypal, approved):
    approved()
    [event] = paypal.get("/v1/notifications/webhooks-events")["events"]

    assert check_event(event) == []
    assert check_event(event | {"resource": event["resource"] | {"status": "DONE"}}) != []
    assert check_event(event | {"event_type": "CHECKOUT.ORDER.PAID"}) != []
