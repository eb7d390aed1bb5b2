"""The periodic tasks of payments, one after the other, as a worker with nothing else to do runs them."""

from payments.tasks import (
    check_due_payments_task,
    check_due_setups_task,
    execute_due_calls_task,
    expire_orders_at_providers_task,
    expire_orders_task,
    process_due_webhooks_task,
    send_reminders_task,
)


def process_due() -> None:
    """Everything that is due, except expiring orders."""
    execute_due_calls_task()
    process_due_webhooks_task()
    check_due_payments_task()
    check_due_setups_task()
    send_reminders_task()


def expire_orders() -> None:
    expire_orders_task()
    expire_orders_at_providers_task()
