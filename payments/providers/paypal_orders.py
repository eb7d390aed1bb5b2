"""Orders v2, without the calls: what is asked for, and what an order means to us.

One order has one purchase unit, for one payment of ours: `custom_id` is our payment's id, and `invoice_id` is unique
per payment, so that PayPal itself refuses to take the same payment's money by two orders.
"""

from typing import Any

from artisans.core.money import Money
from payments.providers.base import (
    Action,
    ActionKind,
    Breakdown,
    Capture,
    CreateRequest,
    DeclineGroup,
    Item,
    RefundRequest,
    RefundStatus,
    Refused,
    RemoteDispute,
    RemoteMethod,
    RemotePayment,
    RemoteRefund,
    RemoteStatus,
)
from payments.providers.paypal_errors import link_of
from payments.providers.paypal_money import from_paypal, to_paypal
from payments.providers.paypal_shapes import dig, readable, text_at

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
REFUNDS = {
    "COMPLETED": RefundStatus.SUCCEEDED,
    "PENDING": RefundStatus.PENDING,
    "FAILED": RefundStatus.FAILED,
    "CANCELLED": RefundStatus.FAILED,
}


# ---- asked -----------------------------------------------------------------------------------------------------


def order_request(ask: CreateRequest) -> dict[str, Any]:
    """The body of POST /v2/checkout/orders. Errors: Refused for an amount that PayPal cannot take."""
    amount: dict[str, Any] = dict(to_paypal(ask.amount))
    unit: dict[str, Any] = {
        "reference_id": ask.order_number,
        "description": f"Order {ask.order_number}",
        "custom_id": ask.payment_id,
        "invoice_id": f"{ask.order_number}-{ask.payment_id}",
        "amount": amount,
    }
    if ask.breakdown and adds_up(ask.breakdown, ask.amount):
        amount["breakdown"] = breakdown_of(ask.breakdown)
        unit["items"] = [item_of(item) for item in ask.breakdown.items]
    return {"intent": "CAPTURE", "purchase_units": [unit], "payment_source": {"paypal": wallet(ask)}}


