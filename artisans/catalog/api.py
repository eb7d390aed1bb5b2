from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.catalog.categories import CategoryTree
from artisans.catalog.forms import MAX_MATERIAL, PriceFilterField
from artisans.catalog.models import Artisan, Category, Product
from artisans.catalog.models.product import ShownPicture
from artisans.catalog.prices import load_prices
from artisans.catalog.schemas import ArtisanShape, CategoryShape, CurrencyQuery, ProductShape
from artisans.catalog.search import MAX_LENGTH, search
from artisans.catalog.selectors import (
    artisans_open,
    gallery_of,
    in_stock,
    narrowed,
    products_listed,
    products_on_sale,
    with_pictures,
)
from artisans.core.api.filters import (
    CreatedFilters,
    IdFilter,
    StrictBooleanFilter,
)
from artisans.core.api.openapi import described, operation
from artisans.core.api.views import ApiView
from artisans.core.texts import search_text
from artisans.regions.currencies import offered_currencies
from artisans.regions.errors import CurrencyNotOffered


def absolute(url: str) -> str:
    return url if url.startswith("http") else settings.SITE_URL + url


def back_on_out(artisan: Artisan) -> str | None:
    until = artisan.on_holiday_until
    return until.isoformat() if until else None


def price_out(product: Product, currency: str) -> dict[str, Any]:
    """In the currency; if it is not sold in that, the price at home. No currency: that."""
    price = product.price_in(currency) if currency else product.price
    shown = price or product.price
    return {"price": shown.amount, "currency": shown.currency, "is_sold": price is not None}


def variant_out(variant: Product, currency: str) -> dict[str, Any]:
    return {
        "id": str(variant.pk),
        "name": variant.name,
        "slug": variant.slug,
        "options": list(variant.options),
        **price_out(variant, currency),
        "stock": variant.stock,
    }


def picture_out(shown: ShownPicture, alt: str) -> dict[str, Any]:
    return {
        "url": absolute(shown.url),
        "width": shown.width or None,
        "height": shown.height or None,
        "alt": alt,
    }


def category_out(category: Category) -> dict[str, Any]:
    return {
        "slug": category.slug,
        "name": category.name,
        "parent_slug": category.parent.slug if category.parent else None,
    }


class ProductOut(serializers.BaseSerializer[Product]):
    def to_representation(self, product: Product) -> dict[str, Any]:
        currency = self.context["request"].query_params.get("currency", "")
        return {
            "id": str(product.pk),
            "name": product.name,
            "slug": product.slug,
            "description": product.description,
            **price_out(product, currency),
            "stock": product.available,
            "lead_days": product.lead_days,
            "back_on": back_on_out(product.artisan),
            "parent_id": str(product.parent_id) if product.parent_id else None,
            "options": list(product.options),
            "variants": [variant_out(variant, currency) for variant in product.choices],
            "category": product.category.slug,
            "artisan": {"id": str(product.artisan_id), "name": product.artisan.name},
            "picture": absolute(product.picture.url) if product.picture else None,
            "pictures": [picture_out(shown, alt) for shown, alt in gallery_of(product)],
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
            "processing_days": artisan.processing_days,
            "contact_email": artisan.contact_email,
            "back_on": back_on_out(artisan),
        }


class PriceFilter(filters.Filter):
    field_class = PriceFilterField


