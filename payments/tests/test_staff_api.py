"""The staff API to record receipts and reject payments."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.accounts.models import AuthToken
from payments.methods import PaymentMethod
from payments.models import Receipt
from payments.tests.factories import record, start
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def payment(bowl, shopper):
    return start(items={bowl: 1}, user=shopper)


@pytest.fixture
def arrived():
    return {"amount": "99.99", "value_date": timezone.localdate().isoformat(), "bank_reference": "STMT-1"}


def test_receipt_completes_the_payment_and_confirms_the_order(api, staff, payment, arrived):
    answer = api(staff).post(f"/payments/{payment.pk}/approve", arrived)

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["received_amount"]) == ("COMPLETED", "99.99")
    payment.order.refresh_from_db()
    assert payment.order.payment_status == "PAID"
    receipt = Receipt.objects.get()
    assert (receipt.actor, receipt.bank_reference, receipt.amount.amount) == (staff, "STMT-1", "99.99")


def test_partial_receipt_waits_for_the_rest(api, staff, payment, arrived):
    body = api(staff).post(f"/payments/{payment.pk}/approve", arrived | {"amount": 50}).json()

    assert (body["status"], body["received_amount"]) == ("PENDING", "50.00")


def test_any_surplus_is_booked_as_documented(api, staff, payment, arrived):
    body = api(staff).post(f"/payments/{payment.pk}/approve", arrived | {"amount": "999.90"}).json()

    assert (body["status"], body["received_amount"]) == ("COMPLETED", "999.90")


def test_same_reference_is_booked_once(api, staff, payment, arrived):
    client = api(staff)
    client.post(f"/payments/{payment.pk}/approve", arrived | {"amount": "1"})
    before = dump()

    problem(client.post(f"/payments/{payment.pk}/approve", arrived), 409, "already_recorded")

    assert dump() == before


def test_changes_since_the_client_read_stop_the_booking(api, staff, payment, arrived):
    record(payment, "50.00", actor=staff, reference="OTHER")
    client, before = api(staff), dump()
    seen = arrived | {"received_amount": "0.00"}

    problem(client.post(f"/payments/{payment.pk}/approve", seen), 409, "already_recorded")

    assert dump() == before


BAD = [
    {"amount": "0"},
    {"amount": "-1"},
    {"amount": "1.001"},
    {"amount": "1e3"},
    {"amount": "9" * 16},
    {"amount": None},
    {"value_date": "2999-01-01"},
    {"value_date": "20260101"},
    {"value_date": "2026-W01-1"},
    {"value_date": "２０２６-01-01"},
    {"value_date": "2026-02-30"},
    {"value_date": 20260101},
    {"bank_reference": ""},
    {"bank_reference": "a\x00b"},
    {"bank_reference": "a\nb"},
    {"bank_reference": "x" * 81},
    {"actor": "me"},
]


@pytest.mark.parametrize("change", BAD, ids=repr)
def test_invalid_receipt_is_refused(api, staff, payment, arrived, change):
    client, before = api(staff), dump()

    problem(client.post(f"/payments/{payment.pk}/approve", arrived | change), 400)

    assert dump() == before


def test_rejected_payment_fails_with_its_reason(api, staff, payment, mails, shopper):
    answer = api(staff).post(f"/payments/{payment.pk}/reject", {"reason": "Nothing came."})

    assert (answer.status_code, answer.json()["status"]) == (200, "FAILED")
    assert answer.json()["failure_reason"] == "Nothing came."
    assert any("Nothing came." in mail.body for mail in mails(shopper.email))


def test_payment_with_money_cannot_be_rejected(api, staff, payment):
    record(payment, "1.00", actor=staff)

    problem(api(staff).post(f"/payments/{payment.pk}/reject", {"reason": "x"}), 409, "has_receipts")


def test_staff_cannot_decide_about_their_own_order(api, staff, bowl, arrived):
    own = start(PaymentMethod.CHECK, {bowl: 1}, user=staff)
    client, before = api(staff), dump()

    problem(client.post(f"/payments/{own.pk}/approve", arrived), 403, "own_order")
    problem(client.post(f"/payments/{own.pk}/reject", {"reason": "x"}), 403, "own_order")

    assert dump() == before


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_staff_without_the_permission_get_no_information(api, powerless_staff, payment, arrived, action):
    body = arrived if action == "approve" else {"reason": "x"}
    client, before = api(powerless_staff), dump()

    there = problem(client.post(f"/payments/{payment.pk}/{action}", body), 403, "no_permission")
    missing = problem(client.post(f"/payments/{payment.order_id}/{action}", body), 403, "no_permission")

    assert {**there, "request_id": ""} == {**missing, "request_id": ""}
    assert dump() == before


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_token_without_the_scope_is_refused(api, staff, payment, arrived, action):
    client = api(staff)
    AuthToken.objects.update(granted="read write refunds")
    before = dump()

    body = arrived if action == "approve" else {"reason": "x"}
    answer = problem(client.post(f"/payments/{payment.pk}/{action}", body), 403, "insufficient_scope")

    assert answer["scope"] == "staff"
    assert dump() == before


def test_unknown_payment_is_not_found(api, staff, payment, arrived):
    problem(api(staff).post(f"/payments/{payment.order_id}/approve", arrived), 404, "not_found")


def test_date_of_yesterday_is_accepted(api, staff, payment, arrived):
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()

    answer = api(staff).post(f"/payments/{payment.pk}/approve/", arrived | {"value_date": yesterday})

    assert answer.status_code == 200
    assert Receipt.objects.get().value_date.isoformat() == yesterday


# ---- access to all payments --------------------------------------------------------------------------------


@pytest.mark.parametrize(("scopes", "sees"), [("read staff", True), ("read refunds", True), ("read", False)])
@pytest.mark.parametrize("path", ["/payments/{}", "/payments/{}/timeline"])
def test_staff_see_all_payments_only_with_a_staff_scope(api, staff, payment, scopes, sees, path):
    client = api(staff)
    AuthToken.objects.filter(user=staff).update(granted=scopes)

    listed = [row["id"] for row in client.get("/payments").json()["results"]]

    assert listed == ([str(payment.pk)] if sees else [])
    assert client.get(path.format(payment.pk)).status_code == (200 if sees else 404)


def test_staff_cannot_pay_the_payments_they_see(api, staff, payment):
    problem(api(staff).post("/payments/confirm", {"payment_intent_id": str(payment.pk)}), 404, "not_found")
