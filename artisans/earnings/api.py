from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import mixins, pagination, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.principals import require_user
from artisans.catalog.access import owned_artisan_of
from artisans.core.api.fields import utc
from artisans.core.api.filters import CreatedFilters
from artisans.core.api.openapi import described, operation
from artisans.core.api.pagination import NumberCursorPagination
from artisans.core.api.views import ApiView
from artisans.earnings.releases import release_at, with_block, with_times
from artisans.earnings.schemas import BalancePageShape, EarningShape, LineShape
from artisans.earnings.selectors import (
    ACCOUNTS,
    ArtisanBalance,
    Line,
    account_of,
    balances_of,
    default_currency,
    lines_of,
    postings_of,
)
from artisans.ledger.models import LedgerPosting
from artisans.ledger.selectors import lines_from, with_start
from orders.models import StoreRules
from orders.selectors import store_rules
from payments.models import Earning, EarningStatus


def balance_out(balance: ArtisanBalance) -> dict[str, Any]:
    return {
        "currency": balance.currency,
        "pending": balance.pending.amount,
        "available": balance.available.amount,
        "held": balance.held.amount,
        "promised": balance.promised.amount,
        "payable": balance.payable.amount,
    }


def earning_out(earning: Earning, store: StoreRules) -> dict[str, Any]:
    """An earning of `with_times` and `with_block`, with its parcel and order."""
    is_pending = earning.status == EarningStatus.PENDING
    return {
        "id": str(earning.pk),
        "parcel_id": str(earning.parcel_id),
        "order_number": earning.parcel.order.order_number,
        "parcel_number": earning.parcel.number,
        "status": earning.status,
        "currency": earning.currency,
        "net": earning.net.amount,
        "returned": earning.returned.amount,
        "promised": earning.promised.amount,
        "payment_fee": earning.payment_fee.amount,
        "release_at": utc(release_at(earning, store)) if is_pending else None,
        "blocked_by": earning.block if is_pending else "",  # type: ignore[attr-defined]
        "released_at": utc(earning.released_at),
        "created_at": utc(earning.created_at),
    }


def line_out(line: Line) -> dict[str, Any]:
    return {
        "id": line.posting.pk,
        "at": utc(line.posting.entry.happened_at),
        "kind": line.posting.entry.kind,
        "text": line.text,
        "order_number": line.parcel.order.order_number if line.parcel else None,
        "parcel_number": line.parcel.number if line.parcel else None,
        "currency": line.posting.currency,
        "amount": line.amount.amount,
        "balance": line.balance.amount,
    }


class EarningOut(serializers.BaseSerializer[Earning]):
    def to_representation(self, earning: Earning) -> dict[str, Any]:
        return earning_out(earning, self.context["store"])


class LineOut(serializers.BaseSerializer[Line]):
    def to_representation(self, line: Line) -> dict[str, Any]:
        return line_out(line)


class BalanceViewSet(ApiView, viewsets.ViewSet):
    @operation("balance_list", "Show own balances", responses=BalancePageShape)
    def list(self, request: Request) -> Response:
        """The artisan's money, by currency; nothing before the first sale."""
        artisan = owned_artisan_of(require_user(request))
        rows = [balance_out(balance) for balance in balances_of(artisan)] if artisan else []
        return Response({"next": None, "previous": None, "results": rows})


class EarningFilters(CreatedFilters):
    status = filters.ChoiceFilter(choices=EarningStatus.choices, help_text="The earning's status.")
    order_number = filters.CharFilter("parcel__order__order_number", help_text="The order number.")


@described(
    list=operation(
        "earning_list",
        "List own earnings",
        responses=EarningShape(many=True),
        description="What the artisan earns with each parcel, once its money is here.",
    )
)
class EarningViewSet(ApiView, mixins.ListModelMixin, viewsets.GenericViewSet[Earning]):
    queryset = Earning.objects.none()  # for the schema; rows come from get_queryset
    serializer_class = EarningOut
    filterset_class = EarningFilters

    def get_queryset(self) -> QuerySet[Earning]:
        own = Earning.objects.filter(artisan=owned_artisan_of(require_user(self.request)))
        return with_block(with_times(own)).select_related("parcel__order")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "store": store_rules()}


class LineFilters(filters.FilterSet):
    """Checks the parameters that `LineViewSet` reads."""

    account = filters.ChoiceFilter(
        choices=[(name, name) for name in ACCOUNTS],
        method="unchanged",
        help_text="Which of the artisan's accounts; `available` by default.",
    )
    currency = filters.CharFilter(
        method="unchanged", help_text="ISO 4217 code; by default the currency in which the artisan sells."
    )

    def unchanged(self, rows: QuerySet[LedgerPosting], name: str, value: str) -> QuerySet[LedgerPosting]:
        return rows


class LineCursorPagination(NumberCursorPagination):
    """The pages are of `Line`, each with the balance after it."""

    def decode_cursor(self, request: Request) -> pagination.Cursor | None:
        cursor = super().decode_cursor(request)
        return cursor and cursor._replace(offset=0)  # keys are unique

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        cursor = self.decode_cursor(request)
        is_reversed = bool(cursor and cursor.reverse)
        is_ascending = (self.get_ordering(request, queryset, view) == ("id",)) != is_reversed
        position = int(cursor.position) if cursor and cursor.position is not None else None
        below = position
        if is_ascending:  # it begins after the position, or with the first line
            below = 0 if position is None else position + 1
        found = super().paginate_queryset(with_start(queryset, view.account, below=below), request, view)
        if not found:
            return found
        rows = found[::-1] if is_reversed else found  # in the order in which they were read
        lines = lines_of(view.artisan, lines_from(view.account, rows, is_ascending=is_ascending))
        return lines[::-1] if is_reversed else lines

    def _get_position_from_instance(self, instance: Any, ordering: Any) -> str:
        return str(instance.posting.pk if isinstance(instance, Line) else instance.pk)


@described(
    list=operation(
        "earning_line_list",
        "List the lines of own accounts",
        responses=LineShape(many=True),
        description="Everything that changed what is available to the artisan, or pending, or held back, with the "
        "balance after it. Newest first.",
    )
)
class LineViewSet(ApiView, mixins.ListModelMixin, viewsets.GenericViewSet[LedgerPosting]):
    queryset = LedgerPosting.objects.none()  # for the schema; rows come from get_queryset
    serializer_class = LineOut  # type: ignore[assignment]  # the pages are of lines
    pagination_class = LineCursorPagination
    filterset_class = LineFilters

    def get_queryset(self) -> QuerySet[LedgerPosting]:
        asked = self.request.query_params
        self.artisan, self.account = owned_artisan_of(require_user(self.request)), None
        if self.artisan is not None and (name := asked.get("account", "available")) in ACCOUNTS:
            currency = asked.get("currency") or default_currency(self.artisan)
            self.account = account_of(self.artisan, name, currency)
        return postings_of(self.account)
