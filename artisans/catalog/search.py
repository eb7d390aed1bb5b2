"""Search of products, with the same answers on PostgreSQL (tsvector, pg_trgm) and SQLite (FTS5).

All words must be found, each in any field; the last one typed also finds words that it begins, never parts of words.
Order: whole words in the title, then in title, materials, category and artisan; beginnings in the same; words of the
description. If nothing matches, related words are tried and typing slips corrected. `words.py`: what a word is;
`search_index.py`: what is searched; docs/adr/0013-search-documents.md: why.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice, pairwise, product
from operator import itemgetter, or_
from typing import Any, TypeAlias, overload
from uuid import UUID

from django.db.models import BooleanField, Case, F, Func, Q, QuerySet, When
from django.db.models.functions import Length

from artisans.catalog.models import Product, SearchTerm
from artisans.catalog.search_index import FIELDS
from artisans.catalog.words import (
    LONGEST_ENDING,
    SWAP_FROM,
    QueryWord,
    distance,
    intact,
    joined,
    query_words,
    related,
    shown,
    singular,
    slips_allowed,
    stem,
)

MAX_LENGTH = 120  # characters of a query: as long as a title
MOST_RESULTS = 500  # that can be paged through; counting and sorting more takes long
MOST_WORDS = 8  # of a query that is corrected
MOST_TRIES = 25
SHORTEST_HALF = 3  # letters of two words without their space
MOST_CANDIDATES = 5  # words instead of one
NEAR = 8  # products
HEADING = (1, 2)  # fields: the title; and materials, category and artisan
# By number of fields. Each has an index.
ON_POSTGRESQL = (
    "{0}.title::tsvector @@ %s::tsquery",
    "({0}.title || {0}.labels)::tsvector @@ %s::tsquery",
    "{0}.vector @@ %s::tsquery",
)
DOCUMENT_OF = "SELECT 1 FROM catalog_searchdocument document WHERE document.product_id = "

Words: TypeAlias = tuple[QueryWord, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`products` in no order. `corrected` is the query that found them if it is not the one typed."""

    products: QuerySet[Product]
    words: Words = ()
    corrected: str = ""


def search(products: QuerySet[Product], text: str) -> SearchResult:
    """Of these products, those that match the text. No words in the text: none."""
    words, corrected = search_words(products, text)
    return SearchResult(matching(products, words), words, corrected)


def search_words(products: QuerySet[Product], text: str) -> tuple[Words, str]:
    """The words to search for; if none of the products match those typed, corrected ones, and these to show."""
    typed = query_words(text[:MAX_LENGTH])
    if has_match(products, typed):
        return typed, ""
    words = correct(products, typed)
    return words, shown(words) if shown(words) != shown(typed) else ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Which documents match: those with all words, or any; `begins`: with words that a beginning begins, too."""

    words: Words
    fields: int = len(FIELDS)  # so many from the first
    begins: bool = False
    any_word: bool = False

    def tsquery(self) -> str:
        def one(term: str) -> str:
            return f"{term.removesuffix('*')}:*" if term.endswith("*") else term

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

    def __init__(self, condition: Condition, document: str = "search_document__id") -> None:
        super().__init__(F(document))
        self.condition = condition

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[str]]:
        document: Any = self.source_expressions[0]
        return self.on_postgresql(compiler.quote_name_unless_alias(document.alias))

    def on_postgresql(self, table: str) -> tuple[str, list[str]]:
        return ON_POSTGRESQL[self.condition.fields - 1].format(table), [self.condition.tsquery()]

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        key, _ = compiler.compile(self.source_expressions[0])
        return self.on_sqlite(key)

    def on_sqlite(self, key: str) -> tuple[str, list[str]]:
        found = "SELECT rowid FROM catalog_searchtext WHERE catalog_searchtext MATCH %s"
        return f"{key} IN ({found})", [self.condition.fts5()]


class MatchesOften(Matches):
    """The same for a frequent word: asked product by product, so that the index of the order ends the query early."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition, "pk")

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[str]]:
        return self.one_by_one(compiler, *self.on_postgresql("document"), end="OFFSET 0")  # not a join

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.one_by_one(compiler, *self.on_sqlite("+document.id"))  # + keeps it from being read first

    def one_by_one(
        self, compiler: Any, condition: str, values: list[str], end: str = ""
    ) -> tuple[str, list[str]]:
        product, _ = compiler.compile(self.source_expressions[0])
        return f"EXISTS ({DOCUMENT_OF}{product} AND {condition} {end})", values


