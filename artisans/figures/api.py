"""Figures for programs of staff: read only."""

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, viewsets
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.core.api.fields import StrictDateField, utc, validated
from artisans.core.api.openapi import operation
from artisans.core.api.views import ApiView
from artisans.core.money import Money
from artisans.core.test_mode import is_test_mode
from artisans.figures.days import Period, today
from artisans.figures.errors import CannotView, GroupNotPossible, MetricUnknown, PeriodTooLong
from artisans.figures.evaluate import HOUR, TIMES, Answer, Figure, Question, evaluate, waiting_changes
from artisans.figures.periods import LONGEST, LONGEST_BY_HOUR, CompareWith, compared_period, period_named
from artisans.figures.registry import METRICS, Metric, Unit
from artisans.figures.roles import VIEW_METRICS
from artisans.figures.rows import rows_of
from artisans.figures.schemas import DefinitionShape, MetricsShape
from payments.methods import PaymentMethod
from payments.providers.registry import provider_choices

DIMENSIONS = sorted({name for metric in METRICS.values() for name in metric.dimensions})


class MayViewMetrics(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        """Errors: CannotView."""
        if not (request.user.is_staff and request.user.has_perm(VIEW_METRICS)):
            raise CannotView
        return True


class MetricsQuery(serializers.Serializer[Any]):
    metrics = serializers.CharField(
        required=False,
        help_text="Names, separated by commas; if omitted, all that have the other parameters.",
    )
    to = StrictDateField(required=False, help_text="The last day, included; today, if omitted.")
    group_by = serializers.ChoiceField(
        list(dict.fromkeys([*TIMES, *DIMENSIONS])),
        required=False,
        help_text="The key of each item of `series`. By `hour`, a period has at most eight days.",
    )
    method = serializers.ChoiceField(PaymentMethod.choices, required=False, help_text="Payment method.")
    provider = serializers.ChoiceField(provider_choices(), required=False, help_text="Payment provider.")
    currency = serializers.RegexField(
        "^[A-Z]{3}$", required=False, help_text="ISO 4217. Currencies are never added."
    )
    compare = serializers.ChoiceField(
        [(one.value, one.value) for one in CompareWith],
        required=False,
        help_text="The same number of days before the period, or the same days of the year before.",
    )

    def get_fields(self) -> dict[str, Any]:
        first = StrictDateField(
            required=False, help_text="The first day; 29 days before the last, if omitted."
        )
        return super().get_fields() | {"from": first}  # a keyword of Python

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        last = data.get("to", today())
        first = data.get("from", period_named("30", last).first)
        if first > last:
            raise serializers.ValidationError({"from": _("Send a day before `to`.")}, "invalid")
        return data | {"period": Period(first, last)}


class MetricsViewSet(ApiView, viewsets.ViewSet):
    permission_classes = (IsAuthenticated, MayViewMetrics)
    scopes = {"show": Scope.STAFF.value, "definitions": Scope.STAFF.value}

    @operation(
        "metrics_list",
        "Show figures",
        responses=MetricsShape,
        query=MetricsQuery,
        problems=(CannotView, MetricUnknown, GroupNotPossible, PeriodTooLong),
    )
    def show(self, request: Request) -> Response:
        """Figures of a period of days in the shop's time zone.

        A change counts within seconds; `waiting_changes` says how many are not counted yet. Send the `ETag` of the last
        response as `If-None-Match`: 304 if nothing has changed.
        """
        sent = validated(MetricsQuery, request.query_params.dict())
        question = question_of(sent)
        metrics = metrics_of(sent.get("metrics", ""), question)
        period = period_out(question.period) | {
            "time_zone": settings.TIME_ZONE,
            "is_test_money": is_test_mode(),
            "waiting_changes": waiting_changes(metrics),
        }
        body = {
            "period": period,
            "metrics": [metric_out(answer, question) for answer in evaluate(metrics, question)],
        }
        tag = etag_of(body)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers=headers)
        period["as_of"] = utc(timezone.now())
        return Response(body, headers=headers)

    @operation(
        "metrics_definitions",
        "List definitions",
        responses=DefinitionShape(many=True),
        problems=(CannotView,),
    )
    def definitions(self, request: Request) -> Response:
        """What each figure divides by what, of which time, and what it leaves out."""
        return Response([definition_out(metric) for metric in METRICS.values()])


