"""Bodies and response schemas of an artisan's own shipping methods."""

from typing import Any

from rest_framework import serializers

from artisans.core.api.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictDecimalField,
    StrictIntegerField,
    StrictLineField,
    StrictSerializer,
)
from artisans.core.api.openapi import AmountShape, example
from artisans.shipping.models import MethodKind

PRICES_HELP = (
    "The highest bounds that a parcel reaches count, weight first. Not offered in currencies without a price."
)
ZONE_ID = 4711
METHOD = {
    "zone_id": ZONE_ID,
    "name": "By bike",
    "kind": "delivery",
    "min_days": 1,
    "max_days": 3,
    "is_active": True,
    "prices": [
        {"currency": "USD", "price": "9.00", "min_weight_g": 0, "min_goods": "0.00"},
        {"currency": "USD", "price": "0.00", "min_weight_g": 0, "min_goods": "50.00"},
    ],
}


def days(**options: Any) -> StrictIntegerField:
    return StrictIntegerField(min_value=0, max_value=365, required=False, allow_null=True, **options)


class ShippingPriceIn(StrictSerializer):
    currency = StrictCharField(max_length=3)
    price = StrictDecimalField(help_text="0 is free.")
    min_weight_g = StrictIntegerField(
        min_value=0, max_value=99_999_999, required=False, help_text="From a weight of so many grams on."
    )
    min_goods = StrictDecimalField(required=False, help_text="From goods of this value on.")


class OwnMethodFields(StrictSerializer):
    zone_id = StrictIntegerField(
        min_value=1, max_value=10**9, help_text="Of `GET /artisan/shipping_methods`."
    )
    name = StrictLineField(max_length=60)
    kind = serializers.ChoiceField(MethodKind.choices, required=False)
    min_days = days(help_text="Business days; both or none.")
    max_days = days()
    is_active = StrictBooleanField(required=False, help_text="Whether buyers are offered it.")
    prices = serializers.ListField(child=ShippingPriceIn(), max_length=100, help_text=PRICES_HELP)


@example(METHOD)
class OwnMethodIn(OwnMethodFields):
    pass


@example({"prices": METHOD["prices"]})
class OwnMethodChangeIn(OwnMethodFields):
    """Only what changes; `prices` replace all."""

    zone_id = StrictIntegerField(min_value=1, max_value=10**9, required=False)
    name = StrictLineField(max_length=60, required=False)
    prices = serializers.ListField(
        child=ShippingPriceIn(), max_length=100, required=False, help_text=PRICES_HELP
    )


class OwnShippingPriceShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    price = AmountShape()
    min_weight_g = serializers.IntegerField()
    min_goods = AmountShape()


@example({"id": 7} | METHOD)
class OwnMethodShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    zone_id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(MethodKind.choices)
    min_days = serializers.IntegerField(allow_null=True)
    max_days = serializers.IntegerField(allow_null=True)
    is_active = serializers.BooleanField()
    prices = OwnShippingPriceShape(many=True)


class ShippingZoneShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    areas = serializers.ListField(
        child=serializers.CharField(),
        help_text="Such as `DE`, `US OR`, `GB: BT` (postal codes that start with BT), or `*` for everywhere else.",
    )


@example({"zones": [{"id": ZONE_ID, "name": "Germany", "areas": ["DE"]}], "methods": [{"id": 7} | METHOD]})
class OwnMethodsShape(serializers.Serializer[Any]):
    zones = ShippingZoneShape(
        many=True, help_text="The shop's zones; own methods take the place of its own there."
    )
    methods = OwnMethodShape(many=True)
