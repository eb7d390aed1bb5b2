"""What changed our balance at PayPal: Transaction Search, which shows a movement up to three hours later."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from artisans.core.money import Money
from payments.providers.contract import MovementKind, RemoteBalance, RemoteMovement
from payments.providers.paypal.client import PayPalClient
from payments.providers.paypal.money import from_paypal
from payments.providers.paypal.reports import rows_between
from payments.providers.paypal.shapes import readable, text_at
from payments.providers.reading import an_id, plain

# Whole groups, and single codes of others: https://developer.paypal.com/docs/transaction-search/transaction-event-codes/
GROUPS: Final = {
    "T01": MovementKind.FEE,
    "T02": MovementKind.CONVERSION,
    "T03": MovementKind.WITHDRAWAL,  # from the bank
    "T04": MovementKind.WITHDRAWAL,
}
KINDS: Final = {
    "T0106": MovementKind.DISPUTE_FEE,
    "T1106": MovementKind.REVERSAL,
    "T1107": MovementKind.REFUND,
    "T1108": MovementKind.FEE,  # given back
    "T1109": MovementKind.FEE,
    "T1110": MovementKind.DISPUTE,
    "T1111": MovementKind.DISPUTE,
    "T1201": MovementKind.DISPUTE,
    "T1202": MovementKind.DISPUTE,
}
PAID_IN: Final = "T00"


def movements_between(client: PayPalClient, since: datetime, until: datetime) -> Iterator[RemoteMovement]:
    for rows in rows_between(client, since, until):
        yield from movements_in(rows)


@readable
def movements_in(rows: list[dict[str, Any]]) -> list[RemoteMovement]:
    """The two sides of a conversion refer to the transaction that it was made for, which is listed beside them."""
    captures = {row["transaction_id"]: reference_of(row) for row in rows}
    return [movement_of(row, captures) for row in rows]


def reference_of(row: dict[str, Any]) -> str:
    """The transaction that this one is about, "" if it is none."""
    is_transaction = text_at(row, "paypal_reference_id_type") == "TXN"
    return text_at(row, "paypal_reference_id") if is_transaction else ""


def movement_of(row: dict[str, Any], captures: Mapping[str, str]) -> RemoteMovement:
    """PayPal may use one id for two movements, such as a hold and its end, so the code is a part of ours. `captures`:
    what the listed transactions are about."""
    code = plain(row["transaction_event_code"])[:40]
    gross = from_paypal(row["transaction_amount"])
    charged = from_paypal(row["fee_amount"]) if row.get("fee_amount") else gross - gross
    fee = Money(-charged.minor, charged.currency)  # PayPal shows a fee as negative
    kind = kind_of(code, is_credit=gross.minor > 0)
    if kind in {MovementKind.FEE, MovementKind.DISPUTE_FEE}:
        gross, fee = gross - gross, fee - gross
    source_id = an_id(row["transaction_id"])
    movement_id, about = f"{source_id}:{code}", reference_of(row)
    if kind == MovementKind.CONVERSION:
        movement_id = f"{movement_id}:{gross.currency}"
        source_id, about = about, captures.get(about, "")
    return RemoteMovement(
        movement_id=movement_id,
        kind=kind,
        code=code,
        gross=gross,
        fee=fee,
        occurred_at=moment(row["transaction_initiation_date"]),
        source_id=source_id,
        capture_id=source_id if kind == MovementKind.PAYMENT else about,
    )


def kind_of(code: str, *, is_credit: bool) -> MovementKind:
    if code.startswith(PAID_IN) and is_credit:  # the same codes also stand for money that we sent
        return MovementKind.PAYMENT
    return KINDS.get(code) or GROUPS.get(code[:3], MovementKind.UNKNOWN)


def moment(text: str) -> datetime:
    """Errors: ValueError for a time without a zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found


def balance_of(client: PayPalClient) -> list[RemoteBalance]:
    """What is available: money that PayPal holds for a dispute has left it by a movement."""
    return balances_in(client.request("GET", "/v1/reporting/balances"))


@readable
def balances_in(answer: dict[str, Any]) -> list[RemoteBalance]:
    as_of = moment(answer["as_of_time"])
    rows = answer["balances"]
    return [
        RemoteBalance(from_paypal(row.get("available_balance") or row["total_balance"]), as_of)
        for row in rows
    ]
