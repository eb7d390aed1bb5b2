"""The back office for payments: payments to approve, refunds due, and the pages that act on them."""

from payments.admin import (
    attempts,
    cash_deposits,
    ledger,
    movements,
    orders,
    payments,
    provider_requests,
    reconciliation,
    rows,
    transactions,
    webhook_refusals,
    webhooks,
)

__all__ = [
    "attempts",
    "cash_deposits",
    "ledger",
    "movements",
    "orders",
    "payments",
    "provider_requests",
    "reconciliation",
    "rows",
    "transactions",
    "webhook_refusals",
    "webhooks",
]
