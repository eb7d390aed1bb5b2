"""Bodies and response schemas of an artisan's products."""

from typing import Any

from rest_framework import serializers

from artisans.catalog.models import PriceOrigin, ProductState
from artisans.catalog.models.product import MAX_LEAD_DAYS
from artisans.catalog.product_rows import MAX_OPTIONS
from artisans.catalog.schemas import PRODUCT_ID, VARIANT_ID
from artisans.catalog.variants import MAX_OPTION, MAX_VARIANTS
from artisans.core.api.fields import (
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictDecimalField,
    StrictIntegerField,
    StrictLineField,
    StrictSerializer,
)
from artisans.core.api.openapi import AmountShape, example

MOST_UNITS = 1_000_000
VERSION = "name:5f2d1c9e.price_minor:83b1fa07"
VERSION_HELP = "The `version` that was read: what others changed since is kept, and not overwritten."
FIELDS = {
    "name": "Moss bowl",
    "category": "ceramics",
    "price": "85.45",
    "description": "Thrown in stoneware, glazed in moss green.",
    "materials": "Stoneware",
    "dimensions": "18 cm",
    "care": "Dishwasher safe.",
    "lead_days": None,
    "weight_g": 900,
    "tax_class": "",
    "sku": "BOWL-M",
}


def line(length: int, **options: Any) -> StrictLineField:
    return StrictLineField(max_length=length, **options)


def optional(length: int) -> StrictLineField:
    return line(length, required=False, allow_blank=True)


class FieldsIn(StrictSerializer):
    name = line(120)
    category = StrictCharField(max_length=50, help_text="The category's slug.")
    price = StrictDecimalField(help_text="Before tax, in the product's currency.")
    description = StrictCharField(max_length=5000, required=False, allow_blank=True)
    materials = optional(160)
    dimensions = optional(80)
    care = optional(300)
    lead_days = StrictIntegerField(
        min_value=1,
        max_value=MAX_LEAD_DAYS,
        required=False,
        allow_null=True,
        help_text="Made to order, ships in so many days; null: ready to ship.",
    )
    weight_g = StrictIntegerField(
        min_value=0, max_value=1_000_000, required=False, help_text="With its packaging; 0 if not known."
    )
    tax_class = StrictCharField(
        max_length=30, required=False, allow_blank=True, help_text="The code of a tax class; empty: standard."
    )
    sku = optional(60)


PRICES_VERSION = "0b9d41c25a57JPY:5f2d1c9e"
PRICE = {"product_id": VARIANT_ID, "currency": "JPY", "price": "12800"}


class PriceIn(StrictSerializer):
    product_id = IdField(help_text="Of the product, or of the variant if it has options.")
    currency = StrictCharField(max_length=3)
    price = StrictDecimalField(allow_null=True, help_text="Null: not sold in this currency.")


@example({"version": PRICES_VERSION, "prices": [PRICE]})
class PricesIn(StrictSerializer):
    version = StrictCharField(max_length=10_000, allow_blank=True, help_text=VERSION_HELP)
    prices = serializers.ListField(child=PriceIn(), allow_empty=False, max_length=500)


class PriceShape(serializers.Serializer[Any]):
    product_id = serializers.UUIDField()
    currency = serializers.CharField()
    price = AmountShape()
    origin = serializers.ChoiceField(PriceOrigin.choices)


@example({"version": PRICES_VERSION, "prices": [PRICE | {"origin": "manual"}]})
class PricesShape(serializers.Serializer[Any]):
    version = serializers.CharField(
        allow_blank=True, help_text="Sent back with a change. Its form may change."
    )
    prices = PriceShape(many=True)


@example({"name": "Moss bowl", "category": "ceramics", "price": "85.45", "lead_days": 10, "stock": 4})
class ProductIn(FieldsIn):
    stock = StrictIntegerField(
        min_value=0,
        max_value=MOST_UNITS,
        required=False,
        default=0,
        help_text="Opening stock. To change it later, count it.",
    )


@example({"version": VERSION, "care": "Wash by hand."})
class ProductChangeIn(FieldsIn):
    version = StrictCharField(max_length=500, help_text=VERSION_HELP)

    def get_fields(self) -> Any:
        fields = super().get_fields()
        for name, field in fields.items():
            field.required = name == "version"
        return fields


class VariantIn(StrictSerializer):
    id = IdField(required=False, help_text="Left out for a new variant.")
    version = StrictCharField(max_length=500, required=False, help_text="Needed with `id`. " + VERSION_HELP)
    options = serializers.ListField(
        child=line(MAX_OPTION), min_length=1, max_length=MAX_OPTIONS, help_text="A value for each option."
    )
    price = StrictDecimalField(help_text="Before tax, in the product's currency.")
    sku = optional(60)
    stock = StrictIntegerField(
        min_value=0,
        max_value=MOST_UNITS,
        required=False,
        help_text="Stock of a variant that is new or comes back; 0 if left out.",
    )
    is_archived = StrictBooleanField(required=False, default=False)


@example(
    {
        "version": VERSION,
        "options": ["Size"],
        "variants": [{"options": ["Large"], "price": "85.45", "sku": "BOWL-L", "stock": 4}],
    }
)
class VariantsIn(StrictSerializer):
    version = StrictCharField(max_length=500, help_text="Of the product. " + VERSION_HELP)
    options = serializers.ListField(
        child=line(MAX_OPTION), min_length=1, max_length=MAX_OPTIONS, help_text="The names of the options."
    )
    variants = serializers.ListField(
        child=VariantIn(),
        max_length=MAX_VARIANTS,
        help_text="Variants that are not in the list stay as they are.",
    )


class OwnVariantShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    options = serializers.ListField(child=serializers.CharField())
    price = AmountShape()
    sku = serializers.CharField(allow_blank=True)
    stock = serializers.IntegerField()
    version = serializers.CharField()


@example(
    {"id": PRODUCT_ID, "slug": "moss-bowl", "state": "draft", "off_sale_reason": "", "version": VERSION}
    | FIELDS
    | {
        "currency": "USD",
        "stock": 4,
        "options": ["Size"],
        "variants": [
            {
                "id": VARIANT_ID,
                "name": "Moss bowl (Large)",
                "options": ["Large"],
                "price": "85.45",
                "sku": "BOWL-L",
                "stock": 4,
                "version": "options:1e5d0c11.price_minor:83b1fa07",
            }
        ],
        "created_at": "2026-11-26T09:00:00Z",
        "updated_at": "2026-11-26T09:00:00Z",
    }
)
class OwnProductShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    state = serializers.ChoiceField(choices=ProductState.choices)
    off_sale_reason = serializers.CharField(
        allow_blank=True, help_text="Why the shop took it off sale; only the shop allows it again."
    )
    version = serializers.CharField(help_text="Sent back with a change. Its form may change.")
    name = serializers.CharField()
    category = serializers.CharField(help_text="The category's slug.")
    price = AmountShape(help_text="Of a product with options, the lowest price of its variants.")
    currency = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    materials = serializers.CharField(allow_blank=True)
    dimensions = serializers.CharField(allow_blank=True)
    care = serializers.CharField(allow_blank=True)
    lead_days = serializers.IntegerField(allow_null=True)
    weight_g = serializers.IntegerField(help_text="With its packaging; 0 if not known.")
    tax_class = serializers.CharField(allow_blank=True, help_text="The code of a tax class; empty: standard.")
    sku = serializers.CharField(allow_blank=True)
    stock = serializers.IntegerField(help_text="Of all variants together.")
    options = serializers.ListField(child=serializers.CharField())
    variants = OwnVariantShape(many=True, help_text="Those that are not archived.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
