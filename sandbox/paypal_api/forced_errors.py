"""Forced errors: the control API can make the next calls fail with any published business error."""

from sandbox.http_messages import Json
from sandbox.paypal_api.account import NAME, Account
from sandbox.paypal_api.errors import ISSUES, refused

TABLE = f"{NAME}.refusal"
CALLS = {"create", "capture", "refund", "setup_token", "payment_token"}


def add(account: Account, call: str, issue: str, count: int = 1) -> Json:
    """Make the next `count` calls of this kind fail. Raises LookupError for an unknown call or issue."""
    if call not in CALLS or issue not in ISSUES:
        raise LookupError(f"{call} {issue}")
    row = {"issue": issue, "count": count}
    account.store.save(TABLE, call, row)
    return row


def raise_if_forced(account: Account, call: str) -> None:
    row = account.store.table(TABLE).get(call)
    if row and row["count"] > 0:
        account.store.save(TABLE, call, row | {"count": row["count"] - 1})
        raise refused(row["issue"])
