from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers, viewsets
from rest_framework.permissions import AllowAny

from artisans.catalog.models import Artisan, Product
from artisans.catalog.selectors import artisans_open, products_on_sale
from artisans.core.api import UUID_PATTERN, NewestFirst


def absolute(url: str) -> str:
    return url if url.startswith("http") else settings.SITE_URL + url


class ProductOut(serializers.BaseSerializer[Product]):
    def to_representation(self, product: Product) -> dict[str, Any]:
        return {
            "id": str(product.pk),
            "name": product.name,
            "slug": product.slug,
            "description": product.description,
            "price": product.price.amount,
            "currency": product.currency,
            "stock": product.stock,
            "category": product.category.slug,
            "artisan": {"id": str(product.artisan_id), "name": product.artisan.name},
            "picture": absolute(product.picture.url) if product.picture else None,
        }


class ArtisanOut(serializers.BaseSerializer[Artisan]):
    def to_representation(self, artisan: Artisan) -> dict[str, Any]:
        return {
            "id": str(artisan.pk),
            "name": artisan.name,
            "slug": artisan.slug,
            "craft": artisan.craft,
            "town": artisan.town,
            "story": artisan.story,
            "portrait": absolute(artisan.portrait.url) if artisan.portrait else None,
        }


class ProductViewSet(viewsets.ReadOnlyModelViewSet[Product]):
    permission_classes = (AllowAny,)
    serializer_class = ProductOut
    pagination_class = NewestFirst
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Product]:
        return products_on_sale()


class ArtisanViewSet(viewsets.ReadOnlyModelViewSet[Artisan]):
    permission_classes = (AllowAny,)
    serializer_class = ArtisanOut
    pagination_class = NewestFirst
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Artisan]:
        return artisans_open()
