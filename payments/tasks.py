import logging

from celery import shared_task

from payments.services.closing import order_expire, orders_due_to_expire

logger = logging.getLogger(__name__)


@shared_task(name="payments.expire_orders")
def expire_orders_task() -> None:
    for order_id in orders_due_to_expire():
        try:
            order_expire(order_id=order_id)
        except Exception:  # one order that cannot be closed must not hold up the others
            logger.exception("order_expire_failed", extra={"order": str(order_id)})
