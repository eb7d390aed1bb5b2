"""What payments look like in answers, for the API's description."""

from typing import Any

from rest_framework import serializers

from artisans.core.api import TextField
from artisans.core.openapi import AmountShape, example
from orders.schemas import ORDER_ID
from payments.methods import PaymentMethod, Provider
from payments.statuses import PaymentStatus

PAYMENT_ID = "f0e1d2c3-b4a5-4968-8778-695a4b3c2d1e"
PAYMENT = {
    "id": PAYMENT_ID,
    "payment_number": "P4H8WZ2NC",
    "order_id": ORDER_ID,
    "amount": "99.99",
    "received_amount": "0.00",
    "refunded_amount": "0.00",
    "currency": "USD",
    "payment_method": "bank_transfer",
    "payment_provider": "manual",
    "status": "PENDING",
    "next_action": {
        "type": "transfer_money",
        "amount": "99.99",
        "currency": "USD",
        "reference": "K7M2XQ4RT",
        "due": "2026-12-03",
        "details": [{"label": "IBAN", "value": "DE02 1203 0000 0000 2020 51"}],
        "text": ["Transfers take 1 to 3 days."],
    },
    "provider_payment_id": "",
    "failure_reason": "",
    "created_at": "2026-11-26T09:00:00Z",
    "processed_at": None,
    "completed_at": None,
}


class DetailShape(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # a member of the answer
    value = serializers.CharField()


class NextActionShape(serializers.Serializer[Any]):
    """What the client does now. `type` says which of the members it has; new types may appear."""

    type = serializers.CharField()
    amount = AmountShape(required=False)
    currency = serializers.CharField(required=False)
    reference = serializers.CharField(required=False)
    due = serializers.CharField(required=False, allow_null=True)
    details = DetailShape(many=True, required=False)
    text = serializers.ListField(child=serializers.CharField(), required=False)


@example(PAYMENT)
class PaymentShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    payment_number = serializers.CharField()
    order_id = serializers.UUIDField()
    amount = AmountShape()
    received_amount = AmountShape()
    refunded_amount = AmountShape(help_text="Completed refunds only.")
    currency = serializers.CharField()
    payment_method = serializers.ChoiceField(PaymentMethod.choices)
    payment_provider = serializers.ChoiceField(Provider.choices)
    status = serializers.ChoiceField(PaymentStatus.choices)
    next_action = NextActionShape(allow_null=True)
    provider_payment_id = serializers.CharField(allow_blank=True, allow_null=True)
    failure_reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    processed_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


class WordField(serializers.ChoiceField):
    """Described by its choices, but any word passes: whether it is offered is said with the order in hand."""

    def to_internal_value(self, data: Any) -> str:
        word: str = TextField(max_length=20).run_validation(data)
        return word


class MethodField(WordField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=PaymentMethod.choices, **kwargs)


class ProviderField(WordField):
    """Left out, it is the one of the method."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=Provider.choices, **kwargs)
