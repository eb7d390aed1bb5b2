"""Parameters and response of an artisan's sales."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from artisans.catalog.schemas import PRODUCT_ID
from artisans.core.api.fields import StrictDateField
from artisans.core.api.openapi import AmountShape, example
from artisans.figures.days import Period, today
from artisans.figures.periods import check_period, period_named
from artisans.figures.sales.forms import Asked, check_rows
from artisans.figures.sales.periods import GroupBy, PeriodChoice, group_for


class SalesQuery(serializers.Serializer[Any]):
    to = StrictDateField(required=False, help_text="The last day, which is included.")
    group_by = serializers.ChoiceField(
        GroupBy.choices, required=False, help_text="By default what gives about 30 rows at most."
    )

    def get_fields(self) -> dict[str, Any]:
        first = StrictDateField(required=False, help_text="The first day; five years before `to` at most.")
        return {"from": first, **super().get_fields()}  # a keyword of Python

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        choice = PeriodChoice.FREE if {"from", "to"} & data.keys() else PeriodChoice.DAYS_30
        if choice == PeriodChoice.FREE:
            if missing := [name for name in ("from", "to") if name not in data]:
                raise serializers.ValidationError(
                    dict.fromkeys(missing, _("Send the first and the last day.")), "required"
                )
            period = Period(data["from"], data["to"])
            check_period(period)
        else:
            period = period_named(choice, today())
        group_by = GroupBy(data.get("group_by") or group_for(period))
        check_rows(period, group_by)
        return {"asked": Asked(choice, period, group_by)}


SOLD = {
    "parcels": 2,
    "units": 3,
    "sales": "199.98",
    "commission": "16.00",
    "payment_fees": "0.00",
    "refunds": "9.20",
    "net": "174.78",
    "ship_seconds": 93_600,
}
NOTHING = {name: "0.00" if isinstance(value, str) else 0 for name, value in SOLD.items()} | {
    "ship_seconds": None
}
MONTH = {"from": "2026-11-01", "to": "2026-11-30"}


class SoldShape(serializers.Serializer[Any]):
    parcels = serializers.IntegerField(
        help_text="Parcels that were earned, also if they were cancelled later."
    )
    units = serializers.IntegerField(help_text="Units in them.")
    sales = AmountShape(help_text="Their totals with tax and shipping, without tax that the shop remits.")
    commission = AmountShape(help_text="The shop's commission on them as agreed, with the tax on it.")
    payment_fees = AmountShape(help_text="Payment fees that were booked, with the tax on them.")
    refunds = AmountShape(
        help_text="The artisan's part of what refunds, cancellations and lost disputes took back, less what came "
        "back again. The shop's commission on it is given back, so it is not part of it."
    )
    net = AmountShape(help_text="What was booked on the artisan's accounts for earnings.")
    ship_seconds = serializers.IntegerField(
        allow_null=True,
        help_text="Median time from the release of an order to the shipping of its parcel, of the parcels shipped on "
        "these days; null if there were none.",
    )


class SalesRowShape(SoldShape):
    to = serializers.DateField()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}


class PeriodShape(serializers.Serializer[Any]):
    to = serializers.DateField()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}


class ProductSalesShape(serializers.Serializer[Any]):
    product_id = serializers.UUIDField()
    name = serializers.CharField()
    units = serializers.IntegerField()
    sales = AmountShape(help_text="Without tax and shipping.")


class CurrencySalesShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    total = SoldShape()
    before = SoldShape(help_text="Of the same number of days before.")
    rows = SalesRowShape(many=True, help_text="Each day, week or month of the period, oldest first.")
    products = ProductSalesShape(many=True, help_text="The ten that brought in most, in the period.")


@example(
    {
        **MONTH,
        "group_by": "month",
        "before": {"from": "2026-10-02", "to": "2026-10-31"},
        "currencies": [
            {
                "currency": "USD",
                "total": SOLD,
                "before": NOTHING,
                "rows": [MONTH | SOLD],
                "products": [
                    {"product_id": PRODUCT_ID, "name": "Moon jar", "units": 3, "sales": "163.62"},
                ],
            }
        ],
    }
)
class SalesShape(serializers.Serializer[Any]):
    to = serializers.DateField()
    group_by = serializers.ChoiceField(GroupBy.choices)
    before = PeriodShape(help_text="The days that are compared.")
    currencies = CurrencySalesShape(many=True, help_text="Those in which something was sold or booked.")

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}
