from typing import Any

from django.conf import settings
from rest_framework import serializers

from artisans.core.api import IdField, PlainDecimalField, StrictSerializer, TextField, utc
from orders.models import Order, StoreRules
from orders.selectors import store_rules
from payments.methods import Provider
from payments.models import Payment
from payments.providers.base import Action, ActionKind
from payments.services.payments import payment_instructions
from payments.services.remote import Reached
from payments.statuses import OPEN, PaymentStatus


class ExpandIn(StrictSerializer):
    expand = serializers.ChoiceField(choices=["next_action"], required=False)


class ConfirmIn(StrictSerializer):
    """`payment_intent_id`: the provider's id or ours. `payment_method_id`: a saved one or the provider's token."""

    payment_intent_id = TextField(max_length=120)
    payment_method_id = TextField(max_length=120, required=False)


class IntentIn(StrictSerializer):
    order_id = IdField()
    payment_method = serializers.CharField(max_length=20)
    payment_provider = serializers.CharField(max_length=10, required=False)
    amount = PlainDecimalField(required=False)
    currency = serializers.CharField(max_length=3, required=False)
    customer_email = serializers.EmailField(required=False)


def next_action(
    payment: Payment, order: Order, store: StoreRules, action: Action | None = None
) -> dict[str, Any] | None:
    """What the client has to do now; None when there is nothing.

    `action`: what the provider wants of the buyer, where it was asked just now. Without it only the kind is told:
    secrets are kept nowhere, and `GET …?expand=next_action` reads them again.
    """
    if payment.is_remote:
        return remote_action(payment, action)
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


def remote_action(payment: Payment, action: Action | None) -> dict[str, Any] | None:
    if payment.status == PaymentStatus.PROCESSING:
        text = "Do not pay again. We are checking; ask for the payment in a moment."
        return {"type": "wait", "poll": f"/payments/{payment.pk}", "text": [text]}
    if payment.status not in OPEN:
        return None
    is_card = payment.payment_provider == Provider.STRIPE
    kind = action.kind if action else ActionKind.CONFIRM if is_card else ActionKind.REDIRECT
    told: dict[str, Any] = {"type": kind.value, "provider": payment.payment_provider}
    if kind == ActionKind.CONFIRM:
        told |= {"publishable_key": settings.STRIPE_PUBLISHABLE_KEY, "script": settings.STRIPE_JS_URL}
    if action is None:
        return told | {"expand": f"/payments/{payment.pk}?expand=next_action"}
    return told | ({"url": action.url} if action.url else {"client_secret": action.client_secret})


def payment_out(
    payment: Payment, order: Order, store: StoreRules, action: Action | None = None
) -> dict[str, Any]:
    secret = {"client_secret": action.client_secret} if action and action.client_secret else {}
    return secret | {
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
        "next_action": next_action(payment, order, store, action),
        "provider_payment_id": payment.provider_payment_id,
        "failure_reason": payment.failure_reason,
        "created_at": utc(payment.created_at),
        "processed_at": utc(payment.processed_at),
        "completed_at": utc(payment.completed_at),
    }


def reached_out(reached: Reached) -> dict[str, Any]:
    """A payment after its provider was asked."""
    payment = reached.payment
    return payment_out(payment, payment.order, store_rules(), reached.action)


class PaymentOut(serializers.BaseSerializer[Payment]):
    def to_representation(self, payment: Payment) -> dict[str, Any]:
        return payment_out(payment, payment.order, self.context["store"])
