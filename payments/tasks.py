from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready

from artisans.core.queue import enqueue_after_commit, run_each
from payments.bookkeeping.provider_calls import provider_calls_due
from payments.gateway.access import check_provider_access, providers_alerted, providers_to_check
from payments.gateway.operations import provider_call_execute
from payments.gateway.payments import payment_check, payments_due
from payments.lifecycle.cancel_and_expire import order_expire, orders_due_to_expire
from payments.lifecycle.reminders import payment_remind, reminders_due
from payments.lifecycle.saved_methods import setup_check, setups_due
from payments.reconciliation.runs import reconcilable_providers, reconcile, reconcile_unregistered
from payments.webhooks.inbox import webhook_process, webhooks_due


@shared_task(name="payments.expire_orders")
def expire_orders_task() -> None:
    run_each(
        orders_due_to_expire(), lambda order_id: order_expire(order_id=order_id), event="order_expire_failed"
    )


@shared_task(name="payments.execute_call")
def execute_call_task(call_id: str) -> None:
    provider_call_execute(UUID(call_id))


@shared_task(name="payments.check_payment")
def check_payment_task(payment_id: str) -> None:
    payment_check(UUID(payment_id))


@shared_task(name="payments.process_webhook")
def process_webhook_task(event_id: str) -> None:
    webhook_process(UUID(event_id))


@shared_task(name="payments.process_due")
def process_due_task() -> None:
    """Periodic: calls without a response, events, payments and setups that are due for a check."""
    run_each(provider_calls_due(), provider_call_execute, event="provider_call_failed")
    run_each(webhooks_due(), webhook_process, event="webhook_failed")
    run_each(payments_due(), payment_check, event="payment_check_failed")
    run_each(setups_due(), setup_check, event="setup_check_failed")
    run_each(reminders_due(), payment_remind, event="payment_remind_failed")


@shared_task(name="payments.check_providers")
def check_providers_task() -> None:
    """Check the permissions of our credentials, without delaying the start of the worker."""
    run_each(providers_to_check(), check_provider_access, event="access_check_failed")


@shared_task(name="payments.check_alerts")
def check_alerts_task() -> None:
    """Check whether failing parts work again, so that an alert does not stay open until the next buyer."""
    run_each(providers_alerted(), check_provider_access, event="access_check_failed")


@worker_ready.connect
def check_at_start(**kwargs: object) -> None:
    enqueue_after_commit("payments.check_providers")


@shared_task(name="payments.reconcile")
def reconcile_task() -> None:
    run_each(reconcilable_providers(), reconcile, event="reconciliation_failed")
    reconcile_unregistered()
