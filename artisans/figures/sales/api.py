"""An artisan's sales by API."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.principals import require_user
from artisans.catalog.access import owned_artisan_of
from artisans.core.api.fields import validated
from artisans.core.api.openapi import operation
from artisans.core.api.views import ApiView
from artisans.core.errors import NotFound
from artisans.figures.days import Period
from artisans.figures.sales.schemas import SalesQuery, SalesShape
from artisans.figures.sales.selectors import CurrencySales, ProductSales, Sold, sales_of


class SalesViewSet(ApiView, viewsets.ViewSet):
    @operation("sales_get", "Show own sales", query=SalesQuery, responses=SalesShape, problems=(NotFound,))
    def show(self, request: Request) -> Response:
        """What the artisan sold, by day, week (from Monday) or month of the shop's time zone, for each currency; the
        last 30 days unless `from` and `to` are sent. A parcel counts on the day its payment was received.

        `net` is what was booked on the artisan's accounts on these days: `sales` less `commission`, `payment_fees` and
        `refunds`.
        """
        asked = validated(SalesQuery, request.query_params)["asked"]
        artisan = owned_artisan_of(require_user(request))
        if artisan is None:
            raise NotFound(_("You own no workshop."))
        found = sales_of(artisan, period=asked.period, before=asked.before, group_by=asked.group_by)
        shown = {**period_out(asked.period), "group_by": asked.group_by.value}
        return Response(
            shown | {"before": period_out(asked.before), "currencies": [currency_out(row) for row in found]}
        )


def period_out(period: Period) -> dict[str, str]:
    return {"from": period.first.isoformat(), "to": period.last.isoformat()}


def currency_out(found: CurrencySales) -> dict[str, Any]:
    return {
        "currency": found.currency,
        "total": sold_out(found.total),
        "before": sold_out(found.before),
        "rows": [period_out(row.period) | sold_out(row.sold) for row in found.rows],
        "products": [product_out(row) for row in found.products],
    }


def sold_out(sold: Sold) -> dict[str, Any]:
    return {
        "parcels": sold.parcels,
        "units": sold.units,
        "sales": sold.sales.amount,
        "commission": sold.commission.amount,
        "payment_fees": sold.payment_fees.amount,
        "refunds": sold.refunds.amount,
        "net": sold.net.amount,
        "ship_seconds": sold.ship_seconds,
    }


def product_out(row: ProductSales) -> dict[str, Any]:
    return {
        "product_id": str(row.product_id),
        "name": row.name,
        "units": row.units,
        "sales": row.sales.amount,
    }
