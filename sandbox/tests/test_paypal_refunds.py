"""Refunds, reversals and disputes: never more than was captured, exact to the cent."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.tests.client import wait_until
from sandbox.tests.paypal_client import Refused, link, money, paid_capture


@pytest.fixture
def paid(paypal, approved):
    """`paid(buyer)` is the id of a capture of 99.99."""

    def pay(buyer="pays", **facts):
        return paid_capture(paypal.capture(approved(buyer, **facts)))["id"]

    return pay


def status(paypal, capture):
    return paypal.get(f"/v2/payments/captures/{capture}")["status"]


def test_partial_refunds_and_the_rest(paypal, sandbox, paid):
    capture = paid()

    part = paypal.refund(capture, "30.00", custom_id="R-1", invoice_id="RI-1", note_to_payer="Sorry")
    assert status(paypal, capture) == "PARTIALLY_REFUNDED"
    rest = paypal.refund(capture)

    assert (part["status"], part["amount"], part["custom_id"]) == ("COMPLETED", money("30.00"), "R-1")
    assert rest["amount"] == money("69.99")
    assert rest["seller_payable_breakdown"]["total_refunded_amount"] == money("99.99")
    assert link(part, "up") == f"{sandbox.url}/v2/payments/captures/{capture}"
    assert paypal.get(f"/v2/payments/refunds/{part['id']}") == part
    assert status(paypal, capture) == "REFUNDED"
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 9999}


def test_the_cap_is_exact_to_the_cent(paypal, paid):
    capture = paid()
    paypal.refund(capture, "99.98")

    with pytest.raises(Refused) as too_much:
        paypal.refund(capture, "0.02")
    paypal.refund(capture, "0.01")
    with pytest.raises(Refused) as nothing_left:
        paypal.refund(capture)

    assert (too_much.value.status, too_much.value.issue) == (422, "REFUND_AMOUNT_EXCEEDED")
    assert nothing_left.value.issue == "CAPTURE_FULLY_REFUNDED"


def test_the_cap_holds_for_eight_concurrent_refunds(paypal, sandbox, paid):
    capture = paid()

    def attempt(number):
        try:
            return paypal.refund(capture, "60.00", key=f"r-{number}")["status"]
        except Refused as refused:
            return refused.issue

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))

    assert sorted(answers) == ["COMPLETED"] + ["REFUND_AMOUNT_EXCEEDED"] * 7
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 6000}


@pytest.mark.parametrize(
    ("amount", "issue"),
    [
        (money("10.00", "EUR"), "REFUND_CAPTURE_CURRENCY_MISMATCH"),
        (money("0.00"), "CANNOT_BE_ZERO_OR_NEGATIVE"),
        (money("1.001"), "DECIMAL_PRECISION"),
    ],
)
def test_wrong_amounts_are_refused(paypal, paid, amount, issue):
    with pytest.raises(Refused) as refused:
        paypal.post(f"/v2/payments/captures/{paid()}/refund", {"amount": amount})

    assert refused.value.issue == issue


@pytest.mark.parametrize(
    ("buyer", "issue"), [("review", "PENDING_CAPTURE"), ("refused", "REFUND_NOT_ALLOWED")]
)
def test_only_captured_money_is_refunded(paypal, paid, buyer, issue):
    with pytest.raises(Refused) as refused:
        paypal.refund(paid(buyer))

    assert refused.value.issue == issue


def test_a_refund_invoice_is_used_once(paypal, paid):
    capture = paid()
    paypal.refund(capture, "1.00", invoice_id="RI-1")

    with pytest.raises(Refused) as refused:
        paypal.refund(capture, "1.00", invoice_id="RI-1")

    assert refused.value.issue == "DUPLICATE_INVOICE_ID"


def test_after_180_days_nothing_is_refunded(paypal, sandbox, paid):
    capture = paid()
    sandbox.post("clock", advance=181 * 86400)
    paypal.token = ""

    with pytest.raises(Refused) as refused:
        paypal.refund(capture)

    assert refused.value.issue == "REFUND_TIME_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("setting", "first", "last", "refunded"),
    [
        ("pending", "PENDING", "COMPLETED", {"usd": 3000}),
        ("fail", "PENDING", "FAILED", {}),
        ("refuse", "FAILED", "FAILED", {}),
    ],
)
def test_refunds_that_take_time_or_fail(paypal, sandbox, paid, setting, first, last, refunded):
    capture = paid()
    sandbox.post("settings", refunds=setting)

    refund = paypal.refund(capture, "30.00")
    assert refund["status"] == first
    sandbox.run_jobs()

    assert paypal.get(f"/v2/payments/refunds/{refund['id']}")["status"] == last
    assert status(paypal, capture) == ("PARTIALLY_REFUNDED" if last == "COMPLETED" else "COMPLETED")
    assert sandbox.get("journal/totals")["refunded"] == refunded


def test_a_pending_refund_holds_its_amount_until_it_is_cancelled(paypal, sandbox, paid):
    capture = paid()
    sandbox.post("settings", refunds="pending")
    refund = paypal.refund(capture, "60.00")
    with pytest.raises(Refused):
        paypal.refund(capture, "40.00")

    sandbox.post("paypal/settle_refund", refund=refund["id"], status="CANCELLED")

    assert paypal.refund(capture, "40.00")["status"] == "PENDING"
    assert [row["effect"] for row in sandbox.get("journal", id=refund["id"])["rows"]] == [
        "refund.created", "refund.pending", "refund.cancelled",
    ]  # fmt: skip


def test_website_refunds_and_paypal_reversals(paypal, sandbox, paypal_shop, paid):
    capture = paid()

    sandbox.post("paypal/refund", capture=capture, amount="10.00")
    sandbox.post("paypal/reverse", capture=capture)

    wait_until(lambda: len(paypal_shop.events) == 5)
    reported = {event["event_type"]: event for event in paypal_shop.events}
    assert reported["PAYMENT.CAPTURE.REFUNDED"]["resource"]["amount"] == money("10.00")
    assert reported["PAYMENT.CAPTURE.REFUNDED"]["summary"] == "A $ 10.00 USD capture payment was refunded"
    reversed_ = reported["PAYMENT.CAPTURE.REVERSED"]
    assert (reversed_["resource_type"], reversed_["resource"]["amount"]) == ("refund", money("89.99"))
    assert link(reversed_["resource"], "up").endswith(f"/captures/{capture}")
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 1000}
    assert sandbox.get("journal/totals")["disputed"] == {"usd": 8999}
    assert [row["actor"] for row in sandbox.journal("refund.completed")] == ["dashboard"]


@pytest.mark.parametrize(
    ("verdict", "outcome"), [("won", "RESOLVED_SELLER_FAVOUR"), ("lost", "RESOLVED_BUYER_FAVOUR")]
)
def test_a_dispute_from_opening_to_resolution(paypal, sandbox, paypal_shop, paid, verdict, outcome):
    capture = paid("disputed", invoice_id="INV-1")
    sandbox.run_jobs()
    [listed] = paypal.get(f"/v1/customer/disputes?disputed_transaction_id={capture}")["items"]
    case = listed["dispute_id"]
    assert sandbox.get("journal/totals")["disputed"] == {"usd": 9999}
    with pytest.raises(Refused) as refused:
        paypal.refund(capture, "1.00")
    assert refused.value.issue == "TRANSACTION_DISPUTED"

    sandbox.post("paypal/update_dispute", dispute=case)
    sandbox.post("paypal/close_dispute", dispute=case, outcome=verdict)

    shown = paypal.get(f"/v1/customer/disputes/{case}")
    assert (shown["status"], shown["dispute_outcome"]["outcome_code"]) == ("RESOLVED", outcome)
    assert shown["disputed_transactions"][0]["seller_transaction_id"] == capture
    assert shown["disputed_transactions"][0]["invoice_number"] == "INV-1"
    wait_until(lambda: len(paypal_shop.events) == 6)
    reported = [kind for kind in sorted(paypal_shop.types()) if "DISPUTE" in kind]
    assert reported == ["CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.RESOLVED", "CUSTOMER.DISPUTE.UPDATED"]
    assert sandbox.get("journal/totals")["disputed"] == {"usd": 0 if verdict == "won" else 9999}
    if verdict == "lost":
        with pytest.raises(Refused) as refused:
            paypal.refund(capture)
        assert refused.value.issue == "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK"


def test_refunded_amounts_cannot_be_disputed(paypal, sandbox, paid):
    capture = paid("disputed")
    paypal.refund(capture)

    sandbox.run_jobs()

    assert sandbox.journal("dispute.created") == []
