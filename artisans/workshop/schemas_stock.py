"""Bodies and response schemas of an artisan's stock."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from artisans.catalog.models import CountCause, CountOutcome, StockMoveKind
from artisans.catalog.schemas import PRODUCT_ID
from artisans.catalog.services import MAX_COUNTED
from artisans.core.api.fields import IdField, StrictIntegerField, StrictLineField, StrictSerializer
from artisans.core.api.openapi import example
from artisans.workshop.stock_table import MOST_ROWS

MAX_KEY = 10**18  # above every number of a move
STOCK = {
    "id": PRODUCT_ID,
    "name": "Moss bowl",
    "sku": "BOWL-M",
    "stock": 4,
    "last_count": 0,
}
MOVE = {
    "id": 311,
    "at": "2026-11-26T09:00:00Z",
    "kind": "adjust",
    "cause": "made",
    "reason": "second firing",
    "who": "You",
    "quantity": 3,
    "stock": 7,
}
COUNT = {"counted": 7, "seen_stock": 4, "last_count": 0}


@example(STOCK)
class StockShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    sku = serializers.CharField(allow_blank=True)
    stock = serializers.IntegerField(help_text="What can be bought now.")
    last_count = serializers.IntegerField(help_text="Number of the last count; 0 before the first.")


@example(MOVE)
class StockMoveShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=StockMoveKind.choices)
    cause = serializers.ChoiceField(choices=CountCause.choices, allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    who = serializers.CharField(allow_blank=True, help_text="Who counted; empty for orders.")
    quantity = serializers.IntegerField(help_text="Negative for sales.")
    stock = serializers.IntegerField(help_text="The stock after it.")


class SeenIn(StrictSerializer):
    counted = StrictIntegerField(
        min_value=0,
        max_value=MAX_COUNTED,
        help_text="Units for sale, without those that orders have reserved.",
    )
    seen_stock = StrictIntegerField(min_value=0, max_value=MAX_KEY, help_text="The `stock` that was shown.")
    last_count = StrictIntegerField(
        min_value=0, max_value=MAX_KEY, help_text="The `last_count` that was shown."
    )


class WhyIn(StrictSerializer):
    cause = serializers.ChoiceField(choices=CountCause.choices, help_text="Why the stock changes.")
    reason = StrictLineField(
        max_length=200, required=False, allow_blank=True, default="", help_text="A note for the history."
    )


@example({**COUNT, "cause": "made", "reason": "second firing"})
class CountIn(WhyIn, SeenIn):
    """One product."""


class CountRowIn(SeenIn):
    product_id = IdField()


@example({"cause": "counted", "reason": "", "rows": [{"product_id": PRODUCT_ID, **COUNT}]})
class CountsIn(WhyIn):
    rows = CountRowIn(many=True, allow_empty=False, max_length=MOST_ROWS)  # type: ignore[call-arg]  # of the list


class CountResultShape(serializers.Serializer[Any]):
    product_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=CountOutcome.choices)
    stock = serializers.IntegerField(allow_null=True, help_text="The stock now.")
    last_count = serializers.IntegerField(allow_null=True)
    detail = serializers.CharField(allow_blank=True, help_text="Why nothing was changed.")


@example(
    {
        "results": [
            {"product_id": PRODUCT_ID, "outcome": "counted", "stock": 7, "last_count": 311, "detail": ""}
        ]
    }
)
@extend_schema_serializer(many=False)
class CountResultsShape(serializers.Serializer[Any]):
    results = CountResultShape(many=True)
