"""The refunds and timelines API: the founding contract, permissions, exact amounts and true statuses."""

from uuid import uuid4

import pytest

from artisans.catalog.tests.factories import ProductFactory
from payments.gateway.payments import payment_sync
from payments.models import Payment, PaymentRefund
from payments.tests.factories import paid_by_card, record, refund, reread, start
from tests import rows
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

SHAPE = {"id", "refund_number", "payment_id", "amount", "currency", "status", "reason", "provider_refund_id"}


@pytest.fixture(scope="module", autouse=True)
def shared_paid(module_db, module_stripe) -> Payment:
    rows.store()
    return paid_by_card(module_stripe, {rows.bowl(): 1}, user=rows.shopper())


@pytest.fixture
def paid(shared_paid, stripe):
    return Payment.objects.get(pk=shared_paid.pk)


@pytest.fixture
def staff_client(api, staff):
    return api(staff)


def post_refund(client, payment, slash="", **changes):
    body = {"payment_id": str(payment.pk), "amount": 50.00, "reason": "Customer requested refund"} | changes
    return client.post(
        f"/payments/refunds{slash}", {name: value for name, value in body.items() if value is not ...}
    )


@pytest.mark.parametrize("slash", ["", "/"])
def test_founding_body_refunds_and_returns_the_outcome(staff_client, paid, stripe, slash):
    answer = post_refund(staff_client, paid, slash)

    body = answer.json()
    assert answer.status_code == 201, body
    assert set(body) >= SHAPE
    assert (body["amount"], body["currency"], body["status"]) == ("50.00", "USD", "COMPLETED")
    assert body["provider_refund_id"].startswith("re_")
    assert stripe.refunded() == [5000]
    assert staff_client.get(f"/payments/refunds/{body['id']}{slash}").json() == body
    assert reread(paid).status == "PARTIALLY_REFUNDED"


def test_buyer_can_read_refunds_of_their_payments(api, staff_client, paid, shopper, stripe):
    other = paid_by_card(stripe, user=shopper)
    ids = [post_refund(staff_client, payment).json()["id"] for payment in (paid, other)]
    client = api(shopper)

    assert [row["id"] for row in client.get("/payments/refunds").json()["results"]] == ids[::-1]
    only = client.get(f"/payments/refunds?payment={paid.pk}").json()["results"]
    assert [row["id"] for row in only] == ids[:1]
    assert client.get(f"/payments/{paid.pk}").json()["refunded_amount"] == "50.00"
    problem(client.get("/payments/refunds?payment=1"), 400)
    problem(client.get("/payments/refunds?colour=red"), 400)


def test_pending_refund_is_reported_and_not_counted_yet(staff_client, api, stripe, shopper, bowl):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper, card="pendingRefund")

    assert post_refund(staff_client, payment).json()["status"] == "PROCESSING"

    assert api(shopper).get(f"/payments/{payment.pk}").json()["refunded_amount"] == "0.00"
    body = problem(post_refund(staff_client, payment), 409, "refund_exceeds_received")
    assert body["left"] == "49.99"


def test_unknown_outcome_is_201_and_not_an_error(staff_client, paid, stripe):
    stripe.fault("drop_after", path="/v1/refunds", method="POST")

    answer = post_refund(staff_client, paid)

    assert (answer.status_code, answer.json()["status"]) == (201, "REQUESTED")
    payment_sync(paid.pk, cause="test")
    assert staff_client.get(f"/payments/refunds/{answer.json()['id']}").json()["status"] == "COMPLETED"


def test_units_are_refunded_at_their_price(staff_client, paid, stripe):
    line = str(paid.order.lines.get().pk)

    problem(post_refund(staff_client, paid, lines=[{"line": line, "quantity": 1}]), 409, "amount_mismatch")
    answer = post_refund(
        staff_client, paid, amount=..., lines=[{"line": line, "quantity": 1}], shipping=True, restock=True
    )

    body = answer.json()
    assert (answer.status_code, body["amount"], body["shipping"], body["restock"]) == (
        201,
        "99.99",
        "5.99",
        True,
    )
    assert body["lines"] == [{"line": line, "quantity": 1, "amount": "94.00"}]
    problem(
        post_refund(staff_client, paid, amount=..., lines=[{"line": line, "quantity": 1}]),
        409,
        "refund_exceeds_quantity",
    )


def test_offline_refund_is_reported_as_recorded_only(staff_client, shopper, staff):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)

    problem(post_refund(staff_client, payment), 409, "recorded_only")


# ---- permissions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "status", "code"),
    [
        ("nobody", 401, "not_authenticated"),
        ("shopper", 403, "insufficient_scope"),
        ("stranger", 403, "insufficient_scope"),
        ("seller", 403, "insufficient_scope"),
        ("powerless_staff", 404, "not_found"),
    ],
)
def test_only_staff_with_the_permission_can_refund(request, api, paid, stripe, person, status, code):
    client = api(None if person == "nobody" else request.getfixturevalue(person))
    before = dump()

    problem(post_refund(client, paid), status, code)

    assert (dump() == before, stripe.refunded()) == (True, [])


def test_read_only_staff_cannot_refund(api, paid, staff):
    staff.groups.set(staff.groups.model.objects.filter(name="Auditors"))
    client = api(staff)

    problem(post_refund(client, paid), 403, "no_permission")

    assert client.get(f"/payments/{paid.pk}/timeline").status_code == 200


def test_staff_cannot_refund_their_own_order(staff_client, stripe, staff):
    problem(post_refund(staff_client, paid_by_card(stripe, user=staff)), 403, "own_order")


