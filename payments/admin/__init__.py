"""The staff's desk for money: what waits for a decision, what is to be returned, and the pages that act."""

from payments.admin import comparisons, orders, payments, rows, webhooks

__all__ = ["comparisons", "orders", "payments", "rows", "webhooks"]
