"""The staff's desk for money: what waits for a decision, what is to be returned, and the pages that act."""

from payments.admin import orders, payments, reconciliation, rows, webhooks

__all__ = ["orders", "payments", "reconciliation", "rows", "webhooks"]
