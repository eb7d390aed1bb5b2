"""Orders v2 without the calls: building requests and interpreting orders.

An order has one purchase unit, for one payment of ours: `custom_id` is our payment's id, and `invoice_id` is unique
per payment, so that PayPal itself refuses to charge the same payment by two orders.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from artisans.core.money import Money
from payments.providers.contract import (
    Action,
    ActionKind,
    Breakdown,
    Capture,
    Check,
    CreateRequest,
    DeclineGroup,
    Item,
    Liability,
    PendingReason,
    RefundRequest,
    Refused,
    RemoteAttempt,
    RemoteDispute,
    RemoteMethod,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteStatus,
    ShipTo,
    Verdict,
)
from payments.providers.paypal.errors import link_of
from payments.providers.paypal.money import from_paypal, to_paypal
from payments.providers.paypal.shapes import dig, readable, text_at
from payments.providers.reading import Parts, an_id, mapping, plain, positive

NAME_LENGTH = 127

UNCAPTURED = {
    "CREATED": RemoteStatus.OPEN,
    "SAVED": RemoteStatus.OPEN,
    "PAYER_ACTION_REQUIRED": RemoteStatus.OPEN,
    "APPROVED": RemoteStatus.APPROVED,
    "VOIDED": RemoteStatus.CANCELLED,
}
CAPTURES = {
    "COMPLETED": RemoteStatus.SUCCEEDED,
    "PARTIALLY_REFUNDED": RemoteStatus.SUCCEEDED,
    "REFUNDED": RemoteStatus.SUCCEEDED,
    "PENDING": RemoteStatus.PROCESSING,
    "DECLINED": RemoteStatus.FAILED,
    "FAILED": RemoteStatus.FAILED,
}
PENDING = {  # https://developer.paypal.com/docs/api/payments/v2/#definition-capture_status_details
    "ECHECK": PendingReason.BANK,
    "TRANSACTION_APPROVED_AWAITING_FUNDING": PendingReason.BANK,
    "PENDING_REVIEW": PendingReason.REVIEW,
    "INTERNATIONAL_WITHDRAWAL": PendingReason.SHOP,
    "RECEIVING_PREFERENCE_MANDATES_MANUAL_ACTION": PendingReason.SHOP,
    "UNILATERAL": PendingReason.SHOP,
    "VERIFICATION_REQUIRED": PendingReason.SHOP,
}
# What the bank said of a card's address and security code; digits are Maestro's.
# https://developer.paypal.com/docs/api/orders/v2/#definition-processor_response
STREET_CHECKS = {
    Check.PASS: "A B D F M X Y 0",
    Check.FAIL: "C N P W Z 1",
    Check.UNAVAILABLE: "G I R S U 4",
    Check.UNCHECKED: "E 3",
}
POSTAL_CODE_CHECKS = {
    Check.PASS: "D F M P W X Y Z 0",
    Check.FAIL: "A B C N 1",
    Check.UNAVAILABLE: "G I R S U 4",
    Check.UNCHECKED: "E 3",
}
CODE_CHECKS = {
    Check.PASS: "M 0",
    Check.FAIL: "N 1",
    Check.UNAVAILABLE: "S U X 4",
    Check.UNCHECKED: "E I P 2 3",
}
# Responses of a card's bank or its processor, by what the buyer can do; the others are plain declines.
# https://developer.paypal.com/docs/api/orders/v2/#definition-processor_response
RESPONSES = {
    DeclineGroup.EXPIRED: "5400 PPEF",
    DeclineGroup.FUNDS: "5120 5710",
    DeclineGroup.FIX_DATA: "00N7 1380 1382 5110 5170",
    DeclineGroup.OTHER_CARD: "1330 5135 5140 5180 5930 5950 6300 PPFI",
    DeclineGroup.AUTHENTICATION: "5650 7710",
    DeclineGroup.TRY_AGAIN: "0960 5920 8000 8110 8220 9100",
}
# Suspected fraud, a security violation, a lost or stolen card; for staff.
FRAUD = frozenset({"9500", "9510", "9520"})
REFUNDS = {
    "COMPLETED": RemoteRefundStatus.SUCCEEDED,
    "PENDING": RemoteRefundStatus.PENDING,
    "FAILED": RemoteRefundStatus.FAILED,
    "CANCELLED": RemoteRefundStatus.FAILED,
}


# ---- requests --------------------------------------------------------------------------------------------------


def order_request(request: CreateRequest) -> dict[str, Any]:
    """The body of POST /v2/checkout/orders. Errors: Refused for an amount that PayPal does not accept."""
    amount: dict[str, Any] = dict(to_paypal(request.amount))
    unit: dict[str, Any] = {
        "reference_id": request.order_number,
        "description": f"Order {request.order_number}",
        "custom_id": request.payment_id,
        "invoice_id": invoice_id(request),
        "amount": amount,
    }
    if request.breakdown and adds_up(request.breakdown, request.amount):
        amount["breakdown"] = breakdown_of(request.breakdown)
        unit["items"] = [item_of(item) for item in request.breakdown.items]
    if request.ship_to:
        unit["shipping"] = shipping_of(request.ship_to)
    return {"intent": "CAPTURE", "purchase_units": [unit], "payment_source": {"paypal": wallet(request)}}


def invoice_id(request: CreateRequest) -> str:
    """The same for every object of a payment, so that PayPal takes its money only once; with a suffix after PayPal
    refused it because of a payment that is not ours."""
    suffix = f"-{request.attempt + 1}" if request.attempt else ""
    return f"{request.order_number}-{request.payment_id}{suffix}"


def shipping_of(to: ShipTo) -> dict[str, Any]:
    """PayPal's address_portable, if PayPal accepts the address; seller protection requires it."""
    fields = {
        "address_line_1": to.line1[:300],
        "address_line_2": to.line2[:300],
        "admin_area_2": to.city[:120],
        "admin_area_1": to.region[:300],
        "postal_code": to.postal_code[:60],
        "country_code": to.country,
    }
    address = {name: value for name, value in fields.items() if value}
    return {"type": "SHIPPING", "name": {"full_name": to.name[:300]}, "address": address}


