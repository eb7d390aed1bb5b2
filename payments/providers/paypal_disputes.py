"""Disputes v1: the disputes of a capture, and what they mean to us."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from payments.providers.base import DisputeStatus, Refused, RemoteDispute
from payments.providers.paypal_client import PayPalClient
from payments.providers.paypal_money import from_paypal
from payments.providers.paypal_shapes import dig, path_id, readable, text_at

RESOLVED = "RESOLVED"
LOST = frozenset({"RESOLVED_BUYER_FAVOUR", "ACCEPTED"})
PAGE_SIZE = 50


def disputes_of(client: PayPalClient, capture_id: str) -> Iterator[RemoteDispute]:
    """None when this app may not see disputes. The list does not tell how a dispute ended, so ended ones are read."""
    query = urlencode({"disputed_transaction_id": capture_id, "page_size": PAGE_SIZE})
    try:
        found = client.request("GET", f"/v1/customer/disputes?{query}")
    except Refused:
        return
    for summary in dig(found, "items") or ():
        if text_at(summary, "status") == RESOLVED:
            dispute_id = path_id(text_at(summary, "dispute_id"))
            yield dispute_of(client.request("GET", f"/v1/customer/disputes/{dispute_id}"))
        else:
            yield dispute_of(summary)


def dispute_status(dispute: dict[str, Any]) -> DisputeStatus:
    """The seller loses what the buyer wins or the seller gives; a payout by PayPal itself costs us nothing."""
    if text_at(dispute, "status") != RESOLVED:
        return DisputeStatus.OPEN
    is_lost = text_at(dispute, "dispute_outcome", "outcome_code") in LOST
    return DisputeStatus.LOST if is_lost else DisputeStatus.WON


@readable
def dispute_of(dispute: dict[str, Any]) -> RemoteDispute:
    """Of a lost dispute the amount that went back, which may be less than what was disputed."""
    status = dispute_status(dispute)
    given_back = dig(dispute, "dispute_outcome", "amount_refunded") if status == DisputeStatus.LOST else None
    return RemoteDispute(
        dispute_id=dispute["dispute_id"],
        amount=from_paypal(given_back or dispute["dispute_amount"]),
        status=status,
        reason=text_at(dispute, "reason"),
    )
