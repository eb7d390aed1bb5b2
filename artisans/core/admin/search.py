"""Search of the admin's lists by words that may be parts of others, in any order: by trigrams on PostgreSQL."""

from functools import reduce
from operator import and_
from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import Combinable

M = TypeVar("M", bound=Model)
SHORTEST = 3  # characters of a word that an index of trigrams can find; shorter words only narrow a search


def containing(rows: QuerySet[M], text: str | Combinable, term: str) -> QuerySet[M]:
    """The rows whose `text` (a column or an expression) contains every word of the term, whatever its case.

    None if no word is long enough. The index that finds them is on UPPER(text), with gin_trgm_ops.
    """
    words = term.split()
    if not any(len(word) >= SHORTEST for word in words):
        return rows.none()
    if isinstance(text, str):
        return rows.filter(every(text, words))
    named: QuerySet[M] = rows.alias(searched_text=text)  # type: ignore[assignment]  # the stubs' second parameter
    return named.filter(every("searched_text", words))


def every(column: str, words: list[str]) -> Q:
    conditions = (Q(**{f"{column}__icontains": word}) for word in words)
    return reduce(and_, conditions, Q())
