from celery import shared_task

from payments.services.closing import order_expire, orders_due_to_expire


@shared_task(name="payments.expire_orders")
def expire_orders_task() -> None:
    for order_id in orders_due_to_expire():
        order_expire(order_id=order_id)
