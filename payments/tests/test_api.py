"""The payments API: intents as in the founding contract, and access to own payments only."""

import json

import pytest

from orders.tests.factories import place
from payments.models import Payment
from payments.tests.factories import record, start
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

SHAPE = {
    "id", "payment_number", "order_id", "amount", "refunded_amount", "currency", "payment_method", "payment_provider",
    "status", "next_action", "provider_payment_id", "failure_reason", "created_at", "processed_at", "completed_at",
}  # fmt: skip


@pytest.fixture
def client(api, shopper):
    return api(shopper)


def intent(client, order, slash="", **changes):
    right = {
        "order_id": str(order.pk),
        "amount": 99.99,
        "currency": "USD",
        "payment_method": "bank_transfer",
        "payment_provider": "manual",
        "customer_email": "user@example.com",
    }
    body = {name: value for name, value in (right | changes).items() if value is not ...}
    return client.post(f"/payments/intents{slash}", body)


@pytest.mark.parametrize("slash", ["", "/"])
def test_founding_body_starts_a_payment(client, shopper, slash):
    order = place(user=shopper).order

    answer = intent(client, order, slash)

    body = answer.json()
    assert answer.status_code == 201, body
    assert set(body) >= SHAPE
    assert (body["status"], body["amount"], body["refunded_amount"]) == ("PENDING", "99.99", "0.00")
    assert body["payment_number"].startswith("PAY-")
    assert client.get(f"/payments/{body['id']}{slash}").json() == body
    assert [row["id"] for row in client.get(f"/payments{slash}").json()["results"]] == [body["id"]]


def test_same_method_answers_200_with_the_open_payment_and_another_201(client, shopper):
    order = place(user=shopper).order
    first = intent(client, order).json()

    again, other = intent(client, order), intent(client, order, payment_method="check")

    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert other.status_code == 201
    assert client.get(f"/payments/{first['id']}").json()["status"] == "CANCELLED"


@pytest.mark.parametrize(
    ("method", "provider"), [("credit_card", "stripe"), ("debit_card", "stripe"), ("paypal", "paypal")]
)
def test_methods_of_later_releases_are_named_as_not_offered(client, shopper, method, provider):
    order = place(user=shopper).order
    before = dump()

    problem(
        intent(client, order, payment_method=method, payment_provider=provider), 400, "method_not_offered"
    )

    assert dump() == before


@pytest.mark.parametrize(
    ("method", "provider"),
    [("check", "stripe"), ("credit_card", "manual"), ("gold", ...), ("", ...), ("CHECK", ...)],
)
def test_mismatched_method_and_provider_are_refused(client, shopper, method, provider):
    answer = intent(client, place(user=shopper).order, payment_method=method, payment_provider=provider)

    problem(answer, 400)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("amount", ["99.99", 99.99, "99.990", ...])
def test_right_amount_in_any_format_is_accepted(client, shopper, amount):
    assert intent(client, place(user=shopper).order, amount=amount).status_code == 201


@pytest.mark.parametrize("amount", [100, "0", "0.01", "99.98", "99.991", 9999, "9999999999999999"])
def test_different_amount_is_refused_with_both_values(client, shopper, amount):
    body = problem(intent(client, place(user=shopper).order, amount=amount), 409, "amount_mismatch")

    assert (body["amount"], body["currency"]) == ("99.99", "USD")
    assert body["sent"].startswith(str(amount))
    assert not Payment.objects.exists()


HOSTILE = [
    "1e2",
    "99,99",
    "+99.99",
    "-99.99",
    " 99.99",
    "９９.99",
    "99.99 USD",
    "NaN",
    "",
    None,
    True,
    [],
    {},
    "1_0",
    "0x63",
]


@pytest.mark.parametrize("amount", HOSTILE)
def test_amount_that_is_not_a_plain_decimal_is_refused(client, shopper, amount):
    body = problem(intent(client, place(user=shopper).order, amount=amount), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == ["/amount"]


@pytest.mark.parametrize(
    "literal", ["1e2", "9.999e1", "1e999999999", "-0", "-99.99", "NaN", "Infinity", "9" * 5000]
)
def test_unusual_number_is_refused_quickly(client, shopper, literal):
    body = json.dumps({"order_id": str(place(user=shopper).order.pk), "payment_method": "check", "amount": 0})
    raw = body.replace('"amount": 0', f'"amount": {literal}')

    problem(client.post("/payments/intents", raw, content_type="application/json"), (400, 409))

    assert not Payment.objects.exists()


def test_later_email_address_does_not_redirect_order_mails(client, shopper, mails):
    order = place(user=shopper).order

    intent(client, order, customer_email="thief@example.test")

    assert mails("thief@example.test") == []
    assert len(mails(shopper.email)) == 1


def test_paid_order_cannot_be_paid_again(client, shopper, staff):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)

    problem(intent(client, payment.order, amount=...), 409, "nothing_due")


def test_link_pays_only_its_own_order(api):
    order, other = place().order, place().order
    holder = api(order=order.access_token)

    assert intent(holder, order).status_code == 201
    problem(intent(holder, other), 404)


@pytest.mark.parametrize(
    ("spelling", "status"),
    [
        (str.upper, 201),
        (lambda key: f"urn:uuid:{key}", 400),
        (lambda key: "{%s}" % key, 400),
        (lambda key: key.replace("-", ""), 400),
    ],
)
def test_id_is_accepted_only_in_canonical_form(client, shopper, spelling, status):
    order = place(user=shopper).order

    answer = intent(client, order, order_id=spelling(str(order.pk)))

    assert answer.status_code == status
    assert status == 400 or answer.json()["order_id"] == str(order.pk)


@pytest.mark.parametrize(
    "order_id", [1, 0, -1, None, True, "1", "", [], {}, "x" * 10_000, "00000000-0000-0000-0000-00000000000g"]
)
def test_invalid_id_is_refused_with_a_pointer(client, shopper, order_id):
    body = problem(client.post("/payments/intents", {"order_id": order_id, "payment_method": "check"}), 400)

    assert [error["pointer"] for error in body["errors"]] == ["/order_id"]


def test_unknown_field_is_refused(client, shopper):
    body = problem(intent(client, place(user=shopper).order, amout=1), 400, "validation_error")

    assert body["errors"] == [
        {"pointer": "/amout", "code": body["errors"][0]["code"], "detail": "Unknown field."}
    ]


def test_payment_of_another_user_is_not_found(api, stranger, shopper):
    payment = start(user=shopper)
    client = api(stranger)

    problem(client.get(f"/payments/{payment.pk}"), 404)
    problem(intent(client, payment.order), 404)
    assert client.get("/payments").json()["results"] == []
