"""Compare the provider's journal with our books: every capture and refund is booked exactly once."""

from collections import Counter
from typing import Any

from payments.models import CallState, Capture, PaymentRefund, ProviderCall
from payments.statuses import RefundStatus
from sandbox.tests.client import Control

ONCE = ("intent.created", "session.created", "charge.captured", "refund.created")


def check_provider_journal(sandbox: Control) -> None:
    """Fail with the first thing that Stripe's side of the sandbox and our rows tell differently. Reads only."""
    rows = [row for row in sandbox.get("journal")["rows"] if row["provider"] == "stripe"]
    check_captures(rows)
    check_refunds(rows)
    check_keys(rows)


def check_captures(rows: list[dict[str, Any]]) -> None:
    """Every capture is booked with its payment and its amount, and nothing else is."""
    happened = sorted(
        (row["metadata"]["payment_id"], row["id"], row["amount"])
        for row in rows
        if row["effect"] == "charge.captured"
    )
    booked = sorted(
        (str(capture.payment_id), capture.provider_capture_id, capture.amount_minor)
        for capture in Capture.objects.filter(provider="stripe")
    )
    assert booked == happened, (
        f"{set(booked) - set(happened)} did not happen, {set(happened) - set(booked)} not booked"
    )


def check_refunds(rows: list[dict[str, Any]]) -> None:
    gone = {row["id"]: row["amount"] for row in rows if row["effect"] == "refund.succeeded"}
    for row in rows:
        if row["effect"] == "refund.reversed":
            del gone[row["id"]]
    completed = PaymentRefund.objects.filter(
        status=RefundStatus.COMPLETED, payment__payment_provider="stripe"
    )
    assert dict(completed.values_list("provider_refund_id", "amount_minor")) == gone


def check_keys(rows: list[dict[str, Any]]) -> None:
    """Every effect happened once, with the key of a stored and finished call."""
    done = Counter(
        (row["effect"], row["idempotency_key"])
        for row in rows
        if row["effect"] in ONCE and row["idempotency_key"]
    )
    assert set(done.values()) <= {1}, done
    calls = {call.key: call for call in ProviderCall.objects.all()}
    open_calls = [
        f"{effect} {key}: {calls[key].__dict__ if key in calls else 'no call'}"
        for effect, key in done
        if key not in calls or calls[key].state == CallState.OPEN
    ]
    assert not open_calls, "\n".join(open_calls)


def keys_sent(sandbox: Control, path: str) -> list[str]:
    """The idempotency keys of all requests that changed something at this path, in their order."""
    return [
        row["idempotency_key"]
        for row in sandbox.get("requests")["rows"]
        if row["method"] == "POST" and row["path"] == path
    ]
