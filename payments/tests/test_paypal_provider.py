"""The PayPal adapter over real sockets against scripted answers, covering every branch."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from artisans.core.money import Money
from payments.providers.contract import (
    ActionKind,
    ConfirmRequest,
    DeclineGroup,
    DuplicateReference,
    ObjectNotFound,
    RefundRequest,
    Refused,
    RemoteDisputeStatus,
    RemoteRefundStatus,
    RemoteStatus,
    SaveRequest,
    Unknown,
)
from payments.providers.paypal.provider import PayPalProvider
from payments.tests.paypal_stub import (
    CAPTURE_ID,
    ORDER_ID,
    PAYMENT_ID,
    Answer,
    Stub,
    build_create_request,
    capture,
    config,
    order,
    refund,
    refusal,
)

ORDERS = "/v2/checkout/orders"
ORDER = f"{ORDERS}/{ORDER_ID}"
CAPTURE = f"{ORDER}/capture"
REFUND = f"/v2/payments/captures/{CAPTURE_ID}/refund"
DISPUTES = "/v1/customer/disputes"
TOKENS = "/v3/vault/payment-tokens"
SETUPS = "/v3/vault/setup-tokens"
REPORT = "/v1/reporting/transactions"

CONFIRM = ConfirmRequest(
    key="pay-1:confirm:1",
    object_id=ORDER_ID,
    amount=Money(9999, "USD"),
    payment_id=PAYMENT_ID,
    return_url="https://shop.test/back",
)
REFUND_REQUEST = RefundRequest(
    key="rf:7",
    object_id=ORDER_ID,
    capture_id=CAPTURE_ID,
    refund_id="refund-7",
    refund_number="RF-7",
    amount=Money(1000, "USD"),
)
SAVE_REQUEST = SaveRequest(
    key="save-1",
    user_id="u-1",
    customer_id="",
    return_url="https://shop.test/back",
    cancel_url="https://shop.test/stop",
)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture
def paypal(stub) -> PayPalProvider:
    return PayPalProvider(config(stub))


# ---- create, read, cancel ------------------------------------------------------------------------------------------


def test_new_order_waits_for_the_buyer_at_paypal(paypal, stub):
    stub.respond_with(ORDERS, Answer(order("PAYER_ACTION_REQUIRED"), 201))

    payment = paypal.create(build_create_request())

    (sent,) = stub.requests_to(ORDERS)
    assert payment.status == RemoteStatus.OPEN
    assert payment.action.url == f"https://paypal.test/checkoutnow?token={ORDER_ID}"
    assert sent.headers["paypal-request-id"] == "pay-1:create"
    assert sent.headers["prefer"] == "return=representation"


@pytest.mark.parametrize("amount", [Money(199, "HUF"), Money(1000, "KWD")])
def test_no_request_is_sent_for_an_unsupported_amount(paypal, stub, amount):
    with pytest.raises(Refused):
        paypal.create(build_create_request(amount))

    assert stub.seen == []


def test_declined_saved_wallet_is_a_decline(paypal, stub):
    stub.respond_with(ORDERS, refusal("INSTRUMENT_DECLINED"))

    with pytest.raises(Refused) as refused:
        paypal.create(build_create_request(method_id="8kk8451t"))

    assert refused.value.decline == DeclineGroup.OTHER_CARD


def test_order_with_an_already_paid_invoice_is_an_unknown_outcome_only_when_repeated(paypal, stub):
    stub.respond_with(ORDERS, refusal("DUPLICATE_INVOICE_ID"))

    with pytest.raises(Unknown):
        paypal.create(build_create_request(method_id="8kk8451t", is_repeat=True))
    with pytest.raises(DuplicateReference):
        paypal.create(build_create_request(method_id="8kk8451t"))


def test_expired_order_is_not_found(paypal):
    for method in (paypal.read, lambda object_id: paypal.cancel(object_id, key="k")):
        with pytest.raises(ObjectNotFound):
            method(ORDER_ID)


@pytest.mark.parametrize(
    "object_id", ["", ".", "..", "../../v1/oauth2/token", "a/b", "a?b", "a b", "ü", "A" * 256]
)
def test_invalid_id_is_never_put_into_a_url(paypal, stub, object_id):
    for method in (paypal.read, lambda each: paypal.read_refund(each, currency="USD"), paypal.save_read):
        with pytest.raises(ObjectNotFound):
            method(object_id)

    assert stub.seen == []


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (order(), RemoteStatus.CANCELLED),
        (order("PAYER_ACTION_REQUIRED"), RemoteStatus.CANCELLED),
        (order("APPROVED"), RemoteStatus.CANCELLED),
        (order("VOIDED"), RemoteStatus.CANCELLED),
        (order("COMPLETED", captures=[capture("DECLINED")]), RemoteStatus.CANCELLED),
        (order("COMPLETED", captures=[capture("PENDING")]), RemoteStatus.PROCESSING),
        (order("COMPLETED", captures=[capture()]), RemoteStatus.SUCCEEDED),
    ],
)
def test_cancelling_reports_captured_money(paypal, stub, shown, expected):
    stub.respond_with(ORDER, Answer(shown))

    payment = paypal.cancel(ORDER_ID, key="k")

    assert payment.status == expected
    assert payment.action is None
    assert {seen.method for seen in stub.requests_to(ORDER)} == {"GET"}


def test_cancelling_during_an_outage_is_an_unknown_outcome(paypal, stub):
    stub.respond_with(ORDER, Answer(cut=0))

    with pytest.raises(Unknown):
        paypal.cancel(ORDER_ID, key="k")


# ---- confirm -------------------------------------------------------------------------------------------------------


def test_confirming_captures_with_the_callers_key(paypal, stub):
    stub.respond_with(CAPTURE, Answer(order("COMPLETED", captures=[capture()]), 201))

    payment = paypal.confirm(CONFIRM)

    (sent,) = stub.requests_to(CAPTURE)
    assert payment.status == RemoteStatus.SUCCEEDED
    assert [each.amount for each in payment.captures] == [Money(9999, "USD")]
    assert (sent.json, sent.headers["paypal-request-id"]) == ({}, "pay-1:confirm:1")


def test_declined_instrument_sends_the_buyer_back_to_paypal(paypal, stub):
    links = [{"rel": "redirect", "href": "https://paypal.test/choose"}]
    stub.respond_with(CAPTURE, refusal("INSTRUMENT_DECLINED", links=links))
    stub.respond_with(ORDER, Answer(order("APPROVED")))

    with pytest.raises(Refused) as refused:
        paypal.confirm(CONFIRM)

    remote = refused.value.remote
    assert refused.value.decline == remote.decline == DeclineGroup.OTHER_CARD
    assert remote.status == RemoteStatus.FAILED
    assert (remote.action.kind, remote.action.url) == (ActionKind.REDIRECT, "https://paypal.test/choose")


def test_orders_link_is_used_when_the_decline_has_none(paypal, stub):
    stub.respond_with(CAPTURE, refusal("PAYER_ACTION_REQUIRED"))
    stub.respond_with(ORDER, Answer(order("PAYER_ACTION_REQUIRED")))

    with pytest.raises(Refused) as refused:
        paypal.confirm(CONFIRM)

    assert refused.value.decline == DeclineGroup.AUTHENTICATION
    assert refused.value.remote.action.url == f"https://paypal.test/checkoutnow?token={ORDER_ID}"


def test_decline_is_reported_even_if_the_order_cannot_be_read(paypal, stub):
    stub.respond_with(CAPTURE, refusal("TRANSACTION_REFUSED"))
    stub.respond_with(ORDER, Answer(cut=0))

    with pytest.raises(Refused) as refused:
        paypal.confirm(CONFIRM)

    assert refused.value.decline == DeclineGroup.DECLINED
    assert refused.value.remote is None


def test_already_captured_order_is_reported_as_paid(paypal, stub):
    stub.respond_with(CAPTURE, refusal("ORDER_ALREADY_CAPTURED"))
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()])))

    assert paypal.confirm(CONFIRM).status == RemoteStatus.SUCCEEDED


@pytest.mark.parametrize("shown", [Answer(order("APPROVED")), Answer(cut=0), Answer({}, 500)])
def test_already_captured_is_unknown_until_the_order_shows_it(paypal, stub, shown):
    stub.respond_with(CAPTURE, refusal("ORDER_ALREADY_CAPTURED"))
    stub.respond_with(ORDER, shown)

    with pytest.raises(Unknown):
        paypal.confirm(CONFIRM)


def test_decline_of_an_order_paid_meanwhile_is_reported_as_paid(paypal, stub):
    stub.respond_with(CAPTURE, refusal("INSTRUMENT_DECLINED"))
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()])))

    assert paypal.confirm(CONFIRM).status == RemoteStatus.SUCCEEDED


def test_unapproved_order_is_refused_with_the_approval_link(paypal, stub):
    stub.respond_with(CAPTURE, refusal("ORDER_NOT_APPROVED"))
    stub.respond_with(ORDER, Answer(order("PAYER_ACTION_REQUIRED")))

    with pytest.raises(Refused) as refused:
        paypal.confirm(CONFIRM)

    assert refused.value.decline is None
    assert refused.value.remote.status == RemoteStatus.OPEN
    assert refused.value.remote.action


def test_capturing_an_expired_order_is_not_found(paypal):
    with pytest.raises(ObjectNotFound):
        paypal.confirm(CONFIRM)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut=0),
        Answer({}, 201),
        Answer({"id": ORDER_ID, "status": "COMPLETED"}, 201),
        Answer({"name": "INTERNAL_SERVER_ERROR"}, 500),
        refusal("PREVIOUS_REQUEST_IN_PROGRESS", 409),
    ],
)
def test_capture_without_a_clear_answer_is_an_unknown_outcome(paypal, stub, answer):
    stub.respond_with(CAPTURE, answer)

    with pytest.raises(Unknown):
        paypal.confirm(CONFIRM)


# ---- refunds -------------------------------------------------------------------------------------------------------


def test_refund_sends_our_number_and_id(paypal, stub):
    stub.respond_with(REFUND, Answer(refund(), 201))

    result = paypal.refund(REFUND_REQUEST)

    (sent,) = stub.requests_to(REFUND)
    assert (result.status, result.reference) == (RemoteRefundStatus.SUCCEEDED, "refund-7")
    assert sent.headers["paypal-request-id"] == "rf:7"
    assert sent.json == {
        "amount": {"currency_code": "USD", "value": "10.00"},
        "custom_id": "refund-7",
        "invoice_id": "RF-7",
        "note_to_payer": "Refund RF-7",
    }


@pytest.mark.parametrize(
    "issue",
    [
        "CAPTURE_FULLY_REFUNDED",
        "REFUND_AMOUNT_EXCEEDED",
        "REFUND_TIME_LIMIT_EXCEEDED",
        "PENDING_CAPTURE",
        "REFUND_FAILED_INSUFFICIENT_FUNDS",
        "TRANSACTION_DISPUTED",
    ],
)
def test_a_refused_refund_is_refused(paypal, stub, issue):
    stub.respond_with(REFUND, refusal(issue))

    with pytest.raises(Refused) as refused:
        paypal.refund(REFUND_REQUEST)

    assert refused.value.code == issue


def test_refund_made_before_is_found_by_its_id(paypal, stub):
    stub.respond_with(REFUND, refusal("DUPLICATE_INVOICE_ID"))
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()], refunds=[refund("PENDING")])))

    assert paypal.refund(REFUND_REQUEST).status == RemoteRefundStatus.PENDING


def test_refund_with_a_number_used_for_another_is_an_unknown_outcome(paypal, stub):
    other = refund(custom_id="refund-8")
    stub.respond_with(REFUND, refusal("DUPLICATE_INVOICE_ID"))
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()], refunds=[other])))

    with pytest.raises(Unknown):
        paypal.refund(REFUND_REQUEST)


def test_a_refund_is_read_by_its_id(paypal, stub):
    stub.respond_with("/v2/payments/refunds/1JU08902781691411", Answer(refund("FAILED")))

    assert paypal.read_refund("1JU08902781691411", currency="USD").status == RemoteRefundStatus.FAILED


# ---- disputes ------------------------------------------------------------------------------------------------------


def dispute(status: str, outcome: str = "", **changes):
    made = {
        "dispute_id": "PP-D-27803",
        "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        "status": status,
        "dispute_amount": {"currency_code": "USD", "value": "50.00"},
    }
    return made | ({"dispute_outcome": {"outcome_code": outcome}} if outcome else {}) | changes


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        ("OPEN", "", RemoteDisputeStatus.OPEN),
        ("WAITING_FOR_BUYER_RESPONSE", "", RemoteDisputeStatus.OPEN),
        ("WAITING_FOR_SELLER_RESPONSE", "", RemoteDisputeStatus.OPEN),
        ("UNDER_REVIEW", "", RemoteDisputeStatus.OPEN),
        ("OTHER", "", RemoteDisputeStatus.OPEN),
        ("RESOLVED", "RESOLVED_BUYER_FAVOUR", RemoteDisputeStatus.LOST),
        ("RESOLVED", "ACCEPTED", RemoteDisputeStatus.LOST),
        ("RESOLVED", "RESOLVED_SELLER_FAVOUR", RemoteDisputeStatus.WON),
        ("RESOLVED", "RESOLVED_WITH_PAYOUT", RemoteDisputeStatus.WON),
        ("RESOLVED", "CANCELED_BY_BUYER", RemoteDisputeStatus.WON),
        ("RESOLVED", "DENIED", RemoteDisputeStatus.WON),
        ("RESOLVED", "NONE", RemoteDisputeStatus.WON),
    ],
)
def test_a_payment_is_read_with_its_disputes(paypal, stub, status, outcome, expected):
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()])))
    stub.respond_with(DISPUTES, Answer({"items": [dispute(status)]}))
    stub.respond_with(f"{DISPUTES}/PP-D-27803", Answer(dispute(status, outcome)))

    (result,) = paypal.read(ORDER_ID).disputes

    assert (result.dispute_id, result.status, result.amount) == ("PP-D-27803", expected, Money(5000, "USD"))
    assert f"disputed_transaction_id={CAPTURE_ID}" in stub.requests_to(DISPUTES)[0].path


def test_lost_dispute_counts_the_returned_amount(paypal, stub):
    outcome = {
        "outcome_code": "RESOLVED_BUYER_FAVOUR",
        "amount_refunded": {"currency_code": "USD", "value": "20.00"},
    }
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()])))
    stub.respond_with(DISPUTES, Answer({"items": [dispute("RESOLVED")]}))
    stub.respond_with(f"{DISPUTES}/PP-D-27803", Answer(dispute("RESOLVED", dispute_outcome=outcome)))

    assert paypal.read(ORDER_ID).disputes[0].amount == Money(2000, "USD")


def test_disputes_are_read_only_for_captured_payments(paypal, stub):
    stub.respond_with(ORDER, Answer(order("APPROVED")))

    assert paypal.read(ORDER_ID).disputes == ()
    assert stub.requests_to(DISPUTES) == []


def test_a_payment_is_read_without_disputes_when_the_app_may_not_see_them(paypal, stub):
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()])))
    stub.respond_with(DISPUTES, refusal("PERMISSION_DENIED", 403))

    assert paypal.read(ORDER_ID).disputes == ()


@pytest.mark.parametrize(
    "answer", [Answer({}, 503), Answer({}, 401), refusal("NOT_AUTHORIZED", 403), Answer(cut=0)]
)
def test_payment_is_reported_while_disputes_are_unavailable(paypal, stub, answer):
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture()])))
    stub.respond_with(DISPUTES, answer)

    payment = paypal.read(ORDER_ID)

    assert (payment.status, len(payment.captures)) == (RemoteStatus.SUCCEEDED, 1)
    assert payment.lists["disputes"]


# ---- saved methods -------------------------------------------------------------------------------------------------


def token(method_id: str = "8kk8451t", source: str = "paypal"):
    account = {"email_address": "buyer@example.test", "payer_id": "VYYFH3WJ4JPJQ"}
    return {"id": method_id, "customer": {"id": "cus_4029352050"}, "payment_source": {source: account}}


def setup(status: str):
    links = [{"rel": "approve", "href": "https://paypal.test/agreements/approve?approval_token=5C9"}]
    return {"id": "5C991763VB2781612", "customer": {"id": "cus_4029352050"}, "status": status, "links": links}


def test_saving_sends_the_buyer_to_paypal(paypal, stub):
    stub.respond_with(SETUPS, Answer(setup("PAYER_ACTION_REQUIRED"), 201))

    result = paypal.save_start(SAVE_REQUEST)

    (sent,) = stub.requests_to(SETUPS)
    assert not result.is_done
    assert result.action.url == "https://paypal.test/agreements/approve?approval_token=5C9"
    assert sent.headers["paypal-request-id"] == "save-1"
    assert "customer" not in sent.json


def test_saving_creates_the_token_once_the_buyer_approved(paypal, stub):
    path = f"{SETUPS}/5C991763VB2781612"
    stub.respond_with(
        path, Answer(setup("PAYER_ACTION_REQUIRED")), Answer(setup("APPROVED")), Answer(setup("VAULTED"))
    )
    stub.respond_with(TOKENS, Answer(token(), 201))

    waiting, done, again = (paypal.save_read("5C991763VB2781612") for _ in range(3))

    assert (waiting.is_done, waiting.method) == (False, None)
    assert done == again
    assert (done.is_done, done.method.method_id, done.customer_id) == (True, "8kk8451t", "cus_4029352050")
    assert {sent.headers["paypal-request-id"] for sent in stub.requests_to(TOKENS)} == {
        "token-5C991763VB2781612"
    }
    assert stub.requests_to(TOKENS)[0].json == {
        "payment_source": {"token": {"id": "5C991763VB2781612", "type": "SETUP_TOKEN"}}
    }


def test_setup_token_from_the_browser_is_saved(paypal, stub):
    stub.respond_with(TOKENS, Answer(token(), 201))

    assert paypal.save_token(SAVE_REQUEST, "5C991763VB2781612").email == "buyer@example.test"
    assert stub.requests_to(TOKENS)[0].headers["paypal-request-id"] == "save-1"


def test_possible_card_number_is_not_sent(paypal, stub):
    with pytest.raises(Refused) as refused:
        paypal.save_token(SAVE_REQUEST, "4242424242424242")

    assert "4242" not in str(refused.value)
    assert stub.seen == []


def test_saved_wallets_are_listed_over_all_pages(paypal, stub):
    stub.respond_with(
        TOKENS,
        Answer({"total_pages": 2, "payment_tokens": [token("a"), token("card", "card")]}),
        Answer({"total_pages": 2, "payment_tokens": [token("b")]}),
    )

    assert [each.method_id for each in paypal.saved_methods("cus_4029352050")] == ["a", "b"]
    assert [f"page={page}" in sent.path for page, sent in enumerate(stub.requests_to(TOKENS), 1)] == [
        True,
        True,
    ]


def test_an_unknown_customer_has_no_methods(paypal):
    assert paypal.saved_methods("cus_4029352050") == []


def test_detaching_twice_is_not_an_error(paypal, stub):
    stub.respond_with(f"{TOKENS}/8kk8451t", Answer(raw=b"", status=204), refusal("RESOURCE_NOT_FOUND", 404))

    paypal.detach("8kk8451t", key="d-1")
    paypal.detach("8kk8451t", key="d-1")

    assert [sent.method for sent in stub.requests_to(f"{TOKENS}/8kk8451t")] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("answer", [{}, {"status": "APPROVED"}, {"id": "1"}])
def test_unreadable_setup_is_an_unknown_outcome(paypal, stub, answer):
    stub.respond_with(SETUPS, Answer(answer, 201))

    with pytest.raises(Unknown):
        paypal.save_start(SAVE_REQUEST)


# ---- reports -------------------------------------------------------------------------------------------------------

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


def row(code: str = "T0006", **changes):
    made = {
        "transaction_id": CAPTURE_ID,
        "transaction_event_code": code,
        "transaction_status": "S",
        "transaction_amount": {"currency_code": "USD", "value": "99.99"},
        "custom_field": PAYMENT_ID,
    }
    return {"transaction_info": made | changes}


def test_a_report_names_order_and_payment(paypal, stub):
    rows = [row(paypal_reference_id=ORDER_ID, paypal_reference_id_type="ODR")]
    stub.respond_with(REPORT, Answer({"transaction_details": rows, "total_pages": 1}))

    (payment,) = paypal.list_payments(SINCE, UNTIL)

    assert (payment.object_id, payment.reference) == (ORDER_ID, PAYMENT_ID)
    assert (payment.status, payment.amount) == (RemoteStatus.SUCCEEDED, Money(9999, "USD"))
    assert [each.capture_id for each in payment.captures] == [CAPTURE_ID]


def test_report_without_an_order_names_the_capture(paypal, stub):
    stub.respond_with(REPORT, Answer({"transaction_details": [row()]}))

    (payment,) = paypal.list_payments(SINCE, UNTIL)

    assert (payment.object_id, payment.reference) == (CAPTURE_ID, PAYMENT_ID)


@pytest.mark.parametrize(
    ("status", "expected", "taken"),
    [
        ("S", RemoteStatus.SUCCEEDED, 1),
        ("V", RemoteStatus.SUCCEEDED, 1),
        ("P", RemoteStatus.PROCESSING, 0),
        ("D", RemoteStatus.FAILED, 0),
    ],
)
def test_every_report_state_is_mapped(paypal, stub, status, expected, taken):
    stub.respond_with(REPORT, Answer({"transaction_details": [row(transaction_status=status)]}))

    (payment,) = paypal.list_payments(SINCE, UNTIL)

    assert (payment.status, len(payment.captures)) == (expected, taken)


def test_other_account_transactions_are_ignored(paypal, stub):
    fee, foreign = row("T0106"), row()
    del foreign["transaction_info"]["custom_field"]
    stub.respond_with(REPORT, Answer({"transaction_details": [fee, foreign]}))

    assert list(paypal.list_payments(SINCE, UNTIL)) == []


def test_refunded_payment_is_read_in_full(paypal, stub):
    back = row("T1107", transaction_id="REF", paypal_reference_id=CAPTURE_ID, paypal_reference_id_type="TXN")
    related = {"related_ids": {"order_id": ORDER_ID}}
    stub.respond_with(REPORT, Answer({"transaction_details": [row(), back]}))
    stub.respond_with(f"/v2/payments/captures/{CAPTURE_ID}", Answer(capture(supplementary_data=related)))
    stub.respond_with(ORDER, Answer(order("COMPLETED", captures=[capture("REFUNDED")], refunds=[refund()])))

    (payment,) = paypal.list_payments(SINCE, UNTIL)

    assert payment.object_id == ORDER_ID
    assert len(payment.refunds) == 1


def test_payment_without_an_order_is_built_from_the_report(paypal, stub):
    back = row("T1107", transaction_id="REF", paypal_reference_id=CAPTURE_ID, paypal_reference_id_type="TXN")
    stub.respond_with(REPORT, Answer({"transaction_details": [row(), back]}))

    assert [each.object_id for each in paypal.list_payments(SINCE, UNTIL)] == [CAPTURE_ID]


def test_long_period_is_requested_in_parts_and_pages(paypal, stub):
    stub.respond_with(
        REPORT, *[Answer({"total_pages": 2}), Answer({"total_pages": 2}), Answer({"total_pages": 1})] * 2
    )

    assert list(paypal.list_payments(SINCE, datetime(2026, 12, 5, tzinfo=UTC))) == []

    items = [sent.path.partition("?")[2] for sent in stub.requests_to(REPORT)]
    assert items[:3] == items[3:], "once for the refunds, once for the payments"
    assert "start_date=2026-11-01T00%3A00%3A00Z&end_date=2026-12-02T00%3A00%3A00Z" in items[0]
    assert "page=2" in items[1]
    assert "start_date=2026-12-02T00%3A00%3A00Z&end_date=2026-12-05T00%3A00%3A00Z" in items[2]


def test_unreadable_report_is_an_unknown_outcome(paypal, stub):
    stub.respond_with(REPORT, Answer({"transaction_details": [{}]}))

    with pytest.raises(Unknown):
        list(paypal.list_payments(SINCE, UNTIL))
