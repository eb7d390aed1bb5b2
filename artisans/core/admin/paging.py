"""Pages of the admin's lists, which count only as many rows as anybody would page through."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

PER_PAGE = 50
MOST = 10_000  # rows that are counted and can be paged through


class KeyedChangeList(ChangeList):
    """A list whose filters by other tables look up keys: Django's DISTINCT would compare all columns of all rows."""

    def get_results(self, request: HttpRequest) -> None:
        """Without a search or filter, all rows are found: the page then has no link that shows all of them."""
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(*args, **kwargs)
        if not rows.query.distinct:
            return rows
        keys = rows.order_by().values("pk")
        keys.query.distinct = False
        plain: QuerySet[Any] = self.apply_select_related(self.root_queryset.filter(pk__in=keys))
        return plain.order_by(*rows.query.order_by)


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """The first 10,000 rows: counting more would read the whole table, and so would a page far behind."""

    template_name = "admin/_pages.html"

    @cached_property
    def found(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: MOST + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self.found, MOST)

    def page(self, number: Any) -> Page:  # type: ignore[type-arg]  # generic in the stubs only
        """Find the keys first: the rows before a page are then skipped without their joins and annotations."""
        found = super().page(number)
        rows: Any = self.object_list
        keys = list(found.object_list.values_list("pk", flat=True))  # type: ignore[attr-defined]  # a query
        found.object_list = rows.filter(pk__in=keys)
        return found

    @property
    def has_more(self) -> bool:
        return self.found > MOST
