"""Payment reminders: one per order and kind of payment, while there is still time to pay."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from artisans.notifications.services import notifications_enqueue
from orders.mails import order_mail
from orders.selectors import store_rules
from orders.statuses import OrderStatus
from payments.lifecycle.instructions import instructions_for_mail
from payments.mails import PaymentMail
from payments.methods import OFFLINE_METHODS, PaymentMethod
from payments.models import Payment
from payments.selectors import payment_lock
from payments.statuses import PaymentStatus

AT_ONCE = tuple(method for method in PaymentMethod if method not in OFFLINE_METHODS)
IN_DAYS = (PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK)  # cash is due on delivery only
PATIENCE = timedelta(minutes=10)  # most buyers who pay at once have done so by then
WORTH_IT = timedelta(minutes=5)  # of the hold; with less time left the reminder comes too late
DAYS_BEFORE = timedelta(days=2)  # before the deadline shown to the buyer
FIRST_DAY = timedelta(days=1)  # a transfer that was made at once may still be in transit


def payments_to_remind_of() -> QuerySet[Payment]:
    """Open payments of open orders without a reminder: not completed at a provider, or soon due offline."""
    now = timezone.now()
    left = Q(
        payment_method__in=AT_ONCE,
        status__in=[PaymentStatus.PENDING, PaymentStatus.FAILED],
        created_at__lte=now - PATIENCE,
        order__expires_at__gt=now + WORTH_IT,
        order__received_minor=0,  # the email says that nothing was charged
    )
    soon_due = Q(
        payment_method__in=IN_DAYS,
        status=PaymentStatus.PENDING,
        created_at__lte=now - FIRST_DAY,
        order__pay_by__gt=now,
        order__pay_by__lte=now + DAYS_BEFORE,
    )
    return Payment.objects.filter(left | soon_due, reminded_at=None, order__status=OrderStatus.PENDING)


def reminders_due() -> list[UUID]:
    return list(payments_to_remind_of().order_by("created_at").values_list("pk", flat=True)[:100])


@transaction.atomic
def payment_remind(payment_id: UUID) -> None:
    """Send the reminder, unless the payment has changed in the meantime. Locks: order, payment."""
    payment, order = payment_lock(payment_id)
    if not payments_to_remind_of().filter(pk=payment_id).exists():
        return
    payment.reminded_at = timezone.now()
    payment.save(update_fields=["reminded_at", "updated_at"])
    store = store_rules()
    about: dict[str, Any]
    if payment.is_remote:
        kind = PaymentMail.PAYMENT_OPEN
        about = {"reason": payment.failure_reason, "keep_until": order.expires_at}
    else:
        kind = PaymentMail.PAYMENT_DUE
        about = {"instructions": instructions_for_mail(payment, order, store)}
    lines = list(order.lines.all())
    message = order_mail(kind, order, lines=lines, store=store, amount=order.balance_due, **about)
    notifications_enqueue(message)
