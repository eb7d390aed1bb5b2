"""Response schemas of artisans and products, for the API description."""

from typing import Any

from rest_framework import serializers

from artisans.core.api.fields import StrictCharField, StrictSerializer
from artisans.core.api.openapi import AmountShape, example

ARTISAN_ID = "7d9f2c34-0b7e-4c63-9b6f-2f2d0c6a1e55"
VARIANT_ID = "0b9d41c2-5a57-4d0e-9a53-1f0f3a1b9e77"
PRODUCT_ID = "c2a8e7f0-6f5d-4b1c-8c39-4f1b7a9d2e10"
BACK_ON = "The workshop is on holiday: it accepts orders again on this day. Null if it does now."

IS_SOLD = "Whether it is sold in the currency that was asked for; if not, the price is that in its own."

PICTURE = {
    "url": "https://your.shop/media/products/6f1d2c3b4a5968778695a4b3c2d1e0ff-1280.jpg",
    "width": 1280,
    "height": 960,
    "alt": "A green bowl from above",
}


@example({"slug": "bowls", "name": "Bowls", "parent_slug": "tableware"})
class CategoryShape(serializers.Serializer[Any]):
    slug = serializers.CharField(help_text="The `category` of a product, and of the filter.")
    name = serializers.CharField()
    parent_slug = serializers.CharField(allow_null=True, help_text="Slug of the category that it is part of.")


class CurrencyQuery(StrictSerializer):
    currency = StrictCharField(max_length=3, required=False, help_text="One of `GET /currencies/`.")


class VariantShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The `product_id` in carts and orders.")
    name = serializers.CharField()
    slug = serializers.CharField()
    options = serializers.ListField(child=serializers.CharField(), help_text="A value for each option.")
    price = AmountShape()
    currency = serializers.CharField()
    is_sold = serializers.BooleanField(help_text=IS_SOLD)
    stock = serializers.IntegerField(help_text="What can be bought now.")


class ShownPictureShape(serializers.Serializer[Any]):
    url = serializers.URLField(help_text="The largest copy that every browser shows.")
    width = serializers.IntegerField(allow_null=True, help_text="In pixels; null if it is not known.")
    height = serializers.IntegerField(allow_null=True)
    alt = serializers.CharField(allow_blank=True, help_text="What it shows, for people who do not see it.")


class ArtisanOfProductShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


@example(
    {
        "id": PRODUCT_ID,
        "name": "Moss bowl",
        "slug": "moss-bowl",
        "description": "Thrown in stoneware, glazed in moss green.",
        "price": "85.45",
        "currency": "USD",
        "is_sold": True,
        "stock": 4,
        "lead_days": None,
        "back_on": None,
        "parent_id": None,
        "options": ["Size"],
        "variants": [
            {
                "id": VARIANT_ID,
                "name": "Moss bowl (Large)",
                "slug": "moss-bowl-0b9d41c2",
                "options": ["Large"],
                "price": "85.45",
                "currency": "USD",
                "is_sold": True,
                "stock": 4,
            }
        ],
        "category": "ceramics",
        "artisan": {"id": ARTISAN_ID, "name": "Harbour Pottery"},
        "picture": PICTURE["url"],
        "pictures": [PICTURE],
    }
)
class ProductShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    price = AmountShape()
    currency = serializers.CharField()
    is_sold = serializers.BooleanField(help_text=IS_SOLD)
    stock = serializers.IntegerField(help_text="What can be bought now, of all variants together.")
    lead_days = serializers.IntegerField(
        allow_null=True, help_text="Made to order, ships in so many days; null: ready to ship."
    )
    back_on = serializers.DateField(allow_null=True, help_text=BACK_ON)
    parent_id = serializers.UUIDField(allow_null=True, help_text="Of a variant, the id of its product.")
    options = serializers.ListField(
        child=serializers.CharField(), help_text="Names of the options; of a variant, their values."
    )
    variants = VariantShape(many=True)
    category = serializers.CharField(help_text="The category's slug.")
    artisan = ArtisanOfProductShape()
    picture = serializers.URLField(allow_null=True, help_text="The first one.")
    pictures = ShownPictureShape(many=True, help_text="In their order; of a variant, those of its product.")


@example(
    {
        "id": ARTISAN_ID,
        "name": "Harbour Pottery",
        "slug": "harbour-pottery",
        "craft": "Pottery",
        "town": "Port Ellery",
        "story": "Two wheels, one kiln, a view of the boats.",
        "portrait": None,
        "processing_days": 3,
        "contact_email": "hello@harbour.example",
        "back_on": None,
    }
)
class ArtisanShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    craft = serializers.CharField()
    town = serializers.CharField()
    story = serializers.CharField(allow_blank=True)
    portrait = serializers.URLField(allow_null=True)
    processing_days = serializers.IntegerField(
        allow_null=True, help_text="Usually ships within so many days."
    )
    contact_email = serializers.CharField(allow_blank=True, help_text="Where buyers may write.")
    back_on = serializers.DateField(allow_null=True, help_text=BACK_ON)
