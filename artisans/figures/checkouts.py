"""Lists of checkouts and their problems: the rows behind their figures."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import ReadOnlyAdmin, column, when
from artisans.figures.families import COUNTED, HAS_RECOVERED, PROBLEMS, STEPS, counted, has_left
from artisans.figures.registry import STEP_TITLES
from artisans.figures.roles import VIEW_METRICS
from artisans.figures.words import code_text
from artisans.journeys.models import Journey, JourneyProblem

ABANDONED, RECOVERED = "abandoned", "recovered"


class ReachedFilter(admin.SimpleListFilter):
    title = _("reached")
    parameter_name = "reached"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        steps = [(name, str(title)) for name, title in STEP_TITLES.items()]
        return [
            *steps,
            (ABANDONED, str(_("Abandoned"))),
            (RECOVERED, str(_("Placed after it was abandoned"))),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Journey]) -> QuerySet[Journey]:
        value = self.value() or ""
        if value == ABANDONED:
            return queryset.filter(has_left())
        if value == RECOVERED:
            return queryset.filter(HAS_RECOVERED)
        return queryset.filter(**{f"{STEPS[value]}__isnull": False}) if value in STEPS else queryset


class CountedAdmin(ReadOnlyAdmin):
    """Whoever sees the figures sees the rows that they count, and no others."""

    list_filter_submit = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(VIEW_METRICS))


@admin.register(Journey)
class JourneyAdmin(CountedAdmin):
    views = {"": _("All"), "reached=placed": _("Placed"), "reached=abandoned": _("Abandoned")}
    list_display = ("started", "channel", "device", "currency", "last_step", "last")
    list_filter = (ReachedFilter, "channel", "device", "currency", ("started_at", DayRangeFilter))
    fields = (*list_display, "delivery_country", "is_signed_in")
    ordering = ("-started_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Journey]:
        return COUNTED.filter(counted(), started_at__isnull=False)

    @column(_("Started"), ordering="started_at", file="started_at")
    def started(self, row: Journey) -> str:
        return when(row.started_at) if row.started_at else ""

    @column(_("Last step"))
    def last_step(self, row: Journey) -> str:
        reached = [name for name, column in STEPS.items() if name in STEP_TITLES and getattr(row, column)]
        return str(STEP_TITLES[reached[-1]] if reached else _("First item in the cart"))

    @column(_("Last change"), ordering="last_at", file="last_at")
    def last(self, row: Journey) -> str:
        return when(row.last_at)


@admin.register(JourneyProblem)
class JourneyProblemAdmin(CountedAdmin):
    views = {"": _("All"), "kind__exact=declined": _("Payment declined"), "kind__exact=script": _("Scripts")}
    list_display = ("time", "channel", "step", "kind", "problem", "code")
    list_filter = ("channel", "step", "kind", ("at", DayRangeFilter))
    fields = list_display
    ordering = ("-at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[JourneyProblem]:
        return PROBLEMS.filter(counted())

    @column(_("Time"), ordering="at", file="at")
    def time(self, row: JourneyProblem) -> str:
        return when(row.at)

    @column(_("Field or problem"), file=())
    def problem(self, row: JourneyProblem) -> str:
        return code_text(row.code)
