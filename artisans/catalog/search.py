"""Search of products, with the same answers on PostgreSQL (tsvector, pg_trgm) and SQLite (FTS5).

All words must be found, each in any field; the last one typed also finds words that it begins, never parts of words.
Order: whole words in the title, then in title, materials, category and artisan; beginnings in the same; words of the
description. If nothing matches, typing slips are corrected. `words.py`: what a word is; `search_index.py`: what is
searched; docs/adr/0013-search-documents.md: why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice, pairwise, product
from operator import or_
from typing import Any, TypeAlias

from django.db.models import BooleanField, Case, F, Func, Q, QuerySet, When
from django.db.models.functions import Length

from artisans.catalog.models import Product, SearchTerm
from artisans.catalog.search_index import FIELDS
from artisans.catalog.words import (
    QueryWord,
    intact,
    joined,
    query_words,
    shown,
    slips,
    slips_allowed,
    stem,
)

MAX_LENGTH = 120  # characters of a query: as long as a title
MOST_WORDS = 8  # of a query that is corrected
MOST_TRIES = 25
SHORTEST_HALF = 3  # letters of two words without their space
MOST_CANDIDATES = 5  # words instead of one
NEAR = 8  # products
HEADING = (1, 2)  # fields: the title; and materials, category and artisan

Words: TypeAlias = tuple[QueryWord, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`products`, best match first. `corrected` is the query that found them if it is not the one typed."""

    products: QuerySet[Product]
    words: Words = ()
    corrected: str = ""


def search(products: QuerySet[Product], text: str) -> SearchResult:
    """Of these products, those that match the text. No words in the text: none."""
    words = query_words(text[:MAX_LENGTH])
    found = matching(products, words)
    if not words or found.exists():
        return SearchResult(found, words)
    corrected = correct(products, words)
    other = shown(corrected) if shown(corrected) != shown(words) else ""
    return SearchResult(matching(products, corrected), corrected, other)


def search_near(products: QuerySet[Product], words: Words) -> QuerySet[Product]:
    """What comes nearest when nothing matches: all words, else any of them, first in the title."""
    some = [Condition(words, fields, any_word=True) for fields in HEADING]
    every, last = Condition(words, begins=True), Condition(words, any_word=True)
    return ranked(products, [every, *some, last])[:NEAR]


@dataclass(frozen=True, slots=True)
class Condition:
    """Which documents match: those with all words, or any; `begins`: with words that a beginning begins, too."""

    words: Words
    fields: int = len(FIELDS)  # so many from the first
    begins: bool = False
    any_word: bool = False

    @property
    def is_everywhere(self) -> bool:
        return self.fields == len(FIELDS)

    def tsquery(self) -> str:
        weights = "" if self.is_everywhere else "AB"[: self.fields]

        def one(term: str) -> str:
            return f"{term.rstrip('*')}:{'*' * term.endswith('*')}{weights}"

        return self.write(" & ", " | ", one)

    def fts5(self) -> str:
        def one(term: str) -> str:
            return f'"{term.rstrip("*")}"{"*" * term.endswith("*")}'

        return f"{{{' '.join(FIELDS[: self.fields])}}} : ({self.write(' AND ', ' OR ', one)})"

    def write(self, all_of: str, any_of: str, one: Callable[[str], str]) -> str:
        words = [
            any_of.join(
                f"({all_of.join(map(one, terms))})" for terms in word.alternatives(begins=self.begins)
            )
            for word in self.words
        ]
        return (any_of if self.any_word else all_of).join(f"({word})" for word in words)


class Matches(Func):
    """Whether a product's search document matches a condition, by the full-text index of the database."""

    output_field = BooleanField()

    def __init__(self, condition: Condition) -> None:
        super().__init__(F("search_document__id"))
        self.condition = condition

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[str]]:
        document: Any = self.source_expressions[0]
        column = "vector" if self.condition.is_everywhere else "heading"
        table = compiler.quote_name_unless_alias(document.alias)
        return f"{table}.{column} @@ %s::tsquery", [self.condition.tsquery()]

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        key, _ = compiler.compile(self.source_expressions[0])
        found = "SELECT rowid FROM catalog_searchtext WHERE catalog_searchtext MATCH %s"
        return f"{key} IN ({found})", [self.condition.fts5()]


