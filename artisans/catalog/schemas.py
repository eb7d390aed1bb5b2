"""Response schemas of artisans and products, for the API description."""

from typing import Any

from rest_framework import serializers

from artisans.core.api.openapi import AmountShape, example

ARTISAN_ID = "7d9f2c34-0b7e-4c63-9b6f-2f2d0c6a1e55"
PRODUCT_ID = "c2a8e7f0-6f5d-4b1c-8c39-4f1b7a9d2e10"


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
        "stock": 4,
        "category": "ceramics",
        "artisan": {"id": ARTISAN_ID, "name": "Harbour Pottery"},
        "picture": "https://your.shop/media/products/moss-bowl.webp",
    }
)
class ProductShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    price = AmountShape()
    currency = serializers.CharField()
    stock = serializers.IntegerField(help_text="What can be bought now.")
    category = serializers.CharField(help_text="The category's slug.")
    artisan = ArtisanOfProductShape()
    picture = serializers.URLField(allow_null=True)


@example(
    {
        "id": ARTISAN_ID,
        "name": "Harbour Pottery",
        "slug": "harbour-pottery",
        "craft": "Pottery",
        "town": "Port Ellery",
        "story": "Two wheels, one kiln, a view of the boats.",
        "portrait": None,
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
