import logging
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready

from artisans.core.heartbeats import heartbeat_record
from artisans.core.queue import TaskOfMany, enqueue_after_commit, one_at_a_time, run_each
from artisans.core.retention import purge
from orders.retention import HELD_LINES
from payments.bookkeeping import cash_deposits  # noqa: F401  # registers what the ledger checks
from payments.bookkeeping.attempts import challenges_expire, decline_alarms_resolve
from payments.bookkeeping.deployment import (
    JUST_NOW,
    WITHIN,
    commission_rates_fill,
    earnings_fill,
    held_lines_fill,
    paid_at_fill,
    parcel_cash_fill,
    webhook_times_fill,
)
from payments.bookkeeping.ledger import (
    LedgerError,
    find_ledger_errors,
    ledger_fill,
    ledger_fill_sources,
    payments_with_recent_money,
)
from payments.bookkeeping.month_close import COMPARED
from payments.bookkeeping.provider_calls import provider_calls_due
from payments.gateway.access import check_provider_access, providers_alerted, providers_to_check
from payments.gateway.operations import provider_call_execute
from payments.gateway.payments import payment_check, payments_due
from payments.lifecycle.cancel_and_expire import order_expire, orders_due_to_expire
from payments.lifecycle.reminders import payment_remind, reminders_due
from payments.lifecycle.saved_methods import setup_check, setups_due
from payments.models import Payment
from payments.reconciliation.runs import reconcilable_providers, reconcile, reconcile_unregistered
from payments.webhooks.inbox import webhook_process, webhooks_due

logger = logging.getLogger(__name__)

LOGGED_ERRORS = 100  # of one check of the ledger
POLL_SECONDS = 20  # of one run of a periodic task that calls providers


@shared_task(name="payments.expire_orders")
@one_at_a_time
def expire_orders_task() -> None:
    """Periodic: overdue orders whose payment no provider has to cancel first; then 3-D Secure that was left, and the
    holds that have ended."""
    run_each(orders_due_to_expire(is_remote=False), order_expire_by_id, event="order_expire_failed")
    challenges_expire()
    purge(HELD_LINES)
    held_lines_fill(JUST_NOW)
    commission_rates_fill(JUST_NOW)
    parcel_cash_fill(JUST_NOW)


@shared_task(name="payments.expire_orders_at_providers")
@one_at_a_time
def expire_orders_at_providers_task() -> None:
    """Periodic: the others, which wait for their provider."""
    due = orders_due_to_expire(is_remote=True)
    run_each(due, order_expire_by_id, event="order_expire_failed", seconds=POLL_SECONDS)


def order_expire_by_id(order_id: UUID) -> bool:
    return order_expire(order_id=order_id)


@shared_task(name="payments.execute_call")
def execute_call_task(call_id: str) -> None:
    provider_call_execute(UUID(call_id))


@shared_task(name="payments.check_payment")
def check_payment_task(payment_id: str) -> None:
    payment_check(UUID(payment_id))


@shared_task(name="payments.process_webhook", base=TaskOfMany)
def process_webhook_task(*event_ids: str) -> None:
    """Those that are left when it takes long wait for the periodic task, so that no event ends at the task's limit."""
    run_each(map(UUID, event_ids), webhook_process, event="webhook_failed", seconds=POLL_SECONDS)


@shared_task(name="payments.execute_due_calls")
@one_at_a_time
def execute_due_calls_task() -> None:
    """Periodic: calls without a response."""
    run_each(provider_calls_due(), provider_call_execute, event="provider_call_failed", seconds=POLL_SECONDS)


@shared_task(name="payments.process_due_webhooks")
@one_at_a_time
def process_due_webhooks_task() -> None:
    """Periodic: events that are not processed yet."""
    run_each(webhooks_due(), webhook_process, event="webhook_failed", seconds=POLL_SECONDS)


@shared_task(name="payments.check_due_payments")
@one_at_a_time
def check_due_payments_task() -> None:
    """Periodic: payments that are due for a check at their provider."""
    run_each(payments_due(), payment_check, event="payment_check_failed", seconds=POLL_SECONDS)


@shared_task(name="payments.check_due_setups")
@one_at_a_time
def check_due_setups_task() -> None:
    """Periodic: setups of saved methods that are due for a check."""
    run_each(setups_due(), setup_check, event="setup_check_failed", seconds=POLL_SECONDS)


@shared_task(name="payments.send_reminders")
@one_at_a_time
def send_reminders_task() -> None:
    """Periodic: emails about open payments."""
    run_each(reminders_due(), payment_remind, event="payment_remind_failed")


@shared_task(name="payments.check_providers")
def check_providers_task() -> None:
    """Check the permissions of our credentials, without delaying the start of the worker."""
    run_each(providers_to_check(), check_provider_access, event="access_check_failed")


@shared_task(name="payments.check_alerts")
def check_alerts_task() -> None:
    """Check whether failing parts work again, so that an alert does not stay open until the next buyer."""
    decline_alarms_resolve()
    run_each(providers_alerted(), check_provider_access, event="access_check_failed")


@worker_ready.connect
def check_at_start(**kwargs: object) -> None:
    enqueue_after_commit("payments.check_providers")


@shared_task(name="payments.fill_ledger")
@one_at_a_time
def fill_ledger_task() -> None:
    """Periodic: what processes of the release before received while they were replaced."""
    ledger_fill(payments_with_recent_money())


@shared_task(name="payments.check_ledger", soft_time_limit=3600, time_limit=3900)
@one_at_a_time
def check_ledger_task() -> None:
    """Nightly, all payments; then books what is missing. A run that finds errors counts as failed.

    Nothing is checked while the earnings of an earlier release are still being booked.
    """
    if not earnings_fill():
        return
    count = None
    try:
        count = log_ledger_errors()
    finally:
        heartbeat_record(COMPARED, is_success=count == 0)
    ledger_fill(Payment.objects.all())
    ledger_fill_sources()
    if count:
        raise LedgerError(count)


def log_ledger_errors() -> int:
    count = 0
    for count, error in enumerate(find_ledger_errors(), start=1):
        if count <= LOGGED_ERRORS:
            logger.error("ledger_error", extra={"detail": error})
    return count


@shared_task(name="payments.reconcile", soft_time_limit=3600, time_limit=3900)
def reconcile_task() -> None:
    run_each(reconcilable_providers(), reconcile, event="reconciliation_failed")
    reconcile_unregistered()
    paid_at_fill()
    webhook_times_fill()
    held_lines_fill(WITHIN)
    commission_rates_fill(WITHIN)
    parcel_cash_fill(WITHIN)