def matching(products: QuerySet[Product], words: Words) -> QuerySet[Product]:
    steps = [Condition(words, fields, begins=begins) for begins in (False, True) for fields in HEADING]
    return ranked(products, [*steps, Condition(words, begins=True)])


def ranked(products: QuerySet[Product], conditions: Sequence[Condition]) -> QuerySet[Product]:
    """The products that match the last condition, which all others imply; those of the first conditions first."""
    if not conditions[0].words:
        return products.none()
    steps = [When(Matches(condition), then=n) for n, condition in enumerate(conditions[:-1])]
    found = products.filter(Matches(conditions[-1]), search_document__isnull=False)
    return found.order_by(Case(*steps, default=len(steps)), "-created_at", "slug")


def correct(products: QuerySet[Product], words: Words) -> Words:
    """The words as beginnings; or two of them as one; or those that no product has replaced by the nearest."""
    if len(words) > MOST_WORDS:
        return words
    beginnings = tuple(replace(word, is_beginning=True) for word in words)
    if matching(products, beginnings).exists():
        return beginnings
    for n, (word, following) in enumerate(pairwise(words)):
        one = QueryWord(joined(word.text) + joined(following.text), following.is_beginning)
        if matching(products, together := (*words[:n], one, *words[n + 2 :])).exists():
            return together
    choices = [
        [word] if matching(products, (word,)).exists() else (similar(word) or [word]) for word in words
    ]
    tries = [query_words(shown(choice)) for choice in islice(product(*choices), MOST_TRIES)]
    return next((choice for choice in tries if matching(products, choice).exists()), tries[0])


def similar(word: QueryWord) -> list[QueryWord]:
    """Up to five words of the shop that typing slips may have made into this one, nearest first."""
    typed = joined(word.text)
    most, forms = slips_allowed(typed), {typed, stem(typed)}
    if not most:
        return []
    lengths = {len(form) for form in forms}
    candidates = SearchTerm.objects.filter(reduce(or_, (could_be(form, most=most) for form in forms)))
    of_length = candidates.alias(length=Length("term")).filter(
        length__gte=min(lengths) - most, length__lte=max(lengths) + most
    )
    distances: dict[str, tuple[int, bool, bool, int]] = {}
    for term, shown_as, field in of_length.values_list("term", "word", "field"):
        distance = min(slips(form, term, most=most) for form in forms)
        if distance <= most:
            in_description, other_start = field == len(FIELDS) - 1, term[0] != typed[0]
            order = (distance, in_description, other_start, abs(len(term) - len(typed)))
            distances[shown_as] = min(distances.get(shown_as, order), order)
    nearest = sorted(distances, key=lambda each: (distances[each], each))
    return [QueryWord(each) for each in (*nearest[:MOST_CANDIDATES], *two_words(typed))]


def two_words(typed: str) -> list[str]:
    """The word as two words of the shop, if the space between them is missing."""
    halves = [(typed[:n], typed[n:]) for n in range(SHORTEST_HALF, len(typed) - SHORTEST_HALF + 1)]
    known = set(
        SearchTerm.objects.filter(term__in=[part for both in halves for part in both]).values_list(
            "term", flat=True
        )
    )
    return [" ".join(both) for both in halves if known.issuperset(both)]


def could_be(form: str, *, most: int) -> Q:
    """All terms within so many slips, and others; the trigram index of PostgreSQL finds them."""
    start, middle, end = intact(form, most=most)
    either_end = Q(term__startswith=start) | Q(term__endswith=end)
    return either_end | Q(term__contains=middle) if middle else either_end
