from celery import shared_task

from artisans.approvals.services import approvals_expire


@shared_task(name="approvals.expire")
def expire_task() -> None:
    approvals_expire()
