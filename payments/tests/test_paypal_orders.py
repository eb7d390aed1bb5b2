"""PayPal orders without the network: requests, and the meaning of every state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import Money
from payments.providers.contract import (
    ActionKind,
    Breakdown,
    Capture,
    DeclineGroup,
    Item,
    Refused,
    RemoteRefundStatus,
    RemoteStatus,
    Unknown,
)
from payments.providers.paypal.orders import order_request, parse_refund, payment_of
from payments.tests.paypal_stub import (
    CAPTURE_ID,
    ORDER_ID,
    PAYMENT_ID,
    build_create_request,
    capture,
    order,
    refund,
)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


BOWL = Breakdown((Item("Moss bowl", 1, usd(8545)),), subtotal=usd(8545), tax=usd(855), shipping=usd(599))


# ---- requests ------------------------------------------------------------------------------------------------


def test_order_requests_one_capture_for_our_payment():
    body = order_request(build_create_request(breakdown=BOWL))
    (unit,) = body["purchase_units"]

    assert body["intent"] == "CAPTURE"
    assert unit["custom_id"] == PAYMENT_ID
    assert unit["reference_id"] == "K7Q2M9XC4"
    assert unit["invoice_id"] == f"K7Q2M9XC4-{PAYMENT_ID}"
    assert unit["amount"] == {
        "currency_code": "USD",
        "value": "99.99",
        "breakdown": {
            "item_total": {"currency_code": "USD", "value": "85.45"},
            "tax_total": {"currency_code": "USD", "value": "8.55"},
            "shipping": {"currency_code": "USD", "value": "5.99"},
        },
    }
    assert unit["items"] == [
        {"name": "Moss bowl", "quantity": "1", "unit_amount": {"currency_code": "USD", "value": "85.45"}}
    ]


def test_order_has_return_urls_and_immediate_payment():
    context = order_request(build_create_request())["payment_source"]["paypal"]["experience_context"]

    assert context == {
        "return_url": "https://shop.test/back",
        "cancel_url": "https://shop.test/stop",
        "user_action": "PAY_NOW",
        "shipping_preference": "NO_SHIPPING",
    }


@pytest.mark.parametrize(
    "parts",
    [
        None,
        Breakdown((Item("Bowl", 1, usd(8544)),), usd(8544), usd(855), usd(599)),
        Breakdown((Item("Bowl", 2, usd(8545)),), usd(8545), usd(855), usd(599)),
        Breakdown((Item("Bowl", 1, Money(8545, "EUR")),), usd(8545), usd(855), usd(599)),
        Breakdown((Item("Bowl", 1, usd(8545)),), usd(8545), Money(855, "EUR"), usd(599)),
    ],
    ids=["none", "a-cent-short", "items-differ", "item-in-euro", "tax-in-euro"],
)
def test_breakdown_that_does_not_add_up_is_omitted(parts):
    (unit,) = order_request(build_create_request(breakdown=parts))["purchase_units"]

    assert unit["amount"] == {"currency_code": "USD", "value": "99.99"}
    assert "items" not in unit


def test_breakdown_with_unsupported_fractions_is_omitted():
    def huf(minor: int) -> Money:
        return Money(minor, "HUF")

    parts = Breakdown((Item("Tál", 1, huf(100_050)),), huf(100_050), huf(10_050), huf(59_900))
    (unit,) = order_request(build_create_request(huf(170_000), breakdown=parts))["purchase_units"]

    assert unit["amount"] == {"currency_code": "HUF", "value": "1700"}


@pytest.mark.parametrize("amount", [Money(170_050, "HUF"), Money(1_000, "KWD"), Money(1, "TWD")])
def test_amount_unsupported_by_paypal_is_refused(amount):
    with pytest.raises(Refused):
        order_request(build_create_request(amount))


@given(
    lines=st.lists(st.tuples(st.integers(1, 99), st.integers(1, 10**7)), min_size=1, max_size=40),
    rate=st.integers(0, 270_000),
    shipping=st.integers(0, 10**5),
)
def test_parts_of_any_cart_sum_to_its_amount(lines, rate, shipping):
    items = tuple(Item(f"Piece {n}", count, usd(price)) for n, (count, price) in enumerate(lines))
    subtotal = Money.total((item.unit_price * item.quantity for item in items), "USD")
    tax = Money.total(((item.unit_price * item.quantity).share(rate) for item in items), "USD")
    total = subtotal + tax + usd(shipping)

    (unit,) = order_request(
        build_create_request(total, breakdown=Breakdown(items, subtotal, tax, usd(shipping)))
    )["purchase_units"]

    def cents(part: dict[str, str]) -> int:
        return int(part["value"].replace(".", ""))

    parts = unit["amount"]["breakdown"]
    assert cents(unit["amount"]) == sum(cents(part) for part in parts.values())
    assert cents(parts["item_total"]) == sum(
        int(item["quantity"]) * cents(item["unit_amount"]) for item in unit["items"]
    )


def test_long_and_empty_names_are_adjusted():
    items = (Item("Ü" * 300, 1, usd(1)), Item("", 1, usd(1)))
    parts = Breakdown(items, usd(2), usd(0), usd(0))
    (unit,) = order_request(build_create_request(usd(2), breakdown=parts))["purchase_units"]

    assert [len(item["name"]) for item in unit["items"]] == [127, 1]


def test_wallet_is_saved_when_the_buyer_agreed():
    wallet = order_request(build_create_request(save=True, customer_id="cus_1"))["payment_source"]["paypal"]

    assert wallet["attributes"] == {
        "vault": {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT", "customer_type": "CONSUMER"},
        "customer": {"id": "cus_1"},
    }
    assert (
        "attributes"
        not in order_request(build_create_request(customer_id="cus_1"))["payment_source"]["paypal"]
    )


def test_saved_wallet_is_used_and_not_saved_again():
    wallet = order_request(build_create_request(save=True, method_id="8kk8451t"))["payment_source"]["paypal"]

    assert wallet["vault_id"] == "8kk8451t"
    assert "attributes" not in wallet


# ---- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "captures", "expected"),
    [
        ("CREATED", [], RemoteStatus.OPEN),
        ("SAVED", [], RemoteStatus.OPEN),
        ("PAYER_ACTION_REQUIRED", [], RemoteStatus.OPEN),
        ("APPROVED", [], RemoteStatus.APPROVED),
        ("VOIDED", [], RemoteStatus.CANCELLED),
        ("COMPLETED", ["COMPLETED"], RemoteStatus.SUCCEEDED),
        ("COMPLETED", ["PARTIALLY_REFUNDED"], RemoteStatus.SUCCEEDED),
        ("COMPLETED", ["REFUNDED"], RemoteStatus.SUCCEEDED),
        ("COMPLETED", ["PENDING"], RemoteStatus.PROCESSING),
        ("COMPLETED", ["DECLINED"], RemoteStatus.FAILED),
        ("COMPLETED", ["FAILED"], RemoteStatus.FAILED),
        ("COMPLETED", ["DECLINED", "PENDING"], RemoteStatus.PROCESSING),
        ("COMPLETED", ["DECLINED", "COMPLETED"], RemoteStatus.SUCCEEDED),
        ("COMPLETED", ["PENDING", "COMPLETED"], RemoteStatus.SUCCEEDED),
        ("APPROVED", ["DECLINED"], RemoteStatus.APPROVED),
        ("PAYER_ACTION_REQUIRED", ["DECLINED"], RemoteStatus.OPEN),
        ("APPROVED", ["PENDING"], RemoteStatus.PROCESSING),
    ],
)
def test_every_order_state_is_mapped(status, captures, expected):
    shown = [capture(each, id=f"CAP{n}") for n, each in enumerate(captures)]

    payment = payment_of(order(status, captures=shown), is_live=False)

    assert payment.status == expected
    assert (payment.action is not None) == (expected == RemoteStatus.OPEN)
    assert (payment.decline is not None) == (expected == RemoteStatus.FAILED)


def test_payment_has_amount_reference_and_account():
    payment = payment_of(order("COMPLETED", captures=[capture(value="60.00")]), is_live=True)

    assert payment.object_id == ORDER_ID
    assert payment.reference == PAYMENT_ID
    assert payment.amount == usd(9999)
    assert payment.captures == (Capture(CAPTURE_ID, usd(6000)),)
    assert payment.related_ids == (CAPTURE_ID,)
    assert payment.payee == "2BP3WP8PK6566"
    assert payment.is_live


@pytest.mark.parametrize(
    ("like", "payee"),
    [("", "2BP3WP8PK6566"), ("2BP3WP8PK6566", "2BP3WP8PK6566"), ("a@b.test", "shop@artisans.test")],
)
def test_payee_is_an_id_or_an_email_address_like_the_configured_one(like, payee):
    assert payment_of(order(), is_live=False, payee=like).payee == payee


def test_both_kinds_of_approval_link_are_accepted():
    links = [{"rel": "approve", "href": "https://paypal.test/approve"}]

    action = payment_of(order(links=links), is_live=False).action

    assert action.kind == ActionKind.REDIRECT
    assert action.url == "https://paypal.test/approve"
    assert payment_of(order(links=None), is_live=False).action is None


def test_declined_capture_has_a_reason():
    declined = capture("DECLINED", status_details={"reason": "BUYER_COMPLAINT"})

    payment = payment_of(order("COMPLETED", captures=[declined]), is_live=False)

    assert payment.decline == DeclineGroup.DECLINED
    assert payment.decline_code == "BUYER_COMPLAINT"
    assert payment.captures == ()
    for code, group in (
        ("5400", "expired_card"),
        ("5120", "funds"),
        ("9520", "declined"),
        ("9999", "declined"),
    ):
        refused = capture("DECLINED", processor_response={"response_code": code})
        payment = payment_of(order("COMPLETED", captures=[refused]), is_live=False)
        assert (payment.decline, payment.attempts[0].decline) == (group, group), code


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("COMPLETED", RemoteRefundStatus.SUCCEEDED),
        ("PENDING", RemoteRefundStatus.PENDING),
        ("FAILED", RemoteRefundStatus.FAILED),
        ("CANCELLED", RemoteRefundStatus.FAILED),
    ],
)
def test_every_refund_state_is_mapped(status, expected):
    result = parse_refund(refund(status))

    assert (result.status, result.amount, result.reference) == (expected, usd(1000), "refund-7")


def test_dashboard_refund_has_no_reference_of_ours():
    ours, theirs = refund(id="R1"), refund(id="R2", custom_id=PAYMENT_ID)
    nameless = {name: value for name, value in refund(id="R3").items() if name != "custom_id"}

    payment = payment_of(
        order("COMPLETED", captures=[capture()], refunds=[ours, theirs, nameless]), is_live=False
    )

    assert [each.reference for each in payment.refunds] == ["refund-7", "", ""]


def test_saved_wallet_is_reported():
    vault = {"id": "8kk8451t", "status": "VAULTED", "customer": {"id": "cus_1"}}
    source = {"paypal": {"email_address": "buyer@example.test", "attributes": {"vault": vault}}}

    payment = payment_of(order("COMPLETED", captures=[capture()], payment_source=source), is_live=False)

    assert payment.method.method_id == "8kk8451t"
    assert (payment.method.kind, payment.method.email) == ("paypal", "buyer@example.test")
    assert payment.customer_id == payment.method.customer_id == "cus_1"


def test_wallet_that_is_not_yet_vaulted_is_not_reported():
    source = {"paypal": {"attributes": {"vault": {"status": "APPROVED"}}}}

    assert payment_of(order(payment_source=source), is_live=False).method is None


IN_PARTS = [
    order("COMPLETED"),
    order("NEWLY_INVENTED"),
    order("COMPLETED", captures=[capture("NEWLY_INVENTED")]),
    order("COMPLETED", captures=[{"id": "1", "status": "COMPLETED"}]),
    order("COMPLETED", captures=[capture(amount={"value": 9.99, "currency_code": "USD"})]),
    order("COMPLETED", captures=["text"]),
    order(purchase_units=[]),
    order(purchase_units=None),
    order(purchase_units=[*order()["purchase_units"], *order()["purchase_units"]]),
    order(purchase_units=[{"amount": {"currency_code": "US", "value": "1"}}]),
]


@pytest.mark.parametrize("answer", [{}, {"status": "CREATED"}, order() | {"id": None}])
def test_answer_without_an_order_id_is_an_unknown_outcome(answer):
    with pytest.raises(Unknown):
        payment_of(answer, is_live=False)


@pytest.mark.parametrize("answer", IN_PARTS, ids=range(len(IN_PARTS)))
def test_unreadable_part_is_reported_and_books_nothing(answer):
    payment = payment_of(answer, is_live=False)

    assert payment.captures == ()
    assert payment.problems


def test_unknown_refund_status_hides_no_capture():
    result = order("COMPLETED", captures=[capture()], refunds=[refund("NEWLY_INVENTED"), {"id": "R2"}])

    payment = payment_of(result, is_live=False)

    assert len(payment.captures) == 1
    assert [one.status for one in payment.refunds] == [RemoteRefundStatus.UNKNOWN]
    assert len(payment.problems) == 2
