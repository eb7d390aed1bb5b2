"""Shapes of answers about figures, for the API description."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from artisans.core.api.openapi import AmountShape, example
from artisans.figures.registry import Unit

DEFINITION = {
    "name": "payment_success_rate",
    "title": "Payments that succeeded",
    "sentence": "Payments that were paid, divided by those that were paid or lost.",
    "unit": "share",
    "basis": "day on which it was started",
    "is_per_currency": False,
    "better": "up",
    "dimensions": ["method", "provider", "currency"],
    "mix_of": "",
}
NUMBER = {"oneOf": [{"type": "integer"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}


@example(DEFINITION)
class DefinitionShape(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Stable: a changed definition is a new name.")
    title = serializers.CharField()
    sentence = serializers.CharField(help_text="What is divided by what, and what is left out.")
    unit = serializers.ChoiceField(
        [unit.value for unit in Unit], help_text="`money`: the mean amount. New units may be added."
    )
    basis = serializers.CharField(help_text="Whose day it is.")
    is_per_currency = serializers.BooleanField(help_text="If true, `values` has a figure for each currency.")
    better = serializers.CharField(allow_blank=True, help_text="`up`, `down`, or empty if neither is.")
    dimensions = serializers.ListField(
        child=serializers.CharField(), help_text="What it can be filtered and grouped by, besides time."
    )
    mix_of = serializers.CharField(
        allow_blank=True, help_text="The dimension whose values have shares of the whole; group by it."
    )


@extend_schema_field(NUMBER)
class NumberShape(serializers.Field[Any, Any, Any, Any]):
    """A count, or a sum of money as decimal string."""


class FigureShape(serializers.Serializer[Any]):
    currency = serializers.CharField(required=False, help_text="In `values`.")
    value = AmountShape(
        allow_null=True,
        required=False,
        help_text="A share from 0 to 1, an amount, a count or the median in seconds; null if there is none.",
    )
    numerator = NumberShape(required=False)
    denominator = NumberShape(required=False, allow_null=True)
    percentiles = serializers.DictField(
        child=AmountShape(), required=False, help_text="Of durations: seconds, by percent."
    )


class WholeFigureShape(FigureShape):
    is_thin = serializers.BooleanField(required=False, help_text="The denominator is below 20.")
    interval = serializers.ListField(
        child=AmountShape(),
        required=False,
        allow_null=True,
        help_text="The bounds that hold the true share in 95 of 100 cases.",
    )


class SeriesShape(FigureShape):
    key = serializers.CharField(
        allow_blank=True,
        help_text="The (first) day, the hour of a day like `2026-11-01T13`, or the value of the dimension. Empty ones "
        "are left out.",
    )
    values = FigureShape(many=True, required=False)


class MetricCompareShape(FigureShape):
    values = FigureShape(many=True, required=False)

    def get_fields(self) -> dict[str, Any]:
        days = {"from": serializers.DateField(), "to": serializers.DateField()}
        return days | super().get_fields()


class MetricShape(WholeFigureShape):
    values = WholeFigureShape(many=True, required=False, help_text="Instead of `value`, for each currency.")
    also = serializers.DictField(
        child=serializers.IntegerField(), required=False, help_text="Counts that belong beside it."
    )
    rows = serializers.DictField(
        child=serializers.CharField(),
        help_text="The pages of the admin that list what is counted or added up, by `numerator` and `denominator`, if "
        "there are such lists; of rows of two lists, by name: `opened` (disputes) and `warnings`, `captures_minor` and "
        "`receipts_minor`.",
    )
    compare = MetricCompareShape(required=False)
    series = SeriesShape(many=True, required=False, help_text="With `group_by`.")

    def get_fields(self) -> dict[str, Any]:
        return DefinitionShape().get_fields() | super().get_fields()


class MetricsPeriodShape(serializers.Serializer[Any]):
    time_zone = serializers.CharField()
    is_test_money = serializers.BooleanField(
        help_text="All money is test money: the shop has no live keys, and these figures count it."
    )
    as_of = serializers.DateTimeField()
    waiting_changes = serializers.IntegerField(help_text="Changes that are not counted yet.")

    def get_fields(self) -> dict[str, Any]:
        days = {"from": serializers.DateField(), "to": serializers.DateField()}
        return days | super().get_fields()


@example(
    {
        "period": {
            "from": "2026-11-01",
            "to": "2026-11-27",
            "time_zone": "Europe/Berlin",
            "is_test_money": False,
            "waiting_changes": 0,
            "as_of": "2026-11-28T13:30:05Z",
        },
        "metrics": [
            DEFINITION
            | {
                "value": "0.9298",
                "numerator": 2120,
                "denominator": 2280,
                "is_thin": False,
                "interval": ["0.9186", "0.9396"],
                "also": {"open": 12, "switched": 40},
                "rows": {},
                "compare": {
                    "from": "2026-10-05",
                    "to": "2026-10-31",
                    "value": "0.9270",
                    "numerator": 1854,
                    "denominator": 2000,
                },
                "series": [{"key": "2026-11-01", "value": "0.9400", "numerator": 94, "denominator": 100}],
            }
        ],
    }
)
class MetricsShape(serializers.Serializer[Any]):
    period = MetricsPeriodShape()
    metrics = MetricShape(many=True)
