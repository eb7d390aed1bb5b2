from uuid import UUID

from celery import shared_task
from django.db import transaction

from artisans.catalog.low_stock import artisans_with_falls, low_stock_take, watches_rearm
from artisans.core.queue import one_at_a_time, run_each
from artisans.notifications.services import notifications_enqueue
from artisans.workshop.mails import stock_low_mail
from artisans.workshop.states import workshop_close_due, workshops_to_close
from orders.selectors import store_rules


@shared_task(name="workshop.tell_low_stock")
@one_at_a_time
def tell_low_stock() -> None:
    """Periodic: one email to each artisan about all products that fell to their threshold since the last run."""
    watches_rearm()
    run_each(artisans_with_falls(), low_stock_notify, event="low_stock_failed", seconds=60)


@transaction.atomic
def low_stock_notify(artisan_id: UUID) -> None:
    """What counts as emailed is mailed in the same transaction."""
    artisan, products = low_stock_take(artisan_id)
    if products:
        notifications_enqueue(stock_low_mail(artisan, products, store_rules()))


@shared_task(name="workshop.close_workshops")
@one_at_a_time
def close_workshops() -> None:
    """Periodic: close the workshops that are closing and have no open parcel any more."""
    run_each(workshops_to_close(), workshop_close_due, event="workshop_close_failed", seconds=60)
