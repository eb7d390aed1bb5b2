"""Every request that we send, against the API descriptions that PayPal publishes.

They are expected beside the repository, or where `PAYPAL_OPENAPI` points. Without them these tests are skipped; the
sandbox still checks requests against its own list of the same fields.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.conf import settings
from jsonschema import Draft202012Validator

from artisans.core.money import Money
from payments.providers.contract import Breakdown, Item, ProviderError
from payments.providers.paypal.provider import PayPalProvider
from payments.tests.paypal_certs import message, signed
from payments.tests.paypal_stub import (
    CAPTURE_ID,
    ORDER_ID,
    TOKEN_PATH,
    Answer,
    RecordedRequest,
    Stub,
    build_create_request,
    capture,
    config,
    order,
)
from payments.tests.test_paypal_provider import (
    CONFIRM,
    REFUND_REQUEST,
    SAVE_REQUEST,
    SINCE,
    UNTIL,
    dispute,
    row,
    setup,
    token,
)

FOLDER = Path(os.environ.get("PAYPAL_OPENAPI", Path(settings.BASE_DIR).parent / "shared/providers/paypal"))
FILES = sorted(FOLDER.glob("*.json"))

pytestmark = pytest.mark.skipif(not FILES, reason="PayPal's API descriptions are not here.")


@cache
def operations() -> dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]:
    """Document and operation by method and path pattern."""
    return {
        (method.upper(), path): (document, operation)
        for document in (json.loads(file.read_text()) for file in FILES)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "delete", "patch", "put"}
    }


def operation_of(sent: RecordedRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = urlsplit(sent.path).path.split("/")
    found = [
        known
        for (method, pattern), known in operations().items()
        if method == sent.method and matches(pattern.split("/"), parts)
    ]
    assert found, f"PayPal has no {sent.method} {sent.path}"
    return found[0]


def matches(pattern: list[str], parts: list[str]) -> bool:
    return len(pattern) == len(parts) and all(
        wanted.startswith("{") or wanted == part for wanted, part in zip(pattern, parts, strict=True)
    )


def problems(sent: RecordedRequest) -> list[str]:
    """The violations of the description in this request."""
    document, operation = operation_of(sent)
    return [*body_problems(sent, document, operation), *parameter_problems(sent, document, operation)]


def body_problems(
    sent: RecordedRequest, document: dict[str, Any], operation: dict[str, Any]
) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        if sent.body:
            yield "a body where none belongs"
        return
    schema = content["application/json"]["schema"] | {"components": document["components"]}
    for error in Draft202012Validator(schema).iter_errors(sent.json):
        yield f"{error.json_path}: {error.message}"


def parameter_problems(
    sent: RecordedRequest, document: dict[str, Any], operation: dict[str, Any]
) -> Iterator[str]:
    given = {
        "query": dict(parse_qsl(urlsplit(sent.path).query)),
        "header": sent.headers,
    }
    for reference in operation.get("parameters", []):
        name = reference.get("$ref", "").rpartition("/")[2]
        parameter = document["components"]["parameters"][name] if name else reference
        if parameter["in"] not in given:
            continue
        value = given[parameter["in"]].pop(parameter["name"].lower(), None)
        if value is None:
            if parameter.get("required") and parameter["name"] != "Authorization":
                yield f"{parameter['name']} is missing"
            continue
        kind = parameter["schema"].get("type")
        typed = json.loads(value) if kind in {"integer", "boolean"} else value
        for error in Draft202012Validator(parameter["schema"]).iter_errors(typed):
            yield f"{parameter['name']}: {error.message}"
    yield from (f"unknown parameter {name}" for name in given["query"])


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Answers that let every method complete, or at least send its request."""
    with Stub() as running:
        related = {"related_ids": {"order_id": ORDER_ID}}
        back = row(
            "T1107", transaction_id="R", paypal_reference_id=CAPTURE_ID, paypal_reference_id_type="TXN"
        )
        running.respond_with("/v2/checkout/orders", Answer(order()))
        running.respond_with(
            f"/v2/checkout/orders/{ORDER_ID}", Answer(order("COMPLETED", captures=[capture()]))
        )
        running.respond_with(
            f"/v2/payments/captures/{CAPTURE_ID}", Answer(capture(supplementary_data=related))
        )
        running.respond_with("/v1/customer/disputes", Answer({"items": [dispute("RESOLVED")]}))
        running.respond_with("/v1/customer/disputes/PP-D-27803", Answer(dispute("RESOLVED", "DENIED")))
        running.respond_with("/v3/vault/setup-tokens/5C991763VB2781612", Answer(setup("APPROVED")))
        running.respond_with("/v3/vault/payment-tokens", Answer(token()))
        running.respond_with("/v1/reporting/transactions", Answer({"transaction_details": [back]}))
        running.respond_with(
            "/v1/notifications/verify-webhook-signature", Answer({"verification_status": "SUCCESS"})
        )
        yield running


