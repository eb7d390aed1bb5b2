"""Disputes v1: a capture's disputes, and their effect on us."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from payments.providers.contract import Refused, RemoteDispute, RemoteDisputeStatus, Unknown
from payments.providers.paypal.client import PayPalClient
from payments.providers.paypal.errors import link_of
from payments.providers.paypal.money import from_paypal
from payments.providers.paypal.shapes import MOST_PAGES, dig, path_id, text_at, written
from payments.providers.reading import Parts, an_id, plain, positive

RESOLVED = "RESOLVED"
STATUSES = {
    "OPEN": RemoteDisputeStatus.OPEN,
    "WAITING_FOR_BUYER_RESPONSE": RemoteDisputeStatus.OPEN,
    "WAITING_FOR_SELLER_RESPONSE": RemoteDisputeStatus.OPEN,
    "UNDER_REVIEW": RemoteDisputeStatus.OPEN,
    "OTHER": RemoteDisputeStatus.OPEN,
}
# We lose what the buyer wins or the seller concedes; a payout by PayPal itself costs us nothing.
OUTCOMES = {
    "RESOLVED_BUYER_FAVOUR": RemoteDisputeStatus.LOST,
    "ACCEPTED": RemoteDisputeStatus.LOST,
    "RESOLVED_SELLER_FAVOUR": RemoteDisputeStatus.WON,
    "RESOLVED_WITH_PAYOUT": RemoteDisputeStatus.WON,
    "CANCELED_BY_BUYER": RemoteDisputeStatus.WON,
    "DENIED": RemoteDisputeStatus.WON,
    "NONE": RemoteDisputeStatus.WON,
}
PAGE_SIZE = 50


def disputes_of(client: PayPalClient, capture_id: str, parts: Parts) -> tuple[RemoteDispute, ...]:
    """The disputes of a capture that can be parsed. The list does not show outcomes, so closed ones are read.

    Errors: Refused, Unknown if the list cannot be fetched.
    """
    query = urlencode({"disputed_transaction_id": capture_id, "page_size": PAGE_SIZE})
    found = client.request("GET", f"/v1/customer/disputes?{query}")
    return parts.each("disputes", found.get("items"), lambda summary: whole(client, summary, parts))


def captures_disputed(client: PayPalClient, since: datetime, until: datetime) -> Iterator[str]:
    """The captures whose disputes changed in this period, by the disputes' own timestamps. Errors: Refused, Unknown."""
    times = {"update_time_after": written(since), "update_time_before": written(until)}
    path: str = f"/v1/customer/disputes?{urlencode(times | {'page_size': PAGE_SIZE})}"
    for _ in range(MOST_PAGES):
        found = client.request("GET", path)
        for summary in dig(found, "items") or ():
            dispute_id = path_id(text_at(summary, "dispute_id"))
            dispute = client.request("GET", f"/v1/customer/disputes/{dispute_id}")
            for transaction in dig(dispute, "disputed_transactions") or ():
                yield text_at(transaction, "seller_transaction_id")
        _, is_more, query = link_of(found, "next").partition("?")
        if not is_more:
            return
        path = f"/v1/customer/disputes?{query}"


def whole(client: PayPalClient, summary: dict[str, Any], parts: Parts) -> RemoteDispute:
    dispute_id = an_id(summary["dispute_id"])
    if text_at(summary, "status") in STATUSES:
        return dispute_of(summary, parts)
    try:
        dispute = client.request("GET", f"/v1/customer/disputes/{path_id(dispute_id)}")
    except (Refused, Unknown) as error:
        parts.note(f"dispute {dispute_id}", str(error))
        parts.unread = str(error)
        dispute = summary
    return dispute_of(dispute, parts)


def dispute_status(dispute: dict[str, Any], parts: Parts | None = None) -> RemoteDisputeStatus:
    parts = parts or Parts("dispute")
    if text_at(dispute, "status") == RESOLVED:
        outcome = text_at(dispute, "dispute_outcome", "outcome_code")
        return parts.lookup("outcome", OUTCOMES, outcome, RemoteDisputeStatus.UNKNOWN)
    return parts.lookup("status", STATUSES, text_at(dispute, "status"), RemoteDisputeStatus.UNKNOWN)


def dispute_of(dispute: dict[str, Any], parts: Parts | None = None) -> RemoteDispute:
    """Parse a dispute. A lost one has the amount refunded, which may be less than disputed; if nothing was refunded,
    it is won. Errors: KeyError, TypeError or ValueError without an id."""
    dispute_id = an_id(dispute["dispute_id"])
    parts = parts or Parts(dispute_id)
    status = dispute_status(dispute, parts)
    amount = parts.read(
        f"amount of {dispute_id}", lambda: positive(from_paypal(dispute["dispute_amount"])), None
    )
    if status == RemoteDisputeStatus.LOST and dig(dispute, "dispute_outcome", "amount_refunded") is not None:
        back = parts.read(
            f"amount of {dispute_id}",
            lambda: from_paypal(dispute["dispute_outcome"]["amount_refunded"]),
            None,
        )
        if back is not None and back.minor == 0:
            status = RemoteDisputeStatus.WON
        else:
            amount = back
    return RemoteDispute(dispute_id, amount, status, reason=plain(dig(dispute, "reason")))