def test_guest_link_can_read_but_not_refund(api, stripe, staff, bowl):
    payment = paid_by_card(stripe, {bowl: 1})
    done = refund(payment, "5", actor=staff)
    holder = api(order=payment.order.access_token)

    assert [row["id"] for row in holder.get("/payments/refunds").json()["results"]] == [str(done.pk)]
    problem(post_refund(holder, payment), 403, "no_permission")


def test_refunds_and_timelines_of_others_answer_like_missing_ones(api, stranger, paid, staff):
    done = refund(paid, "5", actor=staff)
    client = api(stranger)

    for path, key in (("/payments/refunds/{}", done.pk), ("/payments/{}/timeline", paid.pk)):
        bodies = [problem(client.get(path.format(k)), 404) for k in (key, uuid4())]
        assert bodies[0] | {"request_id": ""} == bodies[1] | {"request_id": ""}
    assert client.get("/payments/refunds").json()["results"] == []


# ---- validation -------------------------------------------------------------------------------------------


NOBODYS_LINE = "f1d27964-2132-4208-a6b5-7b6312b48911"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "1e2"},
        {"amount": "-1"},
        {"amount": "0"},
        {"amount": 0.001},
        {"amount": "1", "currency": "EUR"},
        {"amount": ...},
        {"reason": ...},
        {"reason": ""},
        {"reason": "x" * 301},
        {"reason": "a\x00b"},
        {"lines": []},
        {"lines": [{"line": "1", "quantity": 1}]},
        {"lines": [{"line": NOBODYS_LINE, "quantity": 1}]},
        {"lines": [{"line": NOBODYS_LINE, "quantity": 0}]},
        {"lines": {"line": NOBODYS_LINE, "quantity": 1}},
        {"restock": True},
        {"payment_id": 1},
        {"payment_id": "urn:uuid:00000000-0000-4000-8000-000000000000"},
        {"status": "COMPLETED"},
    ],
    ids=str,
)
def test_invalid_refund_is_refused(staff_client, paid, stripe, changes):
    if changes == {"lines": []}:
        changes = changes | {"amount": ...}

    problem(post_refund(staff_client, paid, **changes), 400)

    assert (PaymentRefund.objects.count(), stripe.refunded()) == (0, [])


def test_currency_without_decimals_is_refunded_in_whole_units(staff_client, stripe, shopper, seller):
    jar = ProductFactory.create(artisan=seller.artisan, price_minor=500, currency="JPY")
    payment = paid_by_card(stripe, {jar: 1}, user=shopper)

    problem(post_refund(staff_client, payment, amount="10.5"), 400)
    assert post_refund(staff_client, payment, amount="500").json()["amount"] == "500"
    assert stripe.refunded() == [500]


def test_reason_in_any_script_is_returned_unchanged(staff_client, paid):
    reason = '<b>kaputt</b> & "zerbrochen" – 壊れた'

    assert post_refund(staff_client, paid, reason=reason).json()["reason"] == reason


# ---- the timeline -----------------------------------------------------------------------------------------


def test_timeline_is_chronological_and_names_no_staff_to_the_buyer(
    api, staff_client, paid, shopper, stripe, staff
):
    post_refund(staff_client, paid)
    stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id, reason="fraudulent")
    payment_sync(paid.pk, cause="test")

    mine = api(shopper).get(f"/payments/{paid.pk}/timeline").json()["results"]
    theirs = staff_client.get(f"/payments/{paid.pk}/timeline").json()["results"]

    kinds = [row["kind"] for row in mine]
    assert {"payment", "capture", "refund", "dispute"} == set(kinds)
    assert [row["at"] for row in mine] == sorted(row["at"] for row in mine)
    refunds = [(row["old"], row["new"], row["amount"]) for row in mine if row["kind"] == "refund"]
    assert refunds == [(None, "REQUESTED", "50.00"), ("REQUESTED", "COMPLETED", "50.00")]
    assert not {"actor", "cause"} & set().union(*mine)
    assert staff.email not in str(mine)
    assert {"actor", "cause"} <= set(theirs[0])
    assert staff.email in str(theirs)


def test_timeline_of_an_offline_payment_has_its_receipts(api, shopper, staff):
    payment = start(user=shopper)
    record(payment, "40", actor=staff)
    client = api(shopper)
    before = dump()

    rows = client.get(f"/payments/{payment.pk}/timeline/").json()["results"]

    assert [(row["kind"], row["amount"]) for row in rows if row["kind"] == "receipt"] == [
        ("receipt", "40.00")
    ]
    assert dump() == before


# ---- retries ----------------------------------------------------------------------------------------------


def test_same_key_refunds_once_and_gets_the_same_answer(staff_client, paid, stripe):
    body = {"payment_id": str(paid.pk), "amount": "40.00", "reason": "Customer requested refund"}

    first, again = (
        staff_client.post("/payments/refunds", body, headers={"Idempotency-Key": "r-1"}) for _ in range(2)
    )
    other = staff_client.post(
        "/payments/refunds", body | {"amount": "41"}, headers={"Idempotency-Key": "r-1"}
    )

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.json() == again.json()
    assert stripe.refunded() == [4000]


def test_retry_after_a_lost_answer_is_answered_from_the_refund(staff_client, paid, stripe, monkeypatch):
    body = {"payment_id": str(paid.pk), "amount": "40.00", "reason": "Customer requested refund"}

    def die(refund):
        raise RuntimeError("the process dies here")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr("payments.api.refunds.refund_send", die)
        staff_client.post("/payments/refunds", body, headers={"Idempotency-Key": "r-2"})

    again = staff_client.post("/payments/refunds", body, headers={"Idempotency-Key": "r-2"})

    assert (again.status_code, again.json()["status"]) == (201, "COMPLETED")
    assert stripe.refunded() == [4000]
