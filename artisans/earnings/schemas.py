"""Response schemas of artisans' money, for the API description."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from artisans.core.api.openapi import AmountShape, example
from artisans.earnings.releases import Block
from orders.schemas import PARCEL_ID
from payments.models import EarningStatus

EARNING = {
    "id": "5b0c6f0e-6a3c-4b1f-9d57-0a3f4f6f2c11",
    "parcel_id": PARCEL_ID,
    "order_number": "K7M2XQ4RT",
    "parcel_number": 1,
    "status": "pending",
    "currency": "USD",
    "net": "91.45",
    "returned": "0.00",
    "promised": "0.00",
    "payment_fee": "0.00",
    "release_at": "2026-12-12T09:00:00Z",
    "blocked_by": "",
    "released_at": None,
    "created_at": "2026-11-26T09:00:00Z",
}
BALANCE = {
    "currency": "USD",
    "pending": "91.45",
    "available": "250.00",
    "held": "0.00",
    "promised": "20.00",
    "payable": "230.00",
}


@example(BALANCE)
class BalanceShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    pending = AmountShape(help_text="Earned, and not released yet.")
    available = AmountShape(help_text="Released. Negative if the artisan owes the shop.")
    held = AmountShape(help_text="Held back, for example while a payment is disputed.")
    promised = AmountShape(help_text="What refunds in progress will take of released earnings.")
    payable = AmountShape(help_text="What can be paid out: available less promised, at least 0.")


@example({"next": None, "previous": None, "results": [BALANCE]})
@extend_schema_serializer(many=False)
class BalancePageShape(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = BalanceShape(many=True)


@example(EARNING)
class EarningShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    parcel_id = serializers.UUIDField()
    order_number = serializers.CharField()
    parcel_number = serializers.IntegerField()
    status = serializers.ChoiceField(EarningStatus.choices)
    currency = serializers.CharField()
    net = AmountShape(help_text="The parcel's total less the shop's commission and what the shop remits.")
    returned = AmountShape(help_text="What refunds took back of it.")
    promised = AmountShape(help_text="What refunds in progress will take of it.")
    payment_fee = AmountShape(
        help_text="The part of the payment provider's fee that the artisan bears, with the tax on it."
    )
    release_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When it will be released if nothing blocks it; null before the parcel is shipped, and once it was "
        "released.",
    )
    blocked_by = serializers.ChoiceField(
        Block.choices, allow_blank=True, help_text="What stops its release; empty if nothing does."
    )
    released_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField(help_text="When it was earned.")


@example(
    {
        "id": 1204,
        "at": "2026-11-26T09:00:00Z",
        "kind": "release",
        "text": "Released",
        "order_number": "K7M2XQ4RT",
        "parcel_number": 1,
        "currency": "USD",
        "amount": "91.45",
        "balance": "250.00",
    }
)
class LineShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.CharField(help_text="Stable. New kinds may be added.")
    text = serializers.CharField(help_text="The kind in words.")
    order_number = serializers.CharField(allow_null=True)
    parcel_number = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField()
    amount = AmountShape(help_text="Positive in the artisan's favour.")
    balance = AmountShape(help_text="The account's balance after it.")
