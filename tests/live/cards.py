"""Helpers for card payments: orders paid by card, the buyer at the provider, and skipped time."""

import time
from datetime import timedelta
from typing import Any

from django.core.cache.backends.redis import RedisCache
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from artisans.catalog.models import Product
from orders.models import Order
from payments.bookkeeping.payments import payment_move
from payments.bookkeeping.refunds import refund_enqueue
from payments.models import (
    CallState,
    EventState,
    Payment,
    PaymentRefund,
    ProviderCall,
    RefundOrigin,
    WebhookEvent,
)
from payments.selectors import payment_lock
from payments.statuses import PaymentStatus
from tests.invariants import check_invariants
from tests.live.runner import Answer, Caller, Sandbox, Shop, wait_for
from tests.live.users import order_body, order_in
from tests.provider_journal import check_provider_journal

INTENTS = "/v1/payment_intents"
CONFIRM = "/payments/confirm"


def card_order(buyer: Caller, product: Product, **more: Any) -> Payment:
    """An order whose card payment waits for the buyer."""
    order = order_in(buyer.post("/orders/", order_body((product, 1), method="credit_card", **more)))
    return Payment.objects.select_related("order").get(order=order)


def confirm_body(payment: Payment, card: str = "pm_card_visa") -> dict[str, str]:
    return {"payment_intent_id": str(payment.pk), "payment_method_id": card}


def confirm(buyer: Caller, payment: Payment) -> Answer:
    return buyer.post(CONFIRM, confirm_body(payment))


def pay(sandbox: Sandbox, payment: Payment, card: str = "pm_card_visa") -> Any:
    """The buyer enters the card at the provider."""
    return sandbox.post("stripe/pay", payment_intent=object_of(payment), payment_method=card)


def object_of(payment: Payment) -> str:
    return str(Payment.objects.values_list("provider_payment_id", flat=True).get(pk=payment.pk))


def now(payment: Payment) -> Payment:
    """As it is in the database now, with its order."""
    return Payment.objects.select_related("order").get(pk=payment.pk)


def status(payment: Payment) -> tuple[str, str, str]:
    """Of payment, order, and the order's money."""
    payment = now(payment)
    return payment.status, payment.order.status, payment.order.payment_status


PAID = ("COMPLETED", "CONFIRMED", "PAID")


def time_passes() -> None:
    """Expire the leases of crashed processes and make every scheduled retry due."""
    past = timezone.now() - timedelta(seconds=1)
    ProviderCall.objects.filter(state=CallState.OPEN).update(lease_until=None, next_try_at=past)
    Payment.objects.filter(next_check_at__isnull=False).update(next_check_at=past)
    WebhookEvent.objects.filter(state__in=[EventState.RECEIVED, EventState.WAITING]).update(
        lease_until=None, next_try_at=past
    )


def still_open() -> list[str]:
    """What is waiting for an answer, a worker or its due time. In this order: an event makes checks due and opens
    calls, and a check opens calls, also while these are read."""
    waiting = [EventState.RECEIVED, EventState.WAITING]
    calls = ProviderCall.objects.filter(state=CallState.OPEN)
    payments = Payment.objects.filter(Q(status=PaymentStatus.PROCESSING) | Q(next_check_at__lte=Now()))
    return [
        *(f"{event}: {event.note}" for event in WebhookEvent.objects.filter(state__in=waiting)),
        *(f"{payment.status}: {payment.provider_payment_id} {payment.next_check_at}" for payment in payments),
        *(f"{call}: {call.error or call.next_try_at}" for call in calls),
    ]


def reset_sandbox(sandbox: Sandbox) -> None:
    """Reset the provider; also delete its messages about objects of the previous test."""
    sandbox.delete("faults")
    sandbox.post("reset")
    time.sleep(0.2)  # a message may be on its way
    WebhookEvent.objects.all().delete()


def settle(sandbox: Sandbox) -> None:
    """Make everything due, and wait until it is settled without staff; afterwards both sides must agree."""
    time_passes()
    wait_settled(sandbox)


def wait_settled(sandbox: Sandbox) -> None:
    try:
        wait_for(lambda: not still_open())
    except AssertionError:
        raise AssertionError(f"this stays open: {still_open()}") from None
    check_provider_journal(sandbox)
    check_invariants()


def cache_of(shop: Shop) -> RedisCache:
    """The one that all processes of the shop share."""
    return RedisCache(shop.env["CACHE_URL"].replace("rediscache", "redis"), {})


def forget_outage(shop: Shop) -> None:
    """As if the half minute in which an unavailable provider is not called were over."""
    cache_of(shop).delete_many(["provider:stripe:down", "provider:stripe:outages"])


def refund_begin(payment: Payment, minor: int | None = None) -> PaymentRefund:
    """Like a staff refund: its amount is reserved and its call stored; the worker executes it."""
    with transaction.atomic():
        payment, _ = payment_lock(payment.pk)
        amount = payment.refundable if minor is None else type(payment.amount)(minor, payment.currency)
        refund = refund_enqueue(payment, amount, reason="broken", origin=RefundOrigin.STAFF)
        payment.save(update_fields=["refund_reserved_minor", "updated_at"])
    return refund


def forget(payment: Payment) -> None:
    """An impossible state: the payment is cancelled here, while the provider's object can still be paid."""
    with transaction.atomic():
        payment, _ = payment_lock(payment.pk)
        payment_move(payment, PaymentStatus.CANCELLED, cause="test: taken for cancelled")


def due_to_expire(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
