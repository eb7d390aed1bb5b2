"""Stripe's objects, as plain dicts, read into the words of the contract.

A field that is missing or that makes no sense is a KeyError, TypeError or ValueError: the answer is unreadable.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from artisans.core.money import Money
from payments.providers.base import (
    Action,
    ActionKind,
    Capture,
    DisputeStatus,
    RefundStatus,
    RemoteDispute,
    RemoteMethod,
    RemotePayment,
    RemoteRefund,
    RemoteSetup,
    RemoteStatus,
)
from payments.providers.stripe_declines import group_of
from payments.providers.stripe_money import from_stripe

Row = Mapping[str, Any]

INTENT_STATUS = {
    "requires_payment_method": RemoteStatus.OPEN,
    "requires_confirmation": RemoteStatus.OPEN,
    "requires_action": RemoteStatus.OPEN,
    "requires_capture": RemoteStatus.APPROVED,
    "processing": RemoteStatus.PROCESSING,
    "succeeded": RemoteStatus.SUCCEEDED,
    "canceled": RemoteStatus.CANCELLED,
}
REFUND_STATUS = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
DISPUTE_STATUS = {
    "warning_needs_response": DisputeStatus.OPEN,
    "warning_under_review": DisputeStatus.OPEN,
    "needs_response": DisputeStatus.OPEN,
    "under_review": DisputeStatus.OPEN,
    "appeal_needs_response": DisputeStatus.OPEN,
    "appeal_under_review": DisputeStatus.OPEN,
    "warning_closed": DisputeStatus.WON,  # an inquiry that ended: no money had moved
    "prevented": DisputeStatus.WON,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
WAITING = {RemoteStatus.OPEN, RemoteStatus.FAILED}


def id_of(value: object) -> str:
    """The id in a field that holds an id, the expanded object, or nothing."""
    if isinstance(value, Mapping):
        return str(value["id"])
    return str(value) if value else ""


def expect(row: Row, kind: str) -> None:
    if row["object"] != kind:
        raise ValueError(f"Not a {kind}.")


# ---- payments --------------------------------------------------------------------------------------------------


def payment_of(
    intent: Row,
    *,
    charges: Sequence[Row] | None = None,
    refunds: Iterable[Row] = (),
    disputes: Iterable[Row] = (),
) -> RemotePayment:
    """A PaymentIntent. `charges`: all of it; by default its latest one, as far as it is expanded.

    Errors: also ValueError when they do not account for the money that the intent received.
    """
    expect(intent, "payment_intent")
    charges = charges_in(intent) if charges is None else charges
    if captured_in(charges) != intent.get("amount_received", 0):
        raise ValueError("The charges are not the whole of what was received.")
    status = intent_status(intent)
    error = intent.get("last_payment_error") or {}
    code, decline_code = error.get("code") or "", error.get("decline_code") or ""
    return RemotePayment(
        object_id=intent["id"],
        status=status,
        amount=from_stripe(intent["amount"], intent["currency"]),
        reference=(intent.get("metadata") or {}).get("payment_id", ""),
        is_live=intent["livemode"],
        captures=tuple(capture_of(charge) for charge in charges if is_captured(charge)),
        refunds=tuple(refund_of(row) for row in refunds),
        disputes=tuple(dispute_of(row) for row in disputes),
        action=action_of(intent) if status in WAITING else None,
        decline=group_of(decline_code, code) if error else None,
        decline_code=decline_code or code,
        method=saved_in(intent, charges),
        customer_id=id_of(intent.get("customer")),
    )


def intent_status(intent: Row) -> RemoteStatus:
    if intent["status"] == "requires_payment_method" and intent.get("last_payment_error"):
        return RemoteStatus.FAILED
    return INTENT_STATUS[intent["status"]]


def action_of(intent: Row) -> Action | None:
    """For the server's own confirming Stripe tells an address; the script goes on with the secret alone."""
    secret = intent.get("client_secret") or ""
    step = intent.get("next_action") or {}
    if intent["status"] == "requires_action" and step.get("type") == "redirect_to_url":
        return Action(ActionKind.REDIRECT, url=step["redirect_to_url"]["url"], client_secret=secret)
    return Action(ActionKind.CONFIRM, client_secret=secret) if secret else None


def charges_in(intent: Row) -> list[Row]:
    latest = intent.get("latest_charge")
    return [latest] if isinstance(latest, Mapping) else []


