import logging

from celery import shared_task

from artisans.core.queue import one_at_a_time, run_each
from artisans.earnings.debts import debt_sync, debts_to_sync
from artisans.earnings.disputes import order_follow_disputes, orders_with_disputes
from artisans.earnings.holds import hold_expire, holds_due_to_end
from artisans.earnings.releases import order_release_earnings, orders_with_due_earnings

logger = logging.getLogger(__name__)

SECONDS = 120  # of the part of a run that grows with the number of orders; the next run continues


@shared_task(name="earnings.release")
@one_at_a_time
def release_task() -> None:
    """Periodic: holds whose time is over, due earnings, and then what is disputed of them and who owes the shop."""
    run_each(holds_due_to_end(), hold_expire, event="hold_expire_failed")
    run_each(
        orders_with_due_earnings(), order_release_earnings, event="earnings_release_failed", seconds=SECONDS
    )
    run_each(orders_with_disputes(), order_follow_disputes, event="dispute_hold_failed")
    run_each(debts_to_sync(), debt_sync, event="debt_follow_failed")


@shared_task(name="earnings.follow_disputes")
@one_at_a_time
def follow_disputes_task() -> None:
    """Periodic: hold back what is newly disputed, and end the holds of decided disputes."""
    run_each(orders_with_disputes(), order_follow_disputes, event="dispute_hold_failed")
