"""The PayPal adapter against the sandbox over real sockets; checked against the sandbox's journal of effects."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from artisans.core.money import Money
from payments.providers.contract import (
    BadSignature,
    Breakdown,
    ConfirmRequest,
    DeclineGroup,
    DuplicateReference,
    Item,
    ObjectNotFound,
    RefundRequest,
    Refused,
    RemoteDisputeStatus,
    RemotePayment,
    RemoteRefundStatus,
    RemoteStatus,
    SaveRequest,
    Unknown,
)
from payments.providers.paypal.provider import PayPalProvider
from payments.tests.paypal_sandbox import control_of, sandbox_config
from payments.tests.paypal_stub import build_create_request
from sandbox.http_server import Server
from sandbox.tests.client import Control, wait_until
from sandbox.tests.paypal_client import PayPalReceiver

PRICE = Money(9999, "USD")
CAPTURE = "/v2/checkout/orders/*/capture"
REFUND = "/v2/payments/captures/*/refund"
numbers = count(1)

Buy = Callable[..., RemotePayment]


@pytest.fixture
def sandbox(sandbox_server: Server) -> Control:
    return control_of(sandbox_server)


@pytest.fixture
def shop(sandbox: Control, tmp_path) -> Callable[..., PayPalProvider]:
    """A configured provider; keyword arguments change the configuration."""
    return lambda **changes: PayPalProvider(sandbox_config(sandbox, tmp_path, **changes))


@pytest.fixture
def paypal(shop: Callable[..., PayPalProvider]) -> PayPalProvider:
    return shop()


@pytest.fixture
def approved(paypal: PayPalProvider, sandbox: Control) -> Buy:
    """An order that this test buyer has approved."""

    def make(buyer: str = "pays", amount: Money = PRICE, **changes) -> RemotePayment:
        number = f"pay-{next(numbers)}"
        payment = paypal.create(
            build_create_request(amount, payment_id=number, **({"key": f"{number}:create"} | changes))
        )
        sandbox.post("paypal/approve", order=payment.object_id, buyer=buyer)
        return payment

    return make


@pytest.fixture
def paid(paypal: PayPalProvider, approved: Buy) -> Buy:
    """A captured order."""
    return lambda buyer="pays", **changes: paypal.confirm(confirm(approved(buyer, **changes)))


def confirm(payment: RemotePayment, attempt: int = 1) -> ConfirmRequest:
    return ConfirmRequest(
        key=f"{payment.reference}:confirm:{attempt}",
        object_id=payment.object_id,
        amount=payment.amount,
        payment_id=payment.reference,
        return_url="https://shop.test/back",
    )


def refund(payment: RemotePayment, minor: int, number: int = 1) -> RefundRequest:
    return RefundRequest(
        key=f"rf:{payment.reference}:{number}",
        object_id=payment.object_id,
        capture_id=payment.captures[0].capture_id,
        refund_id=f"refund-{payment.reference}-{number}",
        refund_number=f"RF-{payment.reference}-{number}",
        amount=Money(minor, payment.amount.currency),
    )


def build_save_request(customer_id: str = "") -> SaveRequest:
    return SaveRequest(
        key=f"save-{next(numbers)}",
        user_id="u-1",
        customer_id=customer_id,
        return_url="https://shop.test/back",
        cancel_url="https://shop.test/stop",
    )


def effects(sandbox: Control, name: str) -> int:
    return len(sandbox.journal(name, provider="paypal"))


# ---- a purchase -----------------------------------------------------------------------------------------------------


def test_buyer_approves_and_the_money_is_captured_once(paypal, sandbox):
    created = paypal.create(build_create_request())
    sandbox.post("paypal/approve", order=created.object_id)
    seen = paypal.read(created.object_id)
    paid = paypal.confirm(confirm(created))

    assert created.action.url == f"{sandbox.url}/checkoutnow?token={created.object_id}"
    assert [each.status for each in (created, seen, paid)] == [
        RemoteStatus.OPEN,
        RemoteStatus.APPROVED,
        RemoteStatus.SUCCEEDED,
    ]
    assert paypal.read(created.object_id) == paid
    assert [each.amount for each in paid.captures] == [paid.amount] == [PRICE]
    (row,) = sandbox.journal("capture.completed", provider="paypal")
    assert (row["amount"], row["currency"], row["custom_id"]) == (9999, "usd", paid.reference)


def test_cart_of_many_artisans_is_captured_to_the_cent(approved, paypal, sandbox):
    items = tuple(Item(f"Piece {n}", n, Money(1001 + 7 * n, "USD")) for n in range(1, 25))
    subtotal = Money.total((item.unit_price * item.quantity for item in items), "USD")
    tax = Money.total(((item.unit_price * item.quantity).share(77_777) for item in items), "USD")
    parts = Breakdown(items, subtotal, tax, Money(599, "USD"))
    total = subtotal + tax + parts.shipping

    payment = paypal.confirm(confirm(approved(amount=total, breakdown=parts)))

    assert [each.amount for each in payment.captures] == [total]


@pytest.mark.parametrize(
    "amount", [Money(500, "JPY"), Money(123_400, "HUF"), Money(700, "TWD"), Money(1, "EUR")]
)
def test_other_currencies_are_captured_and_refunded_exactly(paid, paypal, amount):
    payment = paid(amount=amount)

    assert [each.amount for each in payment.captures] == [amount]
    assert paypal.refund(refund(payment, amount.minor)).amount == amount


def test_unsupported_fraction_is_not_sent(paypal, sandbox):
    with pytest.raises(Refused):
        paypal.create(build_create_request(Money(123_450, "HUF")))

    assert sandbox.get("requests")["rows"] == []


def test_same_key_creates_no_second_order(paypal, sandbox):
    first, again = paypal.create(build_create_request()), paypal.create(build_create_request())

    assert first == again
    assert effects(sandbox, "order.created") == 1


def test_the_same_key_in_parallel_captures_once(approved, paypal, sandbox):
    request = confirm(approved())
    together = threading.Barrier(8)

    def call(_):
        together.wait()
        try:
            return paypal.confirm(request).status
        except Unknown as unknown:
            return unknown.code

    with ThreadPoolExecutor(8) as threads:
        results = set(threads.map(call, range(8)))

    assert results <= {RemoteStatus.SUCCEEDED, "PREVIOUS_REQUEST_IN_PROGRESS"}
    assert RemoteStatus.SUCCEEDED in results
    assert effects(sandbox, "capture.completed") == 1


def test_different_keys_in_parallel_capture_once_and_all_report_it(approved, paypal, sandbox):
    payment = approved()

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda n: paypal.confirm(confirm(payment, n)), range(6)))

    assert {each.captures for each in results} == {paypal.read(payment.object_id).captures}
    assert effects(sandbox, "capture.completed") == 1


def test_capturing_again_returns_the_same_capture(paid, paypal, sandbox):
    payment = paid()

    assert paypal.confirm(confirm(payment)) == paypal.confirm(confirm(payment, 2)) == payment
    assert effects(sandbox, "capture.completed") == 1


def test_an_unapproved_order_is_not_captured(paypal, sandbox):
    payment = paypal.create(build_create_request())

    with pytest.raises(Refused) as refused:
        paypal.confirm(confirm(payment))

    assert refused.value.code == "ORDER_NOT_APPROVED"
    assert refused.value.remote.action == payment.action
    assert effects(sandbox, "capture.completed") == 0


def test_declined_instrument_is_replaced_at_paypal(approved, paypal, sandbox):
    payment = approved("declined")

    with pytest.raises(Refused) as refused:
        paypal.confirm(confirm(payment))
    sandbox.post("paypal/approve", order=payment.object_id, instrument="bank")

    remote = refused.value.remote
    assert (remote.status, remote.decline) == (RemoteStatus.FAILED, DeclineGroup.OTHER_CARD)
    assert remote.action.url == f"{sandbox.url}/checkoutnow?token={payment.object_id}"
    assert paypal.confirm(confirm(payment, 2)).status == RemoteStatus.SUCCEEDED
    assert effects(sandbox, "capture.completed") == 1


@pytest.mark.parametrize(
    ("buyer", "at_first", "at_last"),
    [
        ("review", RemoteStatus.PROCESSING, RemoteStatus.SUCCEEDED),
        ("echeck", RemoteStatus.PROCESSING, RemoteStatus.SUCCEEDED),
        ("denied", RemoteStatus.PROCESSING, RemoteStatus.FAILED),
        ("refused", RemoteStatus.FAILED, RemoteStatus.FAILED),
    ],
)
def test_capture_under_review_is_completed_or_denied(paid, paypal, sandbox, buyer, at_first, at_last):
    payment = paid(buyer)
    sandbox.run_jobs()

    assert payment.status == at_first
    assert paypal.read(payment.object_id).status == at_last


def test_order_expires_at_paypal_after_three_hours(approved, paypal, sandbox):
    waiting, agreed = paypal.create(build_create_request(key="waiting")), approved()
    sandbox.post("clock", advance=4 * 3600)
    sandbox.post("jobs/run", kind="paypal.order.deadline")

    with pytest.raises(ObjectNotFound):
        paypal.read(waiting.object_id)
    assert paypal.read(agreed.object_id).status == RemoteStatus.CANCELLED
    with pytest.raises(Refused):
        paypal.confirm(confirm(agreed))
    assert effects(sandbox, "capture.completed") == 0


def test_cancelling_reports_captured_money(approved, paid, paypal):
    assert paypal.cancel(approved().object_id, key="k").status == RemoteStatus.CANCELLED
    assert paypal.cancel(paid().object_id, key="k").status == RemoteStatus.SUCCEEDED
    assert paypal.cancel(paid("review").object_id, key="k").status == RemoteStatus.PROCESSING


def test_two_orders_cannot_pay_the_same_payment(approved, paid, paypal, sandbox):
    first = paid()
    second = paypal.create(build_create_request(payment_id=first.reference, key="another"))
    sandbox.post("paypal/approve", order=second.object_id)

    with pytest.raises(DuplicateReference) as refused:
        paypal.confirm(confirm(second, 7))
    known = paypal.confirm(replace(confirm(second, 8), earlier_ids=(first.object_id,)))

    assert (refused.value.code, refused.value.remote.status) == ("DUPLICATE_INVOICE_ID", RemoteStatus.EXPIRED)
    assert (known.object_id, known.status) == (first.object_id, RemoteStatus.SUCCEEDED)
    assert effects(sandbox, "capture.completed") == 1


# ---- faults ---------------------------------------------------------------------------------------------------------

FAULTS = [
    "rate_limit",
    "unavailable",
    "drop_before",
    "error_before",
    "error_after",
    "drop_after",
    "truncate",
    "garbage",
    "html",
    "empty",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_failed_capture_is_an_unknown_outcome_and_happens_once(approved, paypal, sandbox, fault):
    payment = approved()
    sandbox.fault(fault, method="POST", path=CAPTURE)

    with pytest.raises(Unknown):
        paypal.confirm(confirm(payment))

    assert paypal.confirm(confirm(payment)).status == RemoteStatus.SUCCEEDED
    assert effects(sandbox, "capture.completed") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_failed_order_is_an_unknown_outcome_and_created_once(paypal, sandbox, fault):
    sandbox.fault(fault, method="POST", path="/v2/checkout/orders")

    with pytest.raises(Unknown):
        paypal.create(build_create_request())

    assert paypal.create(build_create_request()).status == RemoteStatus.OPEN
    assert effects(sandbox, "order.created") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_failed_refund_is_an_unknown_outcome_and_made_once(paid, paypal, sandbox, fault):
    payment = paid()
    sandbox.fault(fault, method="POST", path=REFUND)

    with pytest.raises(Unknown):
        paypal.refund(refund(payment, 1000))

    assert paypal.refund(refund(payment, 1000)).status == RemoteRefundStatus.SUCCEEDED
    assert effects(sandbox, "refund.created") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_failed_read_is_an_unknown_outcome(paid, paypal, sandbox, fault):
    payment = paid()
    sandbox.fault(fault, method="GET", path="/v2/checkout/orders/*")

    with pytest.raises(Unknown):
        paypal.read(payment.object_id)


def test_token_that_expires_during_a_call_is_renewed(approved, paypal, sandbox):
    payment = approved()
    fault = sandbox.fault("hold_before", method="POST", path=CAPTURE, seconds=5)

    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(paypal.confirm, confirm(payment))
        wait_until(lambda: any(row["fault"] == fault for row in sandbox.get("requests")["rows"]))
        sandbox.post("paypal/expire_tokens")
        sandbox.post(f"faults/{fault}/release")
        result = call.result()

    assert result.status == RemoteStatus.SUCCEEDED
    assert effects(sandbox, "capture.completed") == 1


def test_wrong_credentials_are_an_unknown_outcome(shop, sandbox):
    sandbox.post("paypal/settings", client="shop:another-secret")

    with pytest.raises(Unknown):
        shop().create(build_create_request())

    assert effects(sandbox, "order.created") == 0


# ---- refunds --------------------------------------------------------------------------------------------------------


def test_refunds_reach_the_last_cent_and_no_further(paid, paypal, sandbox):
    payment = paid()

    result = [
        paypal.refund(refund(payment, minor, number)) for number, minor in enumerate((3333, 3333, 3332))
    ]
    with pytest.raises(Refused) as too_much:
        paypal.refund(refund(payment, 2, 8))
    result.append(paypal.refund(refund(payment, 1, 9)))
    with pytest.raises(Refused) as nothing_left:
        paypal.refund(refund(payment, 1, 10))

    assert (too_much.value.code, nothing_left.value.code) == (
        "REFUND_AMOUNT_EXCEEDED",
        "CAPTURE_FULLY_REFUNDED",
    )
    seen = paypal.read(payment.object_id)
    assert seen.status == RemoteStatus.SUCCEEDED
    assert seen.captures == payment.captures
    assert sorted(each.refund_id for each in seen.refunds) == sorted(each.refund_id for each in result)
    assert sandbox.get("journal/totals", provider="paypal")["refunded"] == {"usd": 9999}


def test_the_same_key_never_refunds_twice(paid, paypal, sandbox):
    payment = paid()

    assert paypal.refund(refund(payment, 1000)) == paypal.refund(refund(payment, 1000))
    assert effects(sandbox, "refund.created") == 1


def test_refund_is_found_when_its_key_has_expired_at_paypal(paid, paypal, sandbox):
    payment = paid()
    first = paypal.refund(refund(payment, 1000))
    sandbox.post("clock", advance=46 * 24 * 3600)

    assert paypal.refund(refund(payment, 1000)) == first
    assert effects(sandbox, "refund.created") == 1


@pytest.mark.parametrize(
    ("way", "at_first", "at_last"),
    [
        ("succeed", RemoteRefundStatus.SUCCEEDED, RemoteRefundStatus.SUCCEEDED),
        ("pending", RemoteRefundStatus.PENDING, RemoteRefundStatus.SUCCEEDED),
        ("fail", RemoteRefundStatus.PENDING, RemoteRefundStatus.FAILED),
        ("refuse", RemoteRefundStatus.FAILED, RemoteRefundStatus.FAILED),
    ],
)
def test_every_course_of_a_refund_is_reported(paid, paypal, sandbox, way, at_first, at_last):
    payment = paid()
    sandbox.post("settings", refunds=way)

    first = paypal.refund(refund(payment, 1000))
    sandbox.run_jobs()

    assert first.status == at_first
    assert paypal.read_refund(first.refund_id, currency="USD").status == at_last
    assert [each.status for each in paypal.read(payment.object_id).refunds] == [at_last]


def test_a_refund_from_the_dashboard_has_no_reference(paid, paypal, sandbox):
    payment = paid()
    sandbox.post("paypal/refund", order=payment.object_id, amount="3.00", custom_id=payment.reference)

    (result,) = paypal.read(payment.object_id).refunds

    assert (result.amount, result.reference) == (Money(300, "USD"), "")


@pytest.mark.parametrize(
    ("verdict", "status"), [("won", RemoteDisputeStatus.WON), ("lost", RemoteDisputeStatus.LOST)]
)
def test_dispute_is_reported_from_opening_to_resolution(paid, paypal, sandbox, verdict, status):
    payment = paid()
    opened = sandbox.post("paypal/dispute", order=payment.object_id, amount="50.00")
    (at_first,) = paypal.read(payment.object_id).disputes
    sandbox.post("paypal/close_dispute", dispute=opened["dispute_id"], outcome=verdict)
    (at_last,) = paypal.read(payment.object_id).disputes

    assert at_first.dispute_id == at_last.dispute_id == opened["dispute_id"]
    assert (at_first.status, at_last.status) == (RemoteDisputeStatus.OPEN, status)
    assert at_first.amount == at_last.amount == Money(5000, "USD")


# ---- saved wallets --------------------------------------------------------------------------------------------------


def test_wallet_is_saved_used_and_detached(paypal, sandbox):
    setup = paypal.save_start(build_save_request())
    waiting = paypal.save_read(setup.setup_id)
    sandbox.post("paypal/approve", setup_token=setup.setup_id)
    done = paypal.save_read(setup.setup_id)
    again = paypal.save_read(setup.setup_id)
    method = done.method

    assert (setup.is_done, waiting.is_done, done.is_done) == (False, False, True)
    assert setup.action.url == waiting.action.url
    assert again == done
    assert paypal.saved_methods(done.customer_id) == [method]
    assert method.email == "pays@buyers.example"

    paid = paypal.create(build_create_request(method_id=method.method_id, customer_id=method.customer_id))
    assert paid.status == RemoteStatus.SUCCEEDED
    assert paid.captures[0].amount == PRICE

    paypal.detach(method.method_id, key="d-1")
    paypal.detach(method.method_id, key="d-1")
    assert paypal.saved_methods(done.customer_id) == []
    with pytest.raises(Refused) as gone:
        paypal.create(build_create_request(method_id=method.method_id, key="later"))
    assert gone.value.decline == DeclineGroup.OTHER_CARD
    assert effects(sandbox, "vault.token_created") == 1


def test_order_with_a_saved_wallet_may_still_need_a_capture(paypal, sandbox):
    sandbox.post("paypal/settings", vaulted_orders="APPROVED")
    setup = paypal.save_start(build_save_request())
    sandbox.post("paypal/approve", setup_token=setup.setup_id)
    method = paypal.save_read(setup.setup_id).method

    agreed = paypal.create(build_create_request(method_id=method.method_id))

    assert agreed.status == RemoteStatus.APPROVED
    assert paypal.confirm(confirm(agreed)).status == RemoteStatus.SUCCEEDED


def test_declined_saved_wallet_captures_nothing(paypal, sandbox):
    setup = paypal.save_start(build_save_request())
    sandbox.post("paypal/approve", setup_token=setup.setup_id, buyer="declined")
    method = paypal.save_read(setup.setup_id).method

    with pytest.raises(Refused) as refused:
        paypal.create(build_create_request(method_id=method.method_id))

    assert refused.value.decline == DeclineGroup.OTHER_CARD
    assert effects(sandbox, "order.created") == 0


def test_a_wallet_is_saved_with_a_purchase(paid, paypal):
    payment = paid(save=True)

    assert payment.method.email == "pays@buyers.example"
    assert paypal.saved_methods(payment.customer_id) == [payment.method]


def test_many_wallets_of_one_buyer_are_all_listed(paypal, sandbox):
    customer = "cus_4029352050"
    for _ in range(7):
        setup = paypal.save_start(build_save_request(customer))
        sandbox.post("paypal/approve", setup_token=setup.setup_id)
        paypal.save_token(build_save_request(customer), setup.setup_id)

    assert len({each.method_id for each in paypal.saved_methods(customer)}) == 7


# ---- messages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def hook(sandbox: Control) -> Iterator[PayPalReceiver]:
    with PayPalReceiver(sandbox.get("paypal/ca")["pem"]) as receiver:
        sandbox.post("paypal/endpoint", url=receiver.url, webhook_id=receiver.webhook_id)
        yield receiver


def messages(hook: PayPalReceiver, amount: int) -> list[tuple[dict[str, str], bytes]]:
    wait_until(lambda: len(hook.raw) >= amount)
    return list(hook.raw)


@pytest.mark.parametrize("by_call", [False, True])
def test_all_webhooks_about_a_payment_name_it(shop, paid, sandbox, hook, by_call):
    payment = paid(save=True)
    capture_id = payment.captures[0].capture_id
    dispute = sandbox.post("paypal/dispute", order=payment.object_id, amount="1.00")
    sandbox.post("paypal/close_dispute", dispute=dispute["dispute_id"], outcome="won")
    sandbox.post("paypal/refund", order=payment.object_id)
    provider = shop(verify_by_call=by_call)

    result = {
        event.kind: event
        for headers, body in messages(hook, 7)
        if (event := provider.parse_webhook(body, headers))
    }

    assert set(result) == {
        "CHECKOUT.ORDER.APPROVED",
        "CHECKOUT.ORDER.COMPLETED",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.REFUNDED",
        "CUSTOMER.DISPUTE.CREATED",
        "CUSTOMER.DISPUTE.RESOLVED",
        "VAULT.PAYMENT-TOKEN.CREATED",
    }
    known = {payment.object_id, capture_id}
    assert all(known & set(event.object_ids) for event in result.values())
    assert result["PAYMENT.CAPTURE.COMPLETED"].status == RemoteStatus.SUCCEEDED
    assert result["PAYMENT.CAPTURE.REFUNDED"].refund_status == RemoteRefundStatus.SUCCEEDED
    assert result["CUSTOMER.DISPUTE.RESOLVED"].dispute_status == RemoteDisputeStatus.WON
    assert result["VAULT.PAYMENT-TOKEN.CREATED"].method_id == payment.method.method_id


@pytest.mark.parametrize("by_call", [False, True])
@pytest.mark.parametrize("mode", ["expired", "wrong_name", "untrusted_ca", "wrong_webhook", "altered"])
def test_wrongly_signed_webhook_is_refused(shop, approved, sandbox, hook, mode, by_call):
    sandbox.post("paypal/settings", signing=mode)
    approved()
    headers, body = messages(hook, 1)[0]

    with pytest.raises(BadSignature):
        shop(verify_by_call=by_call).parse_webhook(body, headers)


# ---- reports --------------------------------------------------------------------------------------------------------


def test_report_lists_every_captured_payment(paid, approved, paypal):
    whole, partly = paid(), paid()
    paypal.refund(refund(partly, 1000))
    approved()
    now = datetime.now(UTC)

    result = {
        each.object_id: each
        for each in paypal.list_payments(now - timedelta(days=40), now + timedelta(days=1))
    }

    assert set(result) == {whole.object_id, partly.object_id}
    assert result[whole.object_id].captures == whole.captures
    assert result[whole.object_id].reference == whole.reference
    assert result[partly.object_id] == paypal.read(partly.object_id)
    assert [each.amount for each in result[partly.object_id].refunds] == [Money(1000, "USD")]
