"""An artisan's products by API: drafts too, with everything that the pages of the workshop do."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.principals import require_user
from artisans.catalog.access import artisan_of
from artisans.catalog.artisan_states import WorkshopClosed, WorkshopNotActive
from artisans.catalog.models import Artisan, Category, Product, ProductState
from artisans.catalog.price_lists import InvalidPrice, price_version, prices_change, prices_of
from artisans.catalog.product_rows import SkuTaken
from artisans.catalog.product_versions import ProductChanged, version_of
from artisans.catalog.products import (
    NoVariants,
    TakenOffSale,
    product_archive,
    product_change,
    product_create,
    product_duplicate,
    product_publish,
)
from artisans.catalog.search import MAX_LENGTH
from artisans.catalog.selectors import STATES, own_products
from artisans.catalog.variants import InvalidVariant, VariantInput, variants_change
from artisans.core.api.fields import utc, validated
from artisans.core.api.filters import CreatedFilters
from artisans.core.api.openapi import described, operation
from artisans.core.api.views import ApiView
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import effect_id
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.core.texts import search_text
from artisans.regions.models import TaxClass
from artisans.workshop.schemas_products import (
    OwnProductShape,
    PricesIn,
    PricesShape,
    ProductChangeIn,
    ProductIn,
    VariantsIn,
)
from orders.selectors import store_rules

AS_STORED = ("name", "description", "materials", "dimensions", "care", "lead_days", "weight_g", "sku")


def own_product_out(product: Product) -> dict[str, Any]:
    return {
        "id": str(product.pk),
        "slug": product.slug,
        "state": product.state.value,
        "off_sale_reason": product.off_sale_reason,
        "version": version_of(product),
        **{field: getattr(product, field) for field in AS_STORED},
        "category": product.category.slug,
        "tax_class": product.tax_class.code if product.tax_class else "",
        "price": product.price.amount,
        "currency": product.currency,
        "stock": product.available,
        "options": list(product.options),
        "variants": [own_variant_out(variant) for variant in product.choices],
        "created_at": utc(product.created_at),
        "updated_at": utc(product.updated_at),
    }


def own_variant_out(variant: Product) -> dict[str, Any]:
    return {
        "id": str(variant.pk),
        "name": variant.name,
        "options": list(variant.options),
        "price": variant.price.amount,
        "sku": variant.sku,
        "stock": variant.stock,
        "version": version_of(variant),
    }


class OwnProductOut(serializers.BaseSerializer[Product]):
    def to_representation(self, product: Product) -> dict[str, Any]:
        return own_product_out(product)


class OwnProductFilters(CreatedFilters):
    state = filters.ChoiceFilter(choices=ProductState.choices, method="in_state", help_text="The state.")
    q = filters.CharFilter(
        method="matching", max_length=MAX_LENGTH, help_text="Words of the product, or the start of a SKU."
    )

    def in_state(self, products: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        return products.filter(STATES[value])

    def matching(self, products: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        artisan, text = artisan_of(require_user(self.request)), search_text(value)
        if artisan is None or not text:
            return products
        return products.filter(pk__in=own_products(artisan, q=text).order_by().values("pk"))


def product_replay(request: Request, reference: str) -> Response | None:
    artisan = artisan_of(require_user(request))
    product = get_or_none(own_products(artisan).filter(pk=effect_id(reference))) if artisan else None
    return Response(own_product_out(product), status=status.HTTP_201_CREATED) if product else None


def variants_replay(request: Request, reference: str) -> Response | None:
    answer = product_replay(request, reference)
    return Response(answer.data) if answer else None


@described(
    list=operation(
        "own_product_list",
        "List own products",
        responses=OwnProductShape(many=True),
        description="The artisan's products in every state, each with its variants.",
    ),
    retrieve=operation(
        "own_product_get",
        "Show an own product",
        responses=OwnProductShape,
        description="`version` is sent back with a change.",
    ),
)
class OwnProductViewSet(
    ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Product]
):
    queryset = Product.objects.none()  # for the schema; rows come from get_queryset
    serializer_class = OwnProductOut
    filterset_class = OwnProductFilters
    scopes = dict.fromkeys(
        ("create", "partial_update", "publish", "archive", "duplicate", "variants", "change_prices"),
        Scope.PRODUCTS.value,
    )

    def get_queryset(self) -> QuerySet[Product]:
        artisan = artisan_of(require_user(self.request))
        return own_products(artisan) if artisan else Product.objects.none()

    @operation(
        "own_product_create",
        "Create a product",
        request=ProductIn,
        responses={201: OwnProductShape},
        problems=(SkuTaken, WorkshopClosed, InvalidInput, NotFound),
    )
    @idempotent(replay=product_replay)
    def create(self, request: Request) -> Response:
        """A draft in the shop's currency; buyers see it once it is published."""
        data, currency = validated(ProductIn, request.data), store_rules().currency
        artisan = self.artisan()
        product = product_create(
            artisan=artisan,
            actor=require_user(request),
            currency=currency,
            values=values_from(data, currency),
            stock=data["stock"],
        )
        return Response(own_product_out(product), status=status.HTTP_201_CREATED)

    @operation(
        "own_product_change",
        "Change a product",
        request=ProductChangeIn,
        responses=OwnProductShape,
        problems=(ProductChanged, SkuTaken, WorkshopClosed, InvalidInput, NotFound),
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Only the fields that are sent. If someone else changed one of them since, 409 `product_changed`."""
        data = validated(ProductChangeIn, request.data)
        product: Product = self.get_object()
        return self.done(
            product_change, product, values=values_from(data, product.currency), version=data["version"]
        )

    @operation(
        "own_product_publish",
        "Publish a product",
        request=None,
        responses=OwnProductShape,
        problems=(NoVariants, TakenOffSale, WorkshopNotActive, NotFound),
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def publish(self, request: Request, pk: str) -> Response:
        """Put a draft or an archived product on sale. Safe to repeat."""
        return self.done(product_publish, self.get_object())

    @operation(
        "own_product_archive",
        "Archive a product",
        request=None,
        responses=OwnProductShape,
        problems=(NotFound,),
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def archive(self, request: Request, pk: str) -> Response:
        """Take a product with its variants off sale; orders stay as they are. Safe to repeat."""
        return self.done(product_archive, self.get_object())

    @operation(
        "own_product_duplicate",
        "Duplicate a product",
        request=None,
        responses={201: OwnProductShape},
        problems=(WorkshopClosed, NotFound),
    )
    @idempotent(replay=product_replay)
    @action(detail=True, methods=["post"], filterset_class=None)
    def duplicate(self, request: Request, pk: str) -> Response:
        """A draft with the same texts, options and prices; without SKUs, pictures and stock."""
        answer = self.done(product_duplicate, self.get_object())
        answer.status_code = status.HTTP_201_CREATED
        return answer

    @operation(
        "own_variants_change",
        "Add, change and archive variants",
        request=VariantsIn,
        responses=OwnProductShape,
        problems=(InvalidVariant, ProductChanged, SkuTaken, WorkshopClosed, NotFound),
    )
    @idempotent(replay=variants_replay)
    @action(detail=True, methods=["post"], filterset_class=None)
    def variants(self, request: Request, pk: str) -> Response:
        """All or nothing. A new variant with the options of an archived one brings that one back. The stock of
        variants that exist is counted with `POST /artisan/stock/{id}/count`."""
        data = validated(VariantsIn, request.data)
        product: Product = self.get_object()
        rows = [variant_input(row, place, product.currency) for place, row in enumerate(data["variants"])]
        names, version = data["options"], data["version"]
        return self.done(variants_change, product, option_names=names, version=version, variants=rows)

    @operation(
        "own_prices_get",
        "Show prices in other currencies",
        responses=PricesShape,
        problems=(NotFound,),
    )
    @action(detail=True, filterset_class=None)
    def prices(self, request: Request, pk: str) -> Response:
        """The prices of a product and its variants besides that in its own currency."""
        return Response(prices_out(self.get_object()))

    @operation(
        "own_prices_change",
        "Change prices in other currencies",
        request=PricesIn,
        responses=PricesShape,
        problems=(InvalidPrice, ProductChanged, WorkshopClosed, InvalidInput, NotFound),
    )
    @prices.mapping.patch
    def change_prices(self, request: Request, pk: str) -> Response:
        """Only those that are sent change, all or nothing; they then stay when the shop converts prices."""
        data = validated(PricesIn, request.data)
        product: Product = self.get_object()
        prices_change(
            artisan=product.artisan,
            product_id=product.pk,
            actor=require_user(request),
            prices={(row["product_id"], row["currency"]): price_in(row) for row in data["prices"]},
            version=data["version"],
        )
        return Response(prices_out(product))

    def artisan(self) -> Artisan:
        artisan = artisan_of(require_user(self.request))
        if artisan is None:
            raise NotFound(_("You have no workshop."))
        return artisan

    def done(self, service: Callable[..., Product], product: Product, **arguments: Any) -> Response:
        """What the service made of the product, with its category and variants read again."""
        changed = service(
            artisan=product.artisan, product_id=product.pk, actor=require_user(self.request), **arguments
        )
        return Response(own_product_out(self.get_queryset().get(pk=changed.pk)))


def values_from(data: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """What the services take. Errors: InvalidInput for an unknown category, or a price of zero."""
    values = {name: data[name] for name in AS_STORED if name in data}
    if "category" in data:
        category = get_or_none(Category.objects.filter(slug=data["category"]))
        if category is None:
            raise InvalidInput(_("There is no category “%(slug)s”.") % {"slug": data["category"]})
        values["category"] = category
    if "tax_class" in data:
        code = data["tax_class"]
        values["tax_class"] = get_or_none(TaxClass.objects.filter(code=code)) if code else None
        if code and values["tax_class"] is None:
            raise InvalidInput(_("There is no tax class “%(code)s”.") % {"code": code})
    if "price" in data:
        values["price_minor"] = price_from(data["price"], currency)
    return values


def price_in(row: Mapping[str, Any]) -> int | None:
    return None if row["price"] is None else price_from(row["price"], row["currency"])


def prices_out(product: Product) -> dict[str, Any]:
    stored = prices_of(product.choices if product.needs_choice else [product])
    return {
        "version": price_version(stored),
        "prices": [
            {
                "product_id": str(pk),
                "currency": currency,
                "price": row.price.amount,
                "origin": row.origin,
            }
            for (pk, currency), row in sorted(stored.items())
        ],
    }


def price_from(price: Decimal, currency: str) -> int:
    try:
        minor = Money.parse(price, currency).minor
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    if not minor:
        raise InvalidInput(_("The price must be above zero."))
    return minor


def variant_input(row: Mapping[str, Any], place: int, currency: str) -> VariantInput:
    variant_id = row.get("id")
    if variant_id and "stock" in row:
        raise InvalidVariant(_("Count the stock of a variant that exists with the stock API."), place)
    return VariantInput(
        options=tuple(row["options"]),
        price_minor=price_from(row["price"], currency),
        sku=row.get("sku", ""),
        variant_id=variant_id,
        version=row.get("version", ""),
        counted=row.get("stock"),
        is_archived=row["is_archived"],
    )
