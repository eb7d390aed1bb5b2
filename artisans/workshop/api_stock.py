"""An artisan's stock by API: what there is, its history, and counting it."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.principals import require_user
from artisans.catalog.access import artisan_of
from artisans.catalog.low_stock import low
from artisans.catalog.models import CountOutcome, Product, StockMove
from artisans.catalog.services import (
    Count,
    Counted,
    StockChanged,
    StockSnapshot,
    stock_count,
    stock_snapshots,
)
from artisans.catalog.stock_history import HistoryLine, moves_of, products_named, stock_products, with_stock
from artisans.core.api.fields import utc, validated
from artisans.core.api.filters import CreatedFilters, StrictBooleanFilter
from artisans.core.api.openapi import described, operation
from artisans.core.api.pagination import NumberCursorPagination
from artisans.core.api.views import ApiView
from artisans.core.errors import InvalidInput
from artisans.core.texts import search_text
from artisans.workshop.schemas_stock import (
    CountIn,
    CountResultsShape,
    CountsIn,
    StockMoveShape,
    StockShape,
)
from artisans.workshop.stock_table import who


def stock_out(product: Product, snapshot: StockSnapshot) -> dict[str, Any]:
    return {
        "id": str(product.pk),
        "name": product.name,
        "sku": product.sku,
        "stock": snapshot.stock,
        "last_count": snapshot.last_count,
    }


class StockListOut(serializers.ListSerializer[Any]):
    """Reads the last counts of all products at once."""

    def to_representation(self, data: Any) -> list[dict[str, Any]]:
        products = list(data)
        shown = stock_snapshots(product.pk for product in products)
        return [stock_out(product, shown[product.pk]) for product in products]


class StockOut(serializers.BaseSerializer[Product]):
    class Meta:
        list_serializer_class = StockListOut

    def to_representation(self, product: Product) -> dict[str, Any]:
        return stock_out(product, stock_snapshots([product.pk])[product.pk])


class StockFilters(CreatedFilters):
    sold_out = StrictBooleanFilter(method="sold", help_text="Whether nothing is left.")
    low = StrictBooleanFilter(method="few", help_text="Whether little is left, or nothing.")
    q = filters.CharFilter(method="named", max_length=60, help_text="Part of the name, or start of the SKU.")

    def sold(self, products: QuerySet[Product], name: str, value: bool) -> QuerySet[Product]:  # noqa: FBT001  # django-filter's signature
        return products.filter(stock=0) if value else products.filter(stock__gt=0)

    def few(self, products: QuerySet[Product], name: str, value: bool) -> QuerySet[Product]:  # noqa: FBT001  # django-filter's signature
        found = low(products)
        return found if value else products.exclude(pk__in=found.values("pk"))

    def named(self, products: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        return products_named(products, search_text(value))


class HistoryPagination(NumberCursorPagination):
    """The pages are of `HistoryLine`."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        moves: list[Any] = super().paginate_queryset(queryset, request, view) or []
        is_ascending = self.get_ordering(request, queryset, view) == ("id",)
        lines = with_stock(view.product, moves[::-1] if is_ascending else moves)
        return lines[::-1] if is_ascending else lines

    def _get_position_from_instance(self, instance: Any, ordering: Any) -> str:
        return str(instance.move.pk if isinstance(instance, HistoryLine) else instance.pk)