def wallet(ask: CreateRequest) -> dict[str, Any]:
    """How the buyer pays. PayPal shows no address, because the parcels' address is ours to keep."""
    wish: dict[str, Any] = {
        "experience_context": {
            "return_url": ask.return_url,
            "cancel_url": ask.cancel_url,
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
        }
    }
    if ask.method_id:
        return wish | {"vault_id": ask.method_id}
    if ask.save:
        vault = {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT", "customer_type": "CONSUMER"}
        known = {"customer": {"id": ask.customer_id}} if ask.customer_id else {}
        wish["attributes"] = {"vault": vault, **known}
    return wish


def adds_up(parts: Breakdown, amount: Money) -> bool:
    """Whether PayPal would take this breakdown: to the cent, and in whole units of a currency without decimals."""
    shown = [parts.subtotal, parts.tax, parts.shipping, *(item.unit_price for item in parts.items)]
    try:
        [to_paypal(money) for money in shown]
        items = Money.total((item.unit_price * item.quantity for item in parts.items), amount.currency)
        return items == parts.subtotal and parts.subtotal + parts.tax + parts.shipping == amount
    except (Refused, ValueError):
        return False


def breakdown_of(parts: Breakdown) -> dict[str, Any]:
    return {
        "item_total": to_paypal(parts.subtotal),
        "tax_total": to_paypal(parts.tax),
        "shipping": to_paypal(parts.shipping),
    }


def item_of(item: Item) -> dict[str, Any]:
    return {
        "name": item.name[:NAME_LENGTH] or "–",
        "quantity": str(item.quantity),
        "unit_amount": to_paypal(item.unit_price),
    }


def refund_request(ask: RefundRequest) -> dict[str, Any]:
    """The body of POST /v2/payments/captures/{id}/refund. Errors: Refused, as above."""
    return {
        "amount": to_paypal(ask.amount),
        "custom_id": ask.refund_id,
        "invoice_id": ask.refund_number,
        "note_to_payer": f"Refund {ask.refund_number}",
    }


# ---- told ------------------------------------------------------------------------------------------------------


@readable
def payment_of(
    order: dict[str, Any], *, is_live: bool, payee: str = "", disputes: tuple[RemoteDispute, ...] = ()
) -> RemotePayment:
    """An order as we see it. `payee`: how our account is named, so that theirs is named the same way.

    Errors: Unknown when a field is missing or has a value that was never published.
    """
    (unit,) = order["purchase_units"]
    payments = unit.get("payments") or {}
    captures = payments.get("captures") or []
    status = status_of(order["status"], captures)
    refusal = captures[-1] if status == RemoteStatus.FAILED else {}
    method = method_of(order)
    return RemotePayment(
        object_id=order["id"],
        status=status,
        amount=from_paypal(unit["amount"]),
        reference=text_at(unit, "custom_id"),
        is_live=is_live,
        payee=payee_of(unit, like=payee),
        captures=tuple(
            Capture(capture["id"], from_paypal(capture["amount"]))
            for capture in captures
            if CAPTURES[capture["status"]] == RemoteStatus.SUCCEEDED
        ),
        refunds=tuple(refund_of(refund, not_ours=unit) for refund in payments.get("refunds") or ()),
        disputes=disputes,
        related_ids=tuple(capture["id"] for capture in captures),
        action=action_of(order, status),
        decline=DeclineGroup.DECLINED if refusal else None,
        decline_code=text_at(refusal, "status_details", "reason") or text_at(refusal, "status"),
        method=method,
        customer_id=method.customer_id if method else "",
    )


def status_of(order_status: str, captures: list[dict[str, Any]]) -> RemoteStatus:
    """Captures say more than the order does: COMPLETED is also said of an order whose only capture was declined.

    A declined capture of an order that is not completed is history: the buyer may have approved again since.
    """
    seen = {CAPTURES[capture["status"]] for capture in captures}
    for told in (RemoteStatus.SUCCEEDED, RemoteStatus.PROCESSING):
        if told in seen:
            return told
    if seen and order_status == "COMPLETED":
        return RemoteStatus.FAILED
    return UNCAPTURED[order_status]


def action_of(order: dict[str, Any], status: RemoteStatus) -> Action | None:
    url = link_of(order, "payer-action", "approve") if status == RemoteStatus.OPEN else ""
    return Action(ActionKind.REDIRECT, url=url) if url else None


def payee_of(unit: dict[str, Any], *, like: str = "") -> str:
    wanted = ("email_address", "merchant_id") if "@" in like else ("merchant_id", "email_address")
    return text_at(unit, "payee", wanted[0]) or text_at(unit, "payee", wanted[1])


@readable
def refund_of(refund: dict[str, Any], *, not_ours: dict[str, Any] | None = None) -> RemoteRefund:
    """`not_ours`: the purchase unit; PayPal hands its custom_id on to refunds that a person makes in the dashboard."""
    reference = text_at(refund, "custom_id")
    return RemoteRefund(
        refund_id=refund["id"],
        amount=from_paypal(refund["amount"]),
        status=REFUNDS[refund["status"]],
        reference="" if reference == text_at(not_ours, "custom_id") else reference,
        reason=text_at(refund, "status_details", "reason"),
    )


def method_of(order: dict[str, Any]) -> RemoteMethod | None:
    """The wallet that was saved with this order; PayPal may tell of it later only, by a webhook."""
    source = dig(order, "payment_source", "paypal")
    method_id = text_at(source, "attributes", "vault", "id")
    if not method_id:
        return None
    customer_id = text_at(source, "attributes", "vault", "customer", "id")
    return RemoteMethod(method_id, customer_id, "paypal", email=text_at(source, "email_address"))
