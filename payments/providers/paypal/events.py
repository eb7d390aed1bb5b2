"""Parses verified events leniently: what to read, and what they report. An unexpected event still counts as news."""

from collections.abc import Mapping
from typing import Any

from artisans.core.money import Money
from payments.providers.contract import BadSignature, ProviderEvent, RemoteRefundStatus, RemoteStatus
from payments.providers.paypal.disputes import dispute_of
from payments.providers.paypal.errors import link_of
from payments.providers.paypal.money import from_paypal
from payments.providers.paypal.orders import REFUNDS, UNCAPTURED
from payments.providers.paypal.shapes import dig, text_at, time_at
from payments.providers.reading import LONGEST_ID, UNREADABLE, Parts

LONGEST = 255
CAPTURE_CLAIMS = {
    "PAYMENT.CAPTURE.COMPLETED": RemoteStatus.SUCCEEDED,
    "PAYMENT.CAPTURE.PENDING": RemoteStatus.PROCESSING,
    "PAYMENT.CAPTURE.DENIED": RemoteStatus.FAILED,
    "PAYMENT.CAPTURE.DECLINED": RemoteStatus.FAILED,
}
# Fields of the resource that are stored and shown to staff: no names, postal or email addresses.
KEPT_TEXTS = (
    "id",
    "order_id",
    "dispute_id",
    "status",
    "reason",
    "dispute_life_cycle_stage",
    "dispute_state",
    "custom_id",
    "invoice_id",
    "create_time",
    "update_time",
)
KEPT_AMOUNTS = ("amount", "dispute_amount")


def event_of(event: Mapping[str, Any], *, is_live: bool) -> ProviderEvent:
    """Errors: BadSignature for a signed event without id or type, which PayPal never sends."""
    event_id, kind = text_at(event, "id"), text_at(event, "event_type")
    if not event_id or not kind or len(event_id) > LONGEST_ID or len(kind) > LONGEST:
        raise BadSignature("not_an_event", "A message without id or type.")
    resource = dig(event, "resource")
    return ProviderEvent(
        event_id=event_id,
        kind=kind,
        is_live=is_live,
        created_at=time_at(event, "create_time"),
        payload=extract(event, resource),
        **claims(kind, text_at(event, "resource_type"), resource if isinstance(resource, dict) else {}),
    )


def claims(kind: str, resource_type: str, resource: dict[str, Any]) -> dict[str, Any]:
    """The fields of ProviderEvent that depend on the type of the event."""
    if kind.startswith("CHECKOUT."):
        return of_order(resource)
    if kind.startswith(("PAYMENT.CAPTURE.", "PAYMENT.REFUND.")):
        return of_refund(resource) if resource_type == "refund" else of_capture(kind, resource)
    if kind.startswith("CUSTOMER.DISPUTE."):
        return of_dispute(resource)
    if kind.startswith("VAULT.PAYMENT-TOKEN."):
        order_id = text_at(resource, "metadata", "order_id")
        return {"object_ids": ids(order_id), "method_id": text_at(resource, "id")}
    return {"object_ids": ()}


def of_order(order: dict[str, Any]) -> dict[str, Any]:
    unit = dig(order, "purchase_units", 0)
    return {
        "object_ids": ids(text_at(order, "order_id"), text_at(order, "id")),
        "account": text_at(unit, "payee", "merchant_id"),
        "amount": amount_at(unit, "amount"),
        "status": order_status(text_at(order, "status")),
    }


def order_status(value: str) -> RemoteStatus | None:
    """None for COMPLETED, whose meaning depends on the captures."""
    return None if value == "COMPLETED" else UNCAPTURED.get(value, RemoteStatus.UNKNOWN)


def of_capture(kind: str, capture: dict[str, Any]) -> dict[str, Any]:
    capture_id = text_at(capture, "id")
    order_id = text_at(capture, "supplementary_data", "related_ids", "order_id") or order_above(capture)
    return {
        "object_ids": ids(order_id, capture_id),
        "account": text_at(capture, "payee", "merchant_id"),
        "amount": amount_at(capture, "amount"),
        "status": CAPTURE_CLAIMS.get(kind),
        "capture_id": capture_id,
    }


def of_refund(refund: dict[str, Any]) -> dict[str, Any]:
    """A refund names its capture, but not the amount of the payment."""
    capture_id = last_part(link_of(refund, "up"), "/v2/payments/captures/")
    order_id = text_at(refund, "supplementary_data", "related_ids", "order_id")
    status: RemoteRefundStatus | None = REFUNDS.get(text_at(refund, "status"))
    return {
        "object_ids": ids(order_id, capture_id),
        "account": text_at(refund, "payer", "merchant_id"),
        "capture_id": capture_id,
        "refund_id": text_at(refund, "id"),
        "refund_status": status,
    }


def of_dispute(dispute: dict[str, Any]) -> dict[str, Any]:
    transactions = dig(dispute, "disputed_transactions")
    disputed = transactions if isinstance(transactions, list) else []
    captures = ids(*(text_at(each, "seller_transaction_id") for each in disputed))
    parsed = Parts("event").read("dispute", lambda: dispute_of(dispute), None)
    return {
        "object_ids": captures,
        "account": text_at(disputed, 0, "seller", "merchant_id"),
        "capture_id": captures[0] if len(captures) == 1 else "",
        "dispute_id": parsed.dispute_id if parsed else "",
        "dispute_status": parsed.status if parsed else None,
        "disputed": parsed.amount if parsed else None,
    }


def ids(*found: str) -> tuple[str, ...]:
    """Without empty values and duplicates, in order."""
    return tuple(dict.fromkeys(each for each in found if each and len(each) <= LONGEST_ID))


def order_above(capture: dict[str, Any]) -> str:
    return last_part(link_of(capture, "up"), "/v2/checkout/orders/")


def last_part(url: str, after: str) -> str:
    """The id at the end of a link to this resource type, "" for any other link."""
    _, found, object_id = url.partition(after)
    return object_id if found and "/" not in object_id else ""


def amount_at(value: Any, *path: str) -> Money | None:
    try:
        return from_paypal(dig(value, *path))
    except UNREADABLE:
        return None


def extract(event: Mapping[str, Any], resource: Any) -> dict[str, Any]:
    """The part of an event that is stored."""
    kept: dict[str, Any] = {name: text for name in KEPT_TEXTS if (text := text_at(resource, name)[:LONGEST])}
    for name in KEPT_AMOUNTS:
        amount = {part: text_at(resource, name, part)[:32] for part in ("currency_code", "value")}
        if all(amount.values()):
            kept[name] = amount
    named = {name: text_at(event, name)[:LONGEST] for name in ("event_type", "resource_type", "create_time")}
    return named | {"resource": kept}
