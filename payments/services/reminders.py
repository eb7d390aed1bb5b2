"""A mail to a buyer who left before paying: once per order, with the way back to it."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format

from artisans.core.templatetags.money import show
from artisans.notifications.services import notifications_queue
from orders.mails import order_mail
from orders.selectors import store_rules
from orders.statuses import OrderStatus
from payments.methods import BY_HAND
from payments.models import Payment
from payments.selectors import payment_lock
from payments.statuses import PaymentStatus

PATIENCE = timedelta(minutes=10)  # most people who pay at once have done so by then
WORTH_IT = timedelta(minutes=5)  # what has to be left of the hold, or the mail comes too late to help


def payments_left_open() -> QuerySet[Payment]:
    """At a provider and open for a while, nothing received, the things still set aside, the buyer not told."""
    now = timezone.now()
    return Payment.objects.filter(
        status__in=[PaymentStatus.PENDING, PaymentStatus.FAILED],
        created_at__lte=now - PATIENCE,
        order__status=OrderStatus.PENDING,
        order__received_minor=0,
        order__reminded_at=None,
        order__expires_at__gt=now + WORTH_IT,
    ).exclude(payment_method__in=BY_HAND)


def payments_to_remind_of() -> list[UUID]:
    return list(payments_left_open().order_by("created_at").values_list("pk", flat=True)[:100])


@transaction.atomic
def payment_remind(payment_id: UUID) -> None:
    """Write the mail, unless the payment came on meanwhile. Locks: order, payment."""
    payment, order = payment_lock(payment_id)
    if not payments_left_open().filter(pk=payment_id).exists() or order.expires_at is None:
        return
    order.reminded_at = timezone.now()
    order.save(update_fields=["reminded_at", "updated_at"])
    notifications_queue(
        order_mail(
            "payment_open",
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            amount=show(order.balance_due),
            reason=payment.failure_reason,
            keep_until=date_format(timezone.localtime(order.expires_at), "DATETIME_FORMAT"),
        )
    )
