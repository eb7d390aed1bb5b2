"""Pages of the admin's lists, which count only as many rows as anybody would page through."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.functional import cached_property

PER_PAGE = 50
MOST = 10_000  # rows that are counted and can be paged through


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
