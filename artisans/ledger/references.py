"""Names of what entries refer to by key: orders, parcels, payments. Apps above register theirs in `apps.py`."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.db.models import Q

if TYPE_CHECKING:
    from artisans.ledger.models import LedgerEntry

# The key of a row; a parcel also by its order and artisan.
Key = UUID | tuple[UUID, UUID]


class Reference(NamedTuple):
    """`address`: of a page in the admin."""

    name: str
    address: str


SOURCES: list[Callable[[Collection["LedgerEntry"]], Mapping[Key, Reference]]] = []
SEARCHES: list[Callable[[str], Q]] = []  # conditions of entries about a number, such as an order's


def find_references(entries: Collection["LedgerEntry"]) -> dict[Key, Reference]:
    found: dict[Key, Reference] = {}
    for source in SOURCES:
        found |= source(entries)
    return found


def entries_about(text: str) -> Q:
    """The condition of entries with this key, or about this number."""
    condition = Q(key=text.strip().lower())
    for search in SEARCHES:
        condition |= search(text)
    return condition
