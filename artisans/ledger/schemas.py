"""Shapes of the ledger's answers, for the API description."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from artisans.core.api.openapi import AmountShape, example
from artisans.ledger.accounts import AccountKind

ACCOUNT = {"account": 2, "kind": "order", "artisan_id": None, "scope": "", "currency": "USD"}
PROVIDER = {"account": 1, "kind": "provider", "artisan_id": None, "scope": "cards", "currency": "USD"}


class AccountShape(serializers.Serializer[Any]):
    account = serializers.IntegerField(help_text="The account’s number.")
    kind = serializers.ChoiceField(AccountKind.choices)
    artisan_id = serializers.UUIDField(allow_null=True)
    scope = serializers.CharField(allow_blank=True, help_text="Which provider, bank account or holder.")
    currency = serializers.CharField()


@example(ACCOUNT | {"amount": "-64.00"})
class LedgerBalanceShape(AccountShape):
    amount = AmountShape(help_text="Positive for a debit balance, negative for a credit balance.")


class LedgerPostingShape(AccountShape):
    amount = AmountShape(help_text="Positive for a debit, negative for a credit.")


@example(
    {
        "id": "8d1c2b3a-4f5e-5061-8a7b-9c0d1e2f3a4b",
        "key": "capture:0a1b2c3d-4e5f-4061-8273-8495a6b7c8d9:0",
        "kind": "capture",
        "happened_at": "2026-11-26T09:00:00Z",
        "booked_on": "2026-11-26",
        "order_id": "2f6f1d3e-5a4b-4c7d-8e9f-0a1b2c3d4e5f",
        "reverses": None,
        "explanation": "Card provider captured $64.00; held for the order.",
        "postings": [PROVIDER | {"amount": "64.00"}, ACCOUNT | {"amount": "-64.00"}],
    }
)
class LedgerEntryShape(serializers.Serializer[Any]):
    """What one event booked. The amounts of its postings add up to zero in every currency."""

    id = serializers.UUIDField()
    key = serializers.CharField(help_text="Names the event; booked once.")
    kind = serializers.CharField(help_text="What happened; new kinds may be added.")
    happened_at = serializers.DateTimeField()
    booked_on = serializers.DateField(help_text="In an open month.")
    order_id = serializers.UUIDField(allow_null=True)
    reverses = serializers.UUIDField(allow_null=True, help_text="Id of the entry that it takes back.")
    explanation = serializers.CharField()
    postings = LedgerPostingShape(many=True)


class TrialBalanceRowShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(AccountKind.choices)
    scope = serializers.CharField(allow_blank=True)
    currency = serializers.CharField()
    accounts = serializers.IntegerField(help_text="How many accounts; those of all artisans are one row.")
    debit = AmountShape()
    credit = AmountShape()


class TrialBalanceTotalShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    debit = AmountShape()
    credit = AmountShape(help_text="The same as `debit`.")


@example(
    {
        "on": "2026-10-31",
        "rows": [
            {
                "kind": "provider",
                "scope": "cards",
                "currency": "USD",
                "accounts": 1,
                "debit": "64.00",
                "credit": "0.00",
            },
            {
                "kind": "order",
                "scope": "",
                "currency": "USD",
                "accounts": 1,
                "debit": "0.00",
                "credit": "64.00",
            },
        ],
        "totals": [{"currency": "USD", "debit": "64.00", "credit": "64.00"}],
    }
)
@extend_schema_serializer(many=False)
class TrialBalanceShape(serializers.Serializer[Any]):
    on = serializers.DateField()
    rows = TrialBalanceRowShape(many=True)
    totals = TrialBalanceTotalShape(many=True)