def matching(products: QuerySet[Product], words: Words) -> QuerySet[Product]:
    """Those that match, in no order."""
    return those_with(products, Condition(words, begins=True)) if words else products.none()


def has_match(products: QuerySet[Product], words: Words) -> bool:
    return bool(words) and those_with(products, Condition(words, begins=True)).exists()


def those_with(products: QuerySet[Product], condition: Condition) -> QuerySet[Product]:
    return products.filter(Matches(condition), search_document__isnull=False)


class FoundProducts(Sequence[Product]):
    """Products by their keys, in this order; only those asked for are read.

    Slices and iteration leave out products that were removed since they were found; the index of one is an IndexError.
    """

    def __init__(self, products: QuerySet[Product], keys: Iterable[UUID]) -> None:
        self.products, self.keys = products, list(keys)

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> Product: ...
    @overload
    def __getitem__(self, index: slice) -> list[Product]: ...
    def __getitem__(self, index: int | slice) -> Product | list[Product]:
        if isinstance(index, int):
            found = self.products.filter(pk=self.keys[index]).first()
            if found is None:
                raise IndexError(index)
            return found
        keys = self.keys[index]
        by_key = {product.pk: product for product in self.products.filter(pk__in=keys).order_by()}
        return [by_key[key] for key in keys if key in by_key]

    def __iter__(self) -> Iterator[Product]:
        return iter(self[:])


def best_first(products: QuerySet[Product], words: Words) -> FoundProducts:
    """The products that match, best match first; of more than MOST_RESULTS the best."""
    steps = [Condition(words, fields, begins=begins) for begins in (False, True) for fields in HEADING]
    return FoundProducts(products, ranked(products, [*steps, Condition(words, begins=True)]))


def sorted_by(products: QuerySet[Product], words: Words, order: Sequence[str]) -> FoundProducts:
    """The products that match in this order; of more than MOST_RESULTS the first."""
    found = matching(products, words).order_by(*order)
    return FoundProducts(products, found.values_list("pk", flat=True)[:MOST_RESULTS])


@dataclass(frozen=True, slots=True)
class NearProducts:
    """What comes nearest when nothing matches, best match first; each has all of `words`, or some."""

    products: Sequence[Product] = ()
    words: str = ""
    has_all_words: bool = False


def search_near(products: QuerySet[Product], words: Words) -> NearProducts:
    """Up to NEAR products with the words that any product has."""
    known = tuple(word for word in words if has_match(products, (word,)))
    if not known:
        return NearProducts()
    if has_match(products, known):
        return NearProducts(best_first(products, known)[:NEAR], shown(known), has_all_words=True)
    steps = [
        Condition(known, fields, begins=begins, any_word=True)
        for begins in (False, True)
        for fields in (*HEADING, len(FIELDS))
    ]
    return NearProducts(FoundProducts(products, ranked(products, steps))[:NEAR], shown(known))


def ranked(products: QuerySet[Product], steps: Sequence[Condition]) -> list[UUID]:
    """Keys of up to MOST_RESULTS products that match the last condition, which all others imply.

    Those of the first conditions come first, and of one condition the newest.
    """
    if not steps[0].words:
        return []
    step = Case(*(When(Matches(one), then=n) for n, one in enumerate(steps)), default=len(steps))
    rows = newest_first(products, steps[-1], step)
    if len(rows) > MOST_RESULTS:
        return ranked_by_step(products, steps)
    return [key for key, *_, n in sorted(rows, key=itemgetter(-1))]


def ranked_by_step(products: QuerySet[Product], steps: Sequence[Condition]) -> list[UUID]:
    """The same for very many: one condition after the other until there are enough."""
    keys: dict[UUID, None] = {}
    for condition in steps:
        rows = newest_first(products, condition)
        if len(rows) > MOST_RESULTS:
            often = products.filter(MatchesOften(condition)).order_by("-created_at", "slug")
            rows = list(often.values_list("pk")[:MOST_RESULTS])
        keys |= dict.fromkeys(key for key, *_ in rows)
        if len(keys) >= MOST_RESULTS:
            break
    return list(keys)[:MOST_RESULTS]


