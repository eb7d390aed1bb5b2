from typing import Any

from rest_framework import serializers

from artisans.core.api import IdField, PlainDecimalField, StrictSerializer, TextField, utc
from artisans.core.openapi import example
from orders.models import Order, StoreRules
from orders.schemas import ORDER_ID
from payments.models import Payment
from payments.schemas import MethodField, ProviderField
from payments.services.payments import payment_instructions


@example(
    {
        "order_id": ORDER_ID,
        "amount": "99.99",
        "currency": "USD",
        "payment_method": "bank_transfer",
        "payment_provider": "manual",
    }
)
class IntentIn(StrictSerializer):
    order_id = IdField()
    payment_method = MethodField()
    payment_provider = ProviderField(required=False)
    amount = PlainDecimalField(required=False)
    currency = TextField(max_length=3, required=False)
    customer_email = serializers.EmailField(required=False)


def next_action(payment: Payment, order: Order, store: StoreRules) -> dict[str, Any] | None:
    """What the client has to do now; None when there is nothing."""
    found = payment_instructions(payment, order, store)
    if found is None:
        return None
    kind = "pay_on_delivery" if found.kind == "cash_on_delivery" else "transfer_money"
    return {
        "type": kind,
        "amount": found.amount.amount,
        "currency": found.amount.currency,
        "reference": found.reference,
        "due": found.due.isoformat() if found.due else None,
        "details": [{"label": row.label, "value": row.value} for row in found.rows],
        "text": list(found.text),
    }


def payment_out(payment: Payment, order: Order, store: StoreRules) -> dict[str, Any]:
    return {
        "id": str(payment.pk),
        "payment_number": payment.payment_number,
        "order_id": str(payment.order_id),
        "amount": payment.amount.amount,
        "received_amount": payment.received.amount,
        "refunded_amount": payment.refunded.amount,
        "currency": payment.currency,
        "payment_method": payment.payment_method,
        "payment_provider": payment.payment_provider,
        "status": payment.status,
        "next_action": next_action(payment, order, store),
        "provider_payment_id": payment.provider_payment_id,
        "failure_reason": payment.failure_reason,
        "created_at": utc(payment.created_at),
        "processed_at": utc(payment.processed_at),
        "completed_at": utc(payment.completed_at),
    }


class PaymentOut(serializers.BaseSerializer[Payment]):
    def to_representation(self, payment: Payment) -> dict[str, Any]:
        return payment_out(payment, payment.order, self.context["store"])
