"""The objects of entries, by the numbers that people know them by."""

from collections.abc import Callable, Iterable
from uuid import UUID

TARGET_SEARCHES: list[Callable[[str], Iterable[UUID]]] = []  # filled by apps: a number to keys of its rows


def targets_named(term: str) -> set[UUID]:
    return {key for search in TARGET_SEARCHES for key in search(term)}
