"""Names of what entries refer to by key: orders, parcels, payments. Apps above register theirs in `apps.py`."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db.models import Model, Q, Value

from artisans.core.admin.pages import admin_page_url

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from artisans.ledger.models import LedgerEntry

# The key of a row; a parcel also by its order and artisan.
Key = UUID | tuple[UUID, UUID]


class Reference(NamedTuple):
    """`address`: of a page in the admin."""

    name: str
    address: str


class NamedFact(NamedTuple):
    """What an entry may book. `name`: the column whose value `text` has as its number; `page`: that of the row whose
    page shows it, "pk" or a foreign key."""

    model: type[Model]
    name: str
    page: str
    text: "_StrPromise"

    @property
    def page_model(self) -> type[Model]:
        if self.page == "pk":
            return self.model
        field: Any = self.model._meta.get_field(self.page)
        found: type[Model] = field.related_model
        return found


NAMED_FACTS: list[NamedFact] = []
SOURCES: list[Callable[[Collection["LedgerEntry"]], Mapping[Key, Reference]]] = []
SEARCHES: list[Callable[[str], Q]] = []  # conditions of entries about a number, such as an order's


def find_references(entries: Collection["LedgerEntry"]) -> dict[Key, Reference]:
    found: dict[Key, Reference] = fact_references({entry.fact_id for entry in entries})
    for source in SOURCES:
        found |= source(entries)
    return found


def fact_references(keys: Collection[UUID]) -> dict[Key, Reference]:
    """In one statement."""
    first, *more = (
        fact.model._default_manager.filter(pk__in=keys)
        .order_by()
        .values_list(Value(position), "pk", fact.name, fact.page)
        for position, fact in enumerate(NAMED_FACTS)
    )
    found: dict[Key, Reference] = {}
    for position, key, number, page in first.union(*more, all=True):
        fact = NAMED_FACTS[position]
        found[key] = Reference(fact.text % {"number": number}, admin_page_url(fact.page_model(pk=page)))
    return found


def entries_about(text: str) -> Q:
    """The condition of entries with this key, or about this number."""
    condition = Q(key=text.strip().lower())
    for search in SEARCHES:
        condition |= search(text)
    return condition
