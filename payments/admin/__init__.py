"""The back office for payments: payments to approve, refunds due, and the pages that act on them."""

from payments.admin import orders, payments, reconciliation, rows, webhooks

__all__ = ["orders", "payments", "reconciliation", "rows", "webhooks"]