def question_of(sent: dict[str, Any]) -> Question:
    """Errors: PeriodTooLong."""
    period: Period = sent["period"]
    if period.days > LONGEST:
        raise PeriodTooLong
    if sent.get("group_by") == HOUR and period.days > LONGEST_BY_HOUR:
        raise PeriodTooLong(is_by_hour=True)
    compare = sent.get("compare")
    return Question(
        period,
        {name: sent[name] for name in ("method", "provider", "currency") if name in sent},
        sent.get("group_by", ""),
        compared_period(period, CompareWith(compare)) if compare else None,
    )


def metrics_of(names: str, question: Question) -> list[Metric]:
    """Errors: MetricUnknown, GroupNotPossible."""
    if not names:
        return [metric for metric in METRICS.values() if not question.missing_dimension(metric)]
    asked = dict.fromkeys(name.strip() for name in names.split(","))
    if unknown := [name for name in asked if name not in METRICS]:
        raise MetricUnknown(unknown)
    metrics = [METRICS[name] for name in asked]
    for metric in metrics:
        if dimension := question.missing_dimension(metric):
            raise GroupNotPossible(metric.name, dimension)
    return metrics


def etag_of(body: Any) -> str:
    """Weak: the time of the answer may differ."""
    text = json.dumps(body, sort_keys=True, default=str)
    return f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


# ---- answers -----------------------------------------------------------------------------------------------------


def definition_out(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "title": str(metric.title),
        "sentence": str(metric.sentence),
        "unit": metric.unit.value,
        "basis": str(metric.basis),
        "is_per_currency": metric.is_per_currency,
        "better": metric.better,
        "dimensions": list(metric.dimensions),
        "mix_of": metric.mix_of,
    }


def metric_out(answer: Answer, question: Question) -> dict[str, Any]:
    metric = answer.metric
    found = definition_out(metric) | figures_out(metric, answer.figures, is_whole=True)
    found["rows"] = rows_of(metric, question)
    if answer.also:
        found["also"] = answer.also
    if question.compared:
        found["compare"] = period_out(question.compared) | figures_out(metric, answer.compared)
    if question.group_by:
        found["series"] = [
            {"key": key} | figures_out(metric, figures) for key, figures in answer.series.items()
        ]
    return found


def figures_out(metric: Metric, figures: Iterable[Figure], *, is_whole: bool = False) -> dict[str, Any]:
    """`values` for each currency where money is counted; otherwise the members of the single figure."""
    found = [figure_out(metric, figure, is_whole=is_whole) for figure in figures]
    return {"values": found} if metric.is_per_currency else found[0]


def figure_out(metric: Metric, figure: Figure, *, is_whole: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"currency": figure.currency} if metric.is_per_currency else {}
    found |= {
        "value": decimal_out(figure.value),
        "numerator": amount_out(figure.numerator, figure.currency) if figure.currency else figure.numerator,
        "denominator": figure.denominator,
    }
    if metric.is_per_currency and metric.unit == Unit.SHARE and figure.denominator is not None:
        found["denominator"] = amount_out(figure.denominator, figure.currency)
    if metric.percentiles:
        found["percentiles"] = {str(n): decimal_out(value) for n, value in figure.percentiles.items()}
    if is_whole:
        found["is_thin"] = figure.is_thin
        found["interval"] = [decimal_out(bound) for bound in figure.interval] if figure.interval else None
    return found


def amount_out(minor: int, currency: str) -> str:
    return Money.stored(minor, currency).amount


def decimal_out(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def period_out(period: Period) -> dict[str, Any]:
    return {"from": period.first.isoformat(), "to": period.last.isoformat()}
