"""Pages of the admin's lists, which count only as many rows as anyone would page through."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.views.main import SEARCH_VAR, ChangeListSearchForm
from django.core.paginator import Page, Paginator
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from unfold.views import ChangeList

from artisans.core.admin.filters import invalid_values
from artisans.core.texts import search_text

PER_PAGE = 50
MOST = 10_000  # rows that are counted and can be paged through
FEW = 1000  # rows that are sorted faster than a page of them is found by reading an index in its order


class SearchField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return search_text(super().to_python(value) or "")


class SearchForm(ChangeListSearchForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[SEARCH_VAR] = SearchField(required=False)


class KeyedChangeList(ChangeList):
    """A list that finds the keys of a page first, and then reads its rows: those before it, and those that filters and
    searches leave out, cost no joins, annotations or comparisons of all columns."""

    result_list: Any

    search_form_class = SearchForm

    def get_results(self, request: HttpRequest) -> None:
        """Without a search or filter, all rows are found: the page then has no link that shows all of them."""
        super().get_results(request)
        keys = list(self.result_list.values_list("pk", flat=True)) if self.result_count else []
        self.result_list = self.rows_of(keys).order_by(*self.queryset.query.order_by)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        for spec in found[0] if request.method == "GET" else ():
            for value in invalid_values(spec):
                message = _("“%(value)s” is not a valid value of the filter “%(filter)s”.")
                messages.warning(request, message % {"value": value[:40], "filter": spec.title})
        return found

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(*args, **kwargs)
        if not rows.query.distinct:
            return rows
        keys = rows.order_by().values("pk")
        keys.query.distinct = False
        return self.rows_of(keys).order_by(*rows.query.order_by)

    def rows_of(self, keys: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.apply_select_related(self.root_queryset.filter(pk__in=keys))
        return rows


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """The first 10,000 rows: counting more would read the whole table, and so would a page far behind. `most`: fewer
    where a row costs more to count."""

    template_name = "admin/_pages.html"
    most = MOST

    @cached_property
    def found(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self.found, self.most)

    def page(self, number: Any) -> Page:  # type: ignore[type-arg]  # generic in the stubs only
        rows: Any = self.object_list
        if self.found <= FEW:
            self.object_list = rows.order_by(*map(sorted_order, rows.query.order_by))
        return super().page(number)

    @property
    def has_more(self) -> bool:
        return self.found > self.most


def sorted_order(column: Any) -> Any:
    """The same order in a form that no index has, so that PostgreSQL sorts the rows that it found."""
    if not isinstance(column, str) or "pk" in column:
        return column
    name = column.removeprefix("-")
    return OrderBy(Coalesce(F(name), F(name)), descending=column.startswith("-"))