class ProductFilters(CreatedFilters):
    artisan = IdFilter("artisan_id", help_text="Id of the artisan.")
    category = filters.CharFilter(
        method="in_category",
        help_text="Slug of a category; products of those that are part of it are listed too.",
    )
    currency = filters.CharFilter(
        method="together",
        max_length=3,
        help_text="One of `GET /currencies/`: prices are in it; a product that is not sold in it has `is_sold` false "
        "and its own price.",
    )
    price__gte = PriceFilter(
        method="together",
        help_text="At least this price, such as 25.50, in `currency` or else the product's own. A product with "
        "variants is listed if one of them satisfies all filters of price and stock.",
    )
    price__lte = PriceFilter(method="together", help_text="At most this price.")
    material = filters.CharFilter(
        method="together",
        max_length=MAX_MATERIAL,
        help_text=f"Words that are all part of the materials, in any case; at most {MAX_MATERIAL} characters.",
    )
    in_stock = StrictBooleanFilter(method="together", help_text="Whether it can be bought now.")
    q = filters.CharFilter(
        method="matching",
        max_length=MAX_LENGTH,
        help_text="Words, of which each must be found in name, materials, category, artisan or description; at most "
        f"{MAX_LENGTH} characters. Case, accents and plurals make no difference; if nothing matches, related words "
        "are tried and typing errors corrected.",
    )

    def filter_queryset(self, queryset: QuerySet[Product]) -> QuerySet[Product]:
        products, sent = super().filter_queryset(queryset), self.form.cleaned_data
        currency = sent["currency"]
        if currency and currency not in offered_currencies():
            raise CurrencyNotOffered(currency)
        has_price = sent["price__gte"] is not None or sent["price__lte"] is not None
        if sent["in_stock"] is False:
            products = products.exclude(in_stock())
        return narrowed(
            products,
            price_min=sent["price__gte"],
            price_max=sent["price__lte"],
            material=sent["material"],
            only_in_stock=bool(sent["in_stock"]),
            currency=currency if has_price else "",
        )

    def together(self, products: QuerySet[Product], name: str, value: Any) -> QuerySet[Product]:
        """Nothing yet: `filter_queryset` applies these filters to the same variant."""
        return products

    def in_category(self, products: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        tree = CategoryTree.load()
        category = tree.find(value)
        return products.filter(category__in=tree.whole(category)) if category else products.none()

    def matching(self, products: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        text = search_text(value)
        return search(products, text).products if text else products


class ArtisanFilters(CreatedFilters):
    craft = filters.CharFilter("craft", "iexact", help_text="The craft, case-insensitive.")
    town = filters.CharFilter("town", "iexact", help_text="The town, case-insensitive.")


@described(
    list=operation(
        "product_list",
        "List products",
        responses=ProductShape(many=True),
        problems=(CurrencyNotOffered,),
        description="All products on sale, each once, with its variants. A product with options is ordered as one of "
        "its `variants`, by the id of the variant.",
    ),
    retrieve=operation(
        "product_get",
        "Show a product",
        query=CurrencyQuery,
        responses=ProductShape,
        problems=(CurrencyNotOffered,),
        description="Current price and stock; a product that is no longer on sale returns 404. The id of a variant "
        "returns the variant, with its `parent_id`.",
    ),
)
class ProductViewSet(ApiView, viewsets.ReadOnlyModelViewSet[Product]):
    permission_classes = (AllowAny,)
    serializer_class = ProductOut
    filterset_class = ProductFilters

    def get_queryset(self) -> QuerySet[Product]:
        return with_pictures(products_listed() if self.action == "list" else products_on_sale())

    def paginate_queryset(self, queryset: Any) -> Any:
        return self.with_prices(super().paginate_queryset(queryset))

    def get_object(self) -> Product:
        product: Product = super().get_object()
        self.with_prices([product])
        return product

    def with_prices(self, products: Any) -> Any:
        """Read the prices in the currency that is asked for, if one is, at once."""
        currency = self.request.query_params.get("currency", "")
        return load_prices(products, currency, with_variants=True) if currency and products else products

    @operation("category_list", "List categories", responses=CategoryShape(many=True))
    @action(detail=False, pagination_class=None, filterset_class=None)
    def categories(self, request: Request) -> Response:
        """All categories, each followed by those that are part of it."""
        return Response([category_out(category) for category in CategoryTree.load().rows])


@described(
    list=operation(
        "artisan_list",
        "List artisans",
        responses=ArtisanShape(many=True),
        description="All workshops that sell here.",
    ),
    retrieve=operation(
        "artisan_get",
        "Show an artisan",
        responses=ArtisanShape,
        description="One workshop with its description.",
    ),
)
class ArtisanViewSet(ApiView, viewsets.ReadOnlyModelViewSet[Artisan]):
    permission_classes = (AllowAny,)
    serializer_class = ArtisanOut
    filterset_class = ArtisanFilters

    def get_queryset(self) -> QuerySet[Artisan]:
        return artisans_open()