def parts(currency: str = "USD") -> Breakdown:
    items = tuple(Item(f"Bowl {n}", n, Money(100 * n, currency)) for n in range(1, 30))
    subtotal = Money.total((item.unit_price * item.quantity for item in items), currency)
    return Breakdown(items, subtotal, Money(700, currency), Money(500, currency))


def total(breakdown: Breakdown) -> Money:
    return breakdown.subtotal + breakdown.tax + breakdown.shipping


CREATE_REQUESTS = [
    build_create_request(),
    build_create_request(total(parts()), breakdown=parts()),
    build_create_request(total(parts("JPY")), breakdown=parts("JPY")),
    build_create_request(total(parts("HUF")), breakdown=parts("HUF")),
    build_create_request(save=True),
    build_create_request(save=True, customer_id="cus_4029352050"),
    build_create_request(method_id="8kk8451t"),
]
CALLS = {
    **{
        f"create-{n}": lambda paypal, each=each: paypal.create(each) for n, each in enumerate(CREATE_REQUESTS)
    },
    "read": lambda paypal: paypal.read(ORDER_ID),
    "cancel": lambda paypal: paypal.cancel(ORDER_ID, key="k"),
    "confirm": lambda paypal: paypal.confirm(CONFIRM),
    "refund": lambda paypal: paypal.refund(REFUND_REQUEST),
    "read_refund": lambda paypal: paypal.read_refund("1JU08902781691411", currency="USD"),
    "save_start": lambda paypal: paypal.save_start(SAVE_REQUEST),
    "saved_methods": lambda paypal: paypal.saved_methods("cus_4029352050"),
    "detach": lambda paypal: paypal.detach("8kk8451t", key="k"),
    "list_payments": lambda paypal: list(paypal.list_payments(SINCE, UNTIL)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_request_matches_paypals_description(stub, call):
    with suppress(ProviderError):
        call(PayPalProvider(config(stub)))

    requests = [sent for sent in stub.seen if sent.path != TOKEN_PATH]
    assert requests
    assert [problem for sent in requests for problem in problems(sent)] == []


def test_signature_verification_request_matches_paypals_description(stub):
    headers = signed(message(), "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1")

    PayPalProvider(config(stub, verify_by_call=True)).parse_webhook(message(), headers)

    (sent,) = stub.requests_to("/v1/notifications/verify-webhook-signature")
    assert problems(sent) == []


def test_payment_token_request_differs_only_in_the_token_type(stub):
    """The description allows only BILLING_AGREEMENT; PayPal's vault guide creates tokens from a SETUP_TOKEN."""
    PayPalProvider(config(stub)).save_read("5C991763VB2781612")

    (sent,) = stub.requests_to("/v3/vault/payment-tokens")
    assert problems(sent) == [
        "$.payment_source.token.type: 'SETUP_TOKEN' is not one of ['BILLING_AGREEMENT']"
    ]


def test_wrong_request_is_detected():
    wrong = order() | {"intent": "TAKE", "purchase_units": [{"amount": {"currency_code": "USD", "value": 5}}]}
    sent = RecordedRequest("POST", "/v2/checkout/orders?page=1", {}, json.dumps(wrong).encode())

    assert len(problems(sent)) >= 3
