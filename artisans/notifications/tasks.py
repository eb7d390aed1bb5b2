from uuid import UUID

from celery import shared_task

from artisans.core.queue import TaskOfMany
from artisans.notifications.services import notifications_send, notifications_send_due


@shared_task(name="notifications.send", base=TaskOfMany)
def notification_send_task(*notification_ids: str) -> None:
    notifications_send([UUID(notification_id) for notification_id in notification_ids])


@shared_task(name="notifications.send_due")
def notifications_send_due_task() -> None:
    notifications_send_due()