def newest_first(products: QuerySet[Product], condition: Condition, *columns: Any) -> list[Any]:
    """Key and columns of the products that match. If there are more than MOST_RESULTS: one more than that, any."""
    found = those_with(products, condition).order_by().values_list("pk", "created_at", "slug", *columns)
    rows = sorted(found[: MOST_RESULTS + 1], key=itemgetter(2))
    return sorted(rows, key=itemgetter(1), reverse=True)


def correct(products: QuerySet[Product], words: Words) -> Words:
    """The words as beginnings; or two of them as one; or those that no product has replaced by the nearest."""
    if not 0 < len(words) <= MOST_WORDS:
        return words
    words = as_beginnings(words)
    if has_match(products, words):
        return words
    for n, (word, following) in enumerate(pairwise(words)):
        one = QueryWord(joined(word.text) + joined(following.text), is_beginning=True)
        if has_match(products, together := (*words[:n], one, *words[n + 2 :])):
            return together
    choices = [[word] if has_match(products, (word,)) else (similar(word) or [word]) for word in words]
    tries = [as_beginnings(choice) for choice in islice(product(*choices), MOST_TRIES)]
    spaced = [
        as_beginnings((*words[:n], *both, *words[n + 1 :]))
        for n, word in enumerate(words)
        for both in two_words(joined(word.text))
    ]
    found = (choice for choice in (*tries, *spaced) if has_match(products, choice))
    return next(found, tries[0])


def as_beginnings(words: Words) -> Words:
    """Each once."""
    return tuple(QueryWord(text, is_beginning=True) for text in dict.fromkeys(word.text for word in words))


def similar(word: QueryWord) -> list[QueryWord]:
    """Up to five words of the shop that may be meant by this one, the likeliest first."""
    typed = joined(word.text)
    words = in_shop(related(typed)) or without_slips(typed) or in_shop(related(typed, with_slips=True))
    return [QueryWord(each) for each in words[:MOST_CANDIDATES]]


def in_shop(words: list[str]) -> list[str]:
    known = known_terms(map(stem, words))
    return [word for word in words if stem(word) in known]


def without_slips(typed: str) -> list[str]:
    """The words of the shop that typing slips may have made into this one, the likeliest first."""
    if len(typed) < SWAP_FROM:
        return []
    nearest: dict[str, tuple[int, bool, int]] = {}
    for term, shown_as, field in candidates(typed).values_list("term", "word", "field"):
        slips = distance(typed, term)
        if slips is not None:
            in_description = field == len(FIELDS) - 1
            order = (slips, in_description, abs(len(term) - len(typed)))
            nearest[shown_as] = min(nearest.get(shown_as, order), order)
    return sorted(nearest, key=lambda each: (nearest[each], each))


def candidates(typed: str) -> QuerySet[SearchTerm]:
    """All terms that a word may mean, and others; the indexes of the database find them."""
    most = slips_allowed(typed)
    could_be = reduce(or_, (leaves_intact(form, most=most) for form in {typed, singular(typed)}))
    shortest, longest = len(typed) - LONGEST_ENDING, len(typed) + LONGEST_ENDING
    terms = SearchTerm.objects.alias(length=Length("term")).filter(length__gte=shortest, length__lte=longest)
    return terms.filter(could_be, term__startswith=typed[0])


def two_words(typed: str) -> list[Words]:
    """The word as two words of the shop, if the space between them is missing."""
    halves = [(typed[:n], typed[n:]) for n in range(SHORTEST_HALF, len(typed) - SHORTEST_HALF + 1)]
    known = known_terms(part for both in halves for part in both)
    return [tuple(map(QueryWord, both)) for both in halves if known.issuperset(both)]


def known_terms(terms: Iterable[str]) -> set[str]:
    return set(SearchTerm.objects.filter(term__in=set(terms)).values_list("term", flat=True))


def leaves_intact(form: str, *, most: int) -> Q:
    """All terms within so many slips, and others; the trigram index of PostgreSQL finds them."""
    start, middle, end = intact(form, most=most)
    either_end = Q(term__startswith=start) | Q(term__endswith=end)
    return either_end | Q(term__contains=middle) if middle else either_end
