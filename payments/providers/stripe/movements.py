"""What changed our balance at Stripe: balance transactions. They exist a moment after the charge."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from artisans.core.money import Money
from payments.providers.contract import MovementKind, RemoteBalance, RemoteMovement
from payments.providers.reading import an_id, mapping, plain
from payments.providers.stripe.link import StripeLink, row_of
from payments.providers.stripe.money import from_stripe
from payments.providers.stripe.objects import Row, id_of

# https://docs.stripe.com/reports/reporting-categories; the others are none of a card shop's, or have to be explained
KINDS: Final = {
    "charge": MovementKind.PAYMENT,
    "refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND_FAILED,
    "dispute": MovementKind.DISPUTE,
    "dispute_reversal": MovementKind.DISPUTE,
    "fee": MovementKind.FEE,
    "network_cost": MovementKind.FEE,
    "tax": MovementKind.FEE,
    "payout": MovementKind.WITHDRAWAL,
    "payout_reversal": MovementKind.WITHDRAWAL,
}
MONEY: Final = {
    MovementKind.PAYMENT,
    MovementKind.REFUND,
    MovementKind.REFUND_FAILED,
    MovementKind.DISPUTE,
}
PAGE = 100


def movements_between(link: StripeLink, since: datetime, until: datetime) -> Iterator[RemoteMovement]:
    created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
    params: Any = {"created": created, "limit": PAGE, "expand": ["data.source"]}
    for page in link.pages(lambda api: api.v1.balance_transactions.list(params)):
        yield from link.understand(lambda page=page: [movement_of(row) for row in page])  # type: ignore[misc]


def movement_of(row: Row) -> RemoteMovement:
    """Errors: KeyError, TypeError, ValueError."""
    code, currency = plain(row["reporting_category"])[:40], row["currency"]
    kind = KINDS.get(code, MovementKind.UNKNOWN)
    gross, fee = from_stripe(row["amount"], currency), from_stripe(row["fee"], currency)
    if gross - fee != from_stripe(row["net"], currency):
        raise ValueError(f"{row['amount']} less {row['fee']} is not {row['net']}")
    if kind == MovementKind.FEE:
        gross, fee = gross - gross, fee - gross
    source_id = id_of(row.get("source"))
    about = source_id if kind == MovementKind.PAYMENT else id_of(mapping(row.get("source")).get("charge"))
    return RemoteMovement(
        movement_id=an_id(row["id"]),
        kind=kind,
        code=code,
        gross=gross,
        fee=fee,
        occurred_at=datetime.fromtimestamp(row["created"], UTC),
        source_id=source_id,
        capture_id=about,
        available_on=datetime.fromtimestamp(row["available_on"], UTC),
        charged=charged_of(row, gross) if kind in MONEY else None,
    )


def charged_of(row: Row, gross: Money) -> Money | None:
    """What Stripe converted to `gross`: the amount of the charge, refund or dispute in its own currency."""
    source = mapping(row.get("source"))
    currency = source.get("currency", row["currency"])
    if currency == row["currency"]:
        return None
    charged = from_stripe(source.get("amount_captured", source["amount"]), currency)
    return charged if gross.minor > 0 else charged * -1


def balance_of(link: StripeLink) -> list[RemoteBalance]:
    """What is available and what is pending are parts of it."""
    now = datetime.now(UTC)
    row = link.execute(lambda api: row_of(api.v1.balance.retrieve()))
    return link.understand(lambda: balances_in(row, now))


def balances_in(row: Row, now: datetime) -> list[RemoteBalance]:
    sums: dict[str, RemoteBalance] = {}
    for part in (*row["available"], *row["pending"]):
        amount = from_stripe(part["amount"], part["currency"])
        if known := sums.get(amount.currency):
            amount += known.amount
        sums[amount.currency] = RemoteBalance(amount, now)
    return list(sums.values())