def wallet(request: CreateRequest) -> dict[str, Any]:
    """How the buyer pays. PayPal shows our delivery address, and the buyer cannot change it there."""
    source: dict[str, Any] = {
        "experience_context": {
            "return_url": request.return_url,
            "cancel_url": request.cancel_url,
            "user_action": "PAY_NOW",
            "shipping_preference": "SET_PROVIDED_ADDRESS" if request.ship_to else "NO_SHIPPING",
        }
    }
    if request.method_id:
        return source | {"vault_id": request.method_id}
    if request.save:
        vault = {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT", "customer_type": "CONSUMER"}
        known = {"customer": {"id": request.customer_id}} if request.customer_id else {}
        source["attributes"] = {"vault": vault, **known}
    return source


def adds_up(parts: Breakdown, amount: Money) -> bool:
    """Whether PayPal accepts this breakdown: exact sums, and whole units in currencies without decimals."""
    sums = [parts.subtotal, parts.tax, parts.shipping, *parts.discounts.values()]
    shown = [*sums, *(item.unit_price for item in parts.items)]
    try:
        [to_paypal(money) for money in shown]
        items = Money.total((item.unit_price * item.quantity for item in parts.items), amount.currency)
        total = parts.total
    except (Refused, ValueError):
        return False
    return items == parts.subtotal and total == amount


def breakdown_of(parts: Breakdown) -> dict[str, Any]:
    return {
        "item_total": to_paypal(parts.subtotal),
        "tax_total": to_paypal(parts.tax),
        "shipping": to_paypal(parts.shipping),
        **{name: to_paypal(amount) for name, amount in parts.discounts.items()},
    }


def item_of(item: Item) -> dict[str, Any]:
    return {
        "name": item.name[:NAME_LENGTH] or "–",
        "quantity": str(item.quantity),
        "unit_amount": to_paypal(item.unit_price),
    }


def refund_request(request: RefundRequest) -> dict[str, Any]:
    """The body of POST /v2/payments/captures/{id}/refund. Errors: Refused, as for orders."""
    return {
        "amount": to_paypal(request.amount),
        "custom_id": request.refund_id,
        "invoice_id": request.refund_number,
        "note_to_payer": f"Refund {request.refund_number}",
    }


# ---- responses -------------------------------------------------------------------------------------------------


@readable
def payment_of(
    order: dict[str, Any], *, is_live: bool, payee: str = "", disputes: tuple[RemoteDispute, ...] = ()
) -> RemotePayment:
    """Parse an order. `payee`: how our account is identified, so that the order's payee is read in the same form.

    A part that is missing or has an unknown value becomes a problem and does not affect the others. Errors: Unknown
    if the order cannot be identified.
    """
    parts = Parts(an_id(order["id"]))
    unit = parts.read("purchase_units", lambda: mapping(only(order["purchase_units"])), {})
    payments = mapping(unit.get("payments"))
    captures = parts.each("captures", payments.get("captures"), lambda row: capture_of(row, parts))
    status = status_of(order.get("status"), captures, parts)
    refusal = captures[-1].row if status == RemoteStatus.FAILED else {}
    pending = next((capture.row for capture in captures if capture.status == RemoteStatus.PROCESSING), {})
    pending_code = text_at(pending, "status_details", "reason") if status == RemoteStatus.PROCESSING else ""
    method = parts.read("payment_source", lambda: method_of(order), None)
    return RemotePayment(
        object_id=order["id"],
        status=status,
        amount=parts.read("amount", lambda: from_paypal(unit["amount"]), None),
        reference=text_at(unit, "custom_id"),
        is_live=is_live,
        payee=payee_of(unit, like=payee),
        captures=tuple(capture.taken for capture in captures if capture.taken),
        attempts=Parts("attempts").each("captures", captures, attempt_of),
        refunds=parts.each("refunds", payments.get("refunds"), lambda row: refund_in(row, unit, parts)),
        disputes=disputes,
        related_ids=tuple(capture.id for capture in captures),
        action=action_of(order, status),
        pending=PENDING.get(pending_code, PendingReason.UNKNOWN),
        pending_code=pending_code,
        decline=decline_of(refusal) if refusal else None,
        decline_code=text_at(refusal, "status_details", "reason") or text_at(refusal, "status"),
        method=method,
        customer_id=method.customer_id if method else "",
        problems=tuple(parts.problems),
    )


def only(units: Any) -> Any:
    (unit,) = units
    return unit


class RemoteCapture(NamedTuple):
    """An entry of an order's captures; `taken` if money was captured."""

    id: str
    status: RemoteStatus
    taken: Capture | None
    row: dict[str, Any]


def capture_of(row: dict[str, Any], parts: Parts) -> RemoteCapture:
    """Errors: KeyError, TypeError or ValueError without an id, or without the amount of captured money."""
    capture_id = an_id(row["id"])
    status = parts.lookup(f"status of {capture_id}", CAPTURES, row.get("status"), RemoteStatus.UNKNOWN)
    taken = None
    if status == RemoteStatus.SUCCEEDED:
        kept = mapping(row.get("seller_receivable_breakdown")).get("paypal_fee")
        fee = Parts(capture_id).read("fee", lambda: from_paypal(kept), None) if kept else None
        taken = Capture(capture_id, positive(from_paypal(row["amount"])), fee)
    return RemoteCapture(capture_id, status, taken, row)


def attempt_of(capture: RemoteCapture) -> RemoteAttempt | None:
    """A capture that succeeded, was declined, or is pending. An attempt that cannot be parsed is left out."""
    if capture.status == RemoteStatus.UNKNOWN:
        return None
    is_success, is_pending = (
        capture.status == RemoteStatus.SUCCEEDED,
        capture.status == RemoteStatus.PROCESSING,
    )
    is_declined, row = capture.status == RemoteStatus.FAILED, capture.row
    reason = text_at(row, "status_details", "reason")
    processor = mapping(row.get("processor_response"))
    avs_code, response_code = text_at(processor, "avs_code"), text_at(processor, "response_code")
    return RemoteAttempt(
        attempt_id=capture.id,
        amount=positive(from_paypal(row["amount"])),
        is_success=is_success,
        is_pending=is_pending,
        is_fraud_suspected=is_declined and response_code in FRAUD,
        at=datetime.fromisoformat(text_at(row, "create_time")) if text_at(row, "create_time") else None,
        decline=decline_of(row) if is_declined else None,
        decline_code=(reason or text_at(row, "status")) if is_declined else "",
        method="paypal",
        cvc_check=check_of(CODE_CHECKS, text_at(processor, "cvv_code")),
        address_check=check_of(STREET_CHECKS, avs_code),
        postal_code_check=check_of(POSTAL_CODE_CHECKS, avs_code),
        liability=liability_of(row) if is_success else Liability.UNKNOWN,
        verdict=verdict_of(capture, response_code),
        network_decline_code=response_code if is_declined else "",
        advice_code=text_at(processor, "payment_advice_code"),
        provider_reason=reason,
    )


def check_of(codes: Mapping[Check, str], code: str) -> Check:
    return next((check for check, listed in codes.items() if code in listed.split()), Check.UNKNOWN)


def decline_of(capture: Mapping[str, Any]) -> DeclineGroup:
    """By the card processor's response; a lost or stolen card is a decline like any other."""
    code = text_at(mapping(capture.get("processor_response")), "response_code")
    return next((group for group, codes in RESPONSES.items() if code in codes.split()), DeclineGroup.DECLINED)


def verdict_of(capture: RemoteCapture, response_code: str) -> Verdict:
    """PayPal names a card processor's refusal by its response code, and gives no verdict of its own."""
    if capture.status == RemoteStatus.SUCCEEDED:
        return Verdict.AUTHORIZED
    if capture.status == RemoteStatus.PROCESSING:
        is_review = text_at(capture.row, "status_details", "reason") == "PENDING_REVIEW"
        return Verdict.MANUAL_REVIEW if is_review else Verdict.UNKNOWN
    return Verdict.ISSUER_DECLINED if response_code else Verdict.UNKNOWN


def liability_of(row: Mapping[str, Any]) -> Liability:
    """Whether PayPal's seller protection covers payments that their owner did not authorize."""
    protection = mapping(row.get("seller_protection"))
    if protection.get("status") == "NOT_ELIGIBLE":
        return Liability.NOT_SHIFTED
    covered = protection.get("dispute_categories")
    is_covered = isinstance(covered, list) and "UNAUTHORIZED_TRANSACTION" in covered
    return Liability.SHIFTED if is_covered else Liability.UNKNOWN


def status_of(order_status: object, captures: Sequence[RemoteCapture], parts: Parts) -> RemoteStatus:
    """Captures take precedence: an order whose only capture was declined is COMPLETED too.

    A declined capture of an order that is not completed is history: the buyer may have approved again since.
    """
    seen = {capture.status for capture in captures}
    for candidate in (RemoteStatus.SUCCEEDED, RemoteStatus.PROCESSING, RemoteStatus.UNKNOWN):
        if candidate in seen:
            return candidate
    if seen and order_status == "COMPLETED":
        return RemoteStatus.FAILED
    return parts.lookup("status", UNCAPTURED, order_status, RemoteStatus.UNKNOWN)


def action_of(order: dict[str, Any], status: RemoteStatus) -> Action | None:
    url = link_of(order, "payer-action", "approve") if status == RemoteStatus.OPEN else ""
    return Action(ActionKind.REDIRECT, url=url) if url else None


def payee_of(unit: Mapping[str, Any], *, like: str = "") -> str:
    wanted = ("email_address", "merchant_id") if "@" in like else ("merchant_id", "email_address")
    return text_at(unit, "payee", wanted[0]) or text_at(unit, "payee", wanted[1])


@readable
def parse_refund(refund: dict[str, Any]) -> RemoteRefund:
    """Errors: Unknown without an id or an amount."""
    return refund_in(refund, {}, Parts("refund"))


def refund_in(refund: dict[str, Any], unit: Mapping[str, Any], parts: Parts) -> RemoteRefund:
    """`unit`: the purchase unit; PayPal copies its custom_id to refunds made in the dashboard."""
    refund_id, reference = an_id(refund["id"]), text_at(refund, "custom_id")
    return RemoteRefund(
        refund_id=refund_id,
        amount=positive(from_paypal(refund["amount"])),
        status=parts.lookup(
            f"status of {refund_id}", REFUNDS, refund.get("status"), RemoteRefundStatus.UNKNOWN
        ),
        reference="" if reference == text_at(unit, "custom_id") else reference,
        reason=plain(dig(refund, "status_details", "reason")),
    )


def method_of(order: dict[str, Any]) -> RemoteMethod | None:
    """The wallet saved with this order; PayPal may report it only later, by webhook."""
    source = dig(order, "payment_source", "paypal")
    method_id = text_at(source, "attributes", "vault", "id")
    if not method_id:
        return None
    customer_id = text_at(source, "attributes", "vault", "customer", "id")
    return RemoteMethod(an_id(method_id), customer_id, "paypal", email=text_at(source, "email_address"))