@described(
    list=operation(
        "stock_list",
        "List own stock",
        responses=StockShape(many=True),
        description="The artisan's products with what is left of each; variants are products of their own.",
    ),
    retrieve=operation(
        "stock_get",
        "Show the stock of a product",
        responses=StockShape,
        description="`stock` and `last_count` are sent back with a count.",
    ),
)
class StockViewSet(
    ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Product]
):
    queryset = Product.objects.none()  # for the schema; rows come from get_queryset
    serializer_class = StockOut
    filterset_class = StockFilters
    scopes = {"count": Scope.PRODUCTS.value, "counts": Scope.PRODUCTS.value}

    def get_queryset(self) -> QuerySet[Product]:
        artisan = artisan_of(require_user(self.request))
        if artisan is None:
            return Product.objects.none()
        return stock_products(artisan) if self.action == "list" else artisan.products.all()

    @operation(
        "stock_count",
        "Count a product",
        request=CountIn,
        responses=StockShape,
        problems=(StockChanged,),
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def count(self, request: Request, pk: str) -> Response:
        """The stock changes by the difference between `counted` and `seen_stock`, so that sales in between are kept.
        Repeating a count changes nothing."""
        product: Product = self.get_object()
        body = validated(CountIn, request.data)
        [done] = self.count_rows([body | {"product_id": product.pk}], body)
        if done.problem:
            raise StockChanged(done.problem.text)
        return Response(StockOut().to_representation(done.product))

    @operation(
        "stock_count_several",
        "Count several products",
        request=CountsIn,
        responses=CountResultsShape,
        problems=(InvalidInput,),
    )
    @action(detail=False, methods=["post"], filterset_class=None)
    def counts(self, request: Request) -> Response:
        """Each product is counted or left as it is; `results` says which, in the order of `rows`."""
        body = validated(CountsIn, request.data)
        ids = [row["product_id"] for row in body["rows"]]
        if len(set(ids)) < len(ids):
            raise InvalidInput(_("Send each product once."))
        own = set(self.get_queryset().filter(pk__in=ids).values_list("pk", flat=True))
        done = {
            result.product.pk: result
            for result in self.count_rows([row for row in body["rows"] if row["product_id"] in own], body)
        }
        shown = stock_snapshots(own)
        return Response({"results": [self.result_out(pk, done.get(pk), shown.get(pk)) for pk in ids]})

    def count_rows(self, rows: list[dict[str, Any]], why: dict[str, Any]) -> list[Counted]:
        counts = [
            Count(row["product_id"], row["counted"], StockSnapshot(row["seen_stock"], row["last_count"]))
            for row in rows
        ]
        return stock_count(
            counts=counts, actor=require_user(self.request), cause=why["cause"], reason=why["reason"]
        )

    @staticmethod
    def result_out(pk: UUID, done: Counted | None, shown: StockSnapshot | None) -> dict[str, Any]:
        """A product of someone else does not exist."""
        if done is None or shown is None:
            problem = _("You have no product with this id.")
        else:
            problem = done.problem.text if done.problem else ""
        return {
            "product_id": str(pk),
            "outcome": done.outcome if done else CountOutcome.REFUSED.value,
            "stock": shown.stock if shown else None,
            "last_count": shown.last_count if shown else None,
            "detail": problem,
        }


class StockMoveOut(serializers.BaseSerializer[StockMove]):
    def to_representation(self, line: Any) -> dict[str, Any]:
        move = line.move
        return {
            "id": move.pk,
            "at": utc(move.at),
            "kind": move.kind,
            "cause": move.cause,
            "reason": move.reason,
            "who": who(move, require_user(self.context["request"])),
            "quantity": move.quantity,
            "stock": line.stock,
        }


@described(
    list=operation(
        "stock_history",
        "List the history of a product's stock",
        responses=StockMoveShape(many=True),
        description="Everything that changed its stock, with the stock after it. Newest first.",
    )
)
class StockHistoryViewSet(ApiView, mixins.ListModelMixin, viewsets.GenericViewSet[StockMove]):
    queryset = StockMove.objects.none()  # for the schema; rows come from get_queryset
    serializer_class = StockMoveOut
    pagination_class = HistoryPagination

    def get_queryset(self) -> QuerySet[StockMove]:
        artisan = artisan_of(require_user(self.request))
        own = artisan.products.all() if artisan else Product.objects.none()
        self.product = get_object_or_404(own, pk=self.kwargs["product_id"])
        return moves_of(self.product)
