from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready

from artisans.core.queue import each, run_after_commit
from payments.bookkeeping.provider_calls import calls_due
from payments.gateway.access import access_of, providers_alerted, providers_to_check
from payments.gateway.operations import call_carry_out
from payments.gateway.payments import payment_check, payments_due
from payments.lifecycle.cancel_and_expire import order_expire, orders_due_to_expire
from payments.lifecycle.reminders import payment_remind, reminders_due
from payments.lifecycle.saved_methods import setup_check, setups_due
from payments.reconciliation.runs import comparable, compare
from payments.webhooks import method_events  # noqa: F401  # takes the messages about saved methods
from payments.webhooks.inbox import webhook_process, webhooks_due


@shared_task(name="payments.expire_orders")
def expire_orders_task() -> None:
    each(
        orders_due_to_expire(), lambda order_id: order_expire(order_id=order_id), event="order_expire_failed"
    )


@shared_task(name="payments.carry_out")
def carry_out_task(call_id: str) -> None:
    call_carry_out(UUID(call_id))


@shared_task(name="payments.check")
def check_task(payment_id: str) -> None:
    payment_check(UUID(payment_id))


@shared_task(name="payments.webhook")
def webhook_task(event_id: str) -> None:
    webhook_process(UUID(event_id))


@shared_task(name="payments.sweep")
def sweep_task() -> None:
    """What nobody rang for: calls without an answer, messages, payments and savings whose provider is to be asked."""
    each(calls_due(), call_carry_out, event="provider_call_failed")
    each(webhooks_due(), webhook_process, event="webhook_failed")
    each(payments_due(), payment_check, event="payment_check_failed")
    each(setups_due(), setup_check, event="setup_check_failed")
    each(reminders_due(), payment_remind, event="payment_remind_failed")


@shared_task(name="payments.check_providers")
def check_providers_task() -> None:
    """What our keys may do there: tried when a worker starts, which waits for no answer."""
    each(providers_to_check(), access_of, event="access_check_failed")


@shared_task(name="payments.check_alerts")
def check_alerts_task() -> None:
    """Whether what was refused works again, so that an alert does not wait for the next buyer."""
    each(providers_alerted(), access_of, event="access_check_failed")


@worker_ready.connect
def check_at_start(**kwargs: object) -> None:
    run_after_commit("payments.check_providers")


@shared_task(name="payments.reconcile")
def reconcile_task() -> None:
    each(comparable(), compare, event="reconciliation_failed")
