"""Transaction Search v1: our orders in which money moved in a period.

A row describes one movement. Incoming money names the order if PayPal knows it (reference type ODR), and our
payment's id in any case. Outgoing money (refunds, reversals, chargebacks) names only its capture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from payments.providers.contract import Capture, RemotePayment, RemoteStatus
from payments.providers.paypal.client import PayPalClient
from payments.providers.paypal.money import from_paypal
from payments.providers.paypal.shapes import pages_of, readable, text_at, written

LONGEST_RANGE = timedelta(days=31)
PAGE_SIZE = 500
PAID_IN = "T00"
UNDONE = ("T11", "T12")
STATUSES = {
    "S": RemoteStatus.SUCCEEDED,
    "V": RemoteStatus.SUCCEEDED,  # captured, and returned later
    "P": RemoteStatus.PROCESSING,
    "D": RemoteStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class Movement:
    """A row: a payment as far as the report shows it, or the id of a capture from which money was returned."""

    payment: RemotePayment | None = None
    undone: str = ""


def movements(client: PayPalClient, since: datetime, until: datetime, *, is_live: bool) -> Iterator[Movement]:
    for rows in rows_between(client, since, until):
        yield from movements_in(rows, is_live=is_live)


def rows_between(client: PayPalClient, since: datetime, until: datetime) -> Iterator[list[dict[str, Any]]]:
    """The transactions of each page, without what PayPal knows of buyers. Errors: Refused, Unknown."""
    for start, end in ranges(since, until):
        params = {"start_date": start, "end_date": end, "fields": "transaction_info", "page_size": PAGE_SIZE}
        page, pages = 1, 1
        while page <= pages:
            report = client.request("GET", f"/v1/reporting/transactions?{urlencode(params | {'page': page})}")
            yield rows_in(report)
            page, pages = page + 1, pages_of(report)


def ranges(since: datetime, until: datetime) -> Iterator[tuple[str, str]]:
    """The period in the intervals that PayPal accepts, in PayPal's time format."""
    while since < until:
        end = min(since + LONGEST_RANGE, until)
        yield written(since), written(end)
        since = end


@readable
def rows_in(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [detail["transaction_info"] for detail in report.get("transaction_details") or ()]


@readable
def movements_in(rows: list[dict[str, Any]], *, is_live: bool) -> list[Movement]:
    return [movement for row in rows if (movement := movement_of(row, is_live=is_live))]


def movement_of(row: dict[str, Any], *, is_live: bool) -> Movement | None:
    code = row["transaction_event_code"]
    if code.startswith(UNDONE):
        names_capture = text_at(row, "paypal_reference_id_type") == "TXN"
        return Movement(undone=row["paypal_reference_id"]) if names_capture else None
    if code.startswith(PAID_IN) and text_at(row, "custom_field"):
        return Movement(payment=payment_of(row, is_live=is_live))
    return None


def payment_of(row: dict[str, Any], *, is_live: bool) -> RemotePayment:
    amount, status = from_paypal(row["transaction_amount"]), STATUSES[row["transaction_status"]]
    names_order = text_at(row, "paypal_reference_id_type") == "ODR"
    return RemotePayment(
        object_id=row["paypal_reference_id"] if names_order else row["transaction_id"],
        status=status,
        amount=amount,
        reference=row["custom_field"],
        is_live=is_live,
        captures=(Capture(row["transaction_id"], amount),) if status == RemoteStatus.SUCCEEDED else (),
        related_ids=(row["transaction_id"],),
    )