def is_captured(charge: Row) -> bool:
    return bool(charge["status"] == "succeeded" and charge["captured"])


def captured_in(charges: Iterable[Row]) -> int:
    return sum(charge["amount_captured"] for charge in charges if is_captured(charge))


def capture_of(charge: Row) -> Capture:
    return Capture(charge["id"], from_stripe(charge["amount_captured"], charge["currency"]))


def saved_in(intent: Row, charges: Sequence[Row]) -> RemoteMethod | None:
    """The card that this payment saved for its customer."""
    customer = id_of(intent.get("customer"))
    paid = next((charge for charge in charges if is_captured(charge)), None)
    if not customer or not intent.get("setup_future_usage") or paid is None or not paid.get("payment_method"):
        return None
    details = paid["payment_method_details"]
    if details["type"] != "card":
        return None
    return card_of(paid["payment_method"], customer, details["card"])


def session_of(session: Row, intent: RemotePayment | None = None) -> RemotePayment:
    """A Checkout Session with the intent that it has since the buyer first tried to pay."""
    expect(session, "checkout.session")
    status = session_status(session, intent)
    return RemotePayment(
        object_id=session["id"],
        status=status,
        amount=session_amount(session),
        reference=session.get("client_reference_id") or (session.get("metadata") or {}).get("payment_id", ""),
        is_live=session["livemode"],
        captures=intent.captures if intent else (),
        refunds=intent.refunds if intent else (),
        disputes=intent.disputes if intent else (),
        related_ids=(intent.object_id,) if intent else (),
        action=Action(ActionKind.REDIRECT, url=session["url"]) if status in WAITING else None,
        decline=intent.decline if intent else None,
        decline_code=intent.decline_code if intent else "",
        method=intent.method if intent else None,
        customer_id=id_of(session.get("customer")),
    )


def session_amount(session: Row) -> Money:
    return from_stripe(session["amount_total"], session["currency"])


def session_status(session: Row, intent: RemotePayment | None) -> RemoteStatus:
    """Money speaks first; a session that is complete without it (its payment failed later) is at its end."""
    if intent and intent.status in {RemoteStatus.SUCCEEDED, RemoteStatus.PROCESSING}:
        return intent.status
    if session["status"] == "open":
        return RemoteStatus.FAILED if intent and intent.status == RemoteStatus.FAILED else RemoteStatus.OPEN
    if session["status"] in {"complete", "expired"}:
        return RemoteStatus.EXPIRED
    raise ValueError("A session has an unknown status.")


# ---- what follows a payment ---------------------------------------------------------------------------------------


def refund_of(row: Row) -> RemoteRefund:
    expect(row, "refund")
    return RemoteRefund(
        refund_id=row["id"],
        amount=from_stripe(row["amount"], row["currency"]),
        status=REFUND_STATUS[row["status"]],
        reference=(row.get("metadata") or {}).get("refund_id", ""),
        reason=row.get("failure_reason") or row.get("reason") or "",
    )


def dispute_of(row: Row) -> RemoteDispute:
    expect(row, "dispute")
    return RemoteDispute(
        dispute_id=row["id"],
        amount=from_stripe(row["amount"], row["currency"]),
        status=DISPUTE_STATUS[row["status"]],
        reason=row.get("reason") or "",
    )


# ---- saved cards -----------------------------------------------------------------------------------------------


def card_of(method_id: str, customer_id: str, card: Row) -> RemoteMethod:
    funding = card.get("funding")
    return RemoteMethod(
        method_id=method_id,
        customer_id=customer_id,
        kind="card",
        brand=card["brand"],
        last_four=card["last4"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
        funding=funding if funding in {"credit", "debit", "prepaid"} else "",
    )


def method_of(row: Row) -> RemoteMethod:
    """Errors: ValueError when it is no card."""
    expect(row, "payment_method")
    if row["type"] != "card":
        raise ValueError("Not a card.")
    return card_of(row["id"], id_of(row.get("customer")), row["card"])


def setup_of(row: Row) -> RemoteSetup:
    """A SetupIntent with its payment method expanded."""
    expect(row, "setup_intent")
    is_done = row["status"] == "succeeded"
    is_over = is_done or row["status"] == "canceled"
    return RemoteSetup(
        setup_id=row["id"],
        customer_id=id_of(row.get("customer")),
        is_done=is_done,
        action=None if is_over else action_of(row),
        method=method_of(row["payment_method"]) if is_done else None,
    )
