"""What is always true of the stored rows. Each app registers its invariants in its invariants.py:

    register_invariants(
        Invariant(
            "order_total",
            "P1",
            _("An order costs its subtotal, tax and shipping."),
            _("Order %(row)s: the total is %(stored)s, but its parts are %(expected)s."),
            find_wrong_totals,
            Order,
        ),
        reads=(Order,),
    )

`manage.py check_invariants` and a nightly task check them, as do the tests after each test. Rows are read in
chunks, so that a large shop needs no more memory than a small one, and each chunk as of one moment, so that the shop
can sell meanwhile. Tables without rows are not read: a shop without orders is checked with one statement.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, wraps
from itertools import groupby, starmap
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

from celery import shared_task
from django.db import DatabaseError, connection
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from prometheus_client.core import Metric

from artisans.core.append_only import missing_triggers
from artisans.core.compiled import CompiledQuery, compiled
from artisans.core.metrics import gauge
from artisans.core.migration_history import is_newer
from artisans.core.models import InvariantResult
from artisans.core.queue import one_at_a_time
from artisans.core.transactions import snapshot

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

StrOrPromise: TypeAlias = "str | _StrPromise"

logger = logging.getLogger(__name__)

TASK = "core.check_invariants"
CHUNK = 500
MOST_LOGGED = 100
MOST_FOUND = 10_000
MOST_STORED = 5  # sentences of each invariant
SEE_RUNBOOK = gettext_lazy("See docs/runbook.md#invariantviolated.")

Row = TypeVar("Row", bound=Model)
Rows: TypeAlias = "dict[Any, list[Any]]"
Report = Callable[[str, int], None]  # called with the plural name of the rows, and how many of them were read


class Mismatch(NamedTuple):
    """What violates an invariant. `row`: its number, or another name for people; `stored` and `expected`: both figures,
    unless the sentence has none."""

    row: object
    stored: object = ""
    expected: object = ""


def compare(row: object, stored: object, expected: object) -> Iterator[Mismatch]:
    if stored != expected:
        yield Mismatch(row, stored, expected)


class Chunk(Generic[Row]):
    """Some rows of the model that an invariant is about, and the rows that belong to them, each read once.

    `filled`: the tables that have rows. `is_whole`: there are no other rows of the model. Then the other tables are
    read whole too, with statements that are compiled once: reading a small shop takes a third of the time.
    """

    def __init__(self, rows: list[Row], filled: Collection[str], *, is_whole: bool) -> None:
        self.rows, self.filled, self.is_whole = rows, filled, is_whole
        self.loaded: dict[Hashable, Any] = {}

    def children(
        self,
        model: type[Model],
        column: str,
        parents: Iterable[Model] | None = None,
        *,
        where: Callable[[list[Any]], Q] | None = None,
    ) -> Rows:
        """Rows of `model` by the key in `column`, in order of their own, for these parents (by default the chunk's).

        `where`: the condition for the parents' keys, if it is not that the column has one of them.
        """
        known = (model, column)
        if known not in self.loaded:
            by_key = {parent.pk: parent for parent in (self.rows if parents is None else parents)}
            self.loaded[known] = self.read(model, column, by_key, where)
        return self.loaded[known]  # type: ignore[no-any-return]

    def read(
        self,
        model: type[Model],
        column: str,
        parents: dict[Any, Model],
        where: Callable[[list[Any]], Q] | None,
    ) -> Rows:
        found: Rows = defaultdict(list)
        if not parents or model._meta.db_table not in self.filled:
            return found
        definition: Any = model._meta.get_field(column)
        if self.is_whole:
            rows = all_rows(model, column if definition.null else "")()
        else:
            keys = list(parents)
            condition = where(keys) if where else Q(**{f"{column}__in": keys})
            rows = list(model._default_manager.filter(condition).order_by("pk"))
        for row in rows:
            key = getattr(row, definition.attname)
            found[key].append(row)
            if definition.is_relation and key in parents:  # so that naming the row reads nothing
                setattr(row, column, parents[key])
        return found

    def once(self, load: "Callable[[Chunk[Row]], Any]") -> Any:
        """The result of `load` for this chunk."""
        if load not in self.loaded:
            self.loaded[load] = load(self)
        return self.loaded[load]


@cache
def all_rows(model: type[Model], filled_column: str = "") -> CompiledQuery[[], Any]:
    """All rows, or those with a value in this column."""
    filled = Q(**{f"{filled_column}__isnull": False}) if filled_column else Q()
    return compiled(lambda: model._default_manager.filter(filled).order_by("pk"))


@cache
def first_rows(model: type[Model]) -> CompiledQuery[[], Any]:
    return compiled(lambda: model._default_manager.order_by("pk")[:CHUNK])


def flat(rows: Rows) -> list[Any]:
    return [row for group in rows.values() for row in group]


def find_fractions(rows: Iterable[Model]) -> Iterator[Mismatch]:
    """Amounts that are no integers, which SQLite accepts."""
    for row in rows:
        for name in amount_columns(type(row)):
            minor = getattr(row, name)
            if minor is not None and type(minor) is not int:
                yield Mismatch(row, f"{name} = {minor}")


@cache
def amount_columns(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields if field.attname.endswith("_minor")]


def one_statement(query: Callable[[], QuerySet[Any, Any]]) -> Callable[[], Iterator[Mismatch]]:
    """Make a `find` of a query of the rows that are wrong, with the values of a Mismatch. Finds the first ten thousand;
    compiled once."""
    rows = compiled(lambda: query()[:MOST_FOUND])

    @wraps(query)
    def find() -> Iterator[Mismatch]:
        yield from starmap(Mismatch, rows())

    return find


@dataclass(frozen=True)
class Invariant:
    """A rule that every row obeys.

    `name`: a few words that never change. `promise`: of docs/invariants.md, such as "P1". `rule`: what is true.
    `sentence`: about a row that breaks it, with the placeholders `row`, `stored` and `expected` of what `find` yields.
    `subject`: the model whose rows `find` gets in chunks; without one it reads what it needs by itself, and is called
    unless all of its `tables` are empty. `remedy`: what to do. `is_nightly`: unless another nightly task checks it.
    """

    name: str
    promise: str
    rule: StrOrPromise
    sentence: StrOrPromise
    find: Callable[..., Iterable[Mismatch]]
    subject: type[Model] | None = None
    tables: tuple[type[Model], ...] = ()
    remedy: StrOrPromise = SEE_RUNBOOK
    is_nightly: bool = True

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Violation:
    """One sentence for people, and what to do about it."""

    invariant: str
    promise: str
    row: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.promise:4} {self.invariant}: {self.sentence}"

    def as_json(self) -> dict[str, str]:
        return asdict(self)


# By name, in the order in which they are checked.
INVARIANTS: dict[str, Invariant] = {}
# Tables that invariants read.
TABLES: dict[str, None] = {}


def register_invariants(*invariants: Invariant, reads: Iterable[type[Model]]) -> None:
    """`reads`: all models whose rows these invariants read through a chunk or name in `tables`."""
    INVARIANTS.update({invariant.name: invariant for invariant in invariants})
    TABLES.update(dict.fromkeys(model._meta.db_table for model in reads))


# ---- checking --------------------------------------------------------------------------------------------------


def find_violations(
    invariants: Iterable[Invariant] | None = None, *, report: Report = lambda name, done: None
) -> Iterator[Violation]:
    """Check these invariants, by default all, and yield what is wrong as it is found. Changes nothing."""
    chosen = list(INVARIANTS.values() if invariants is None else invariants)
    filled = filled_tables()
    for invariant in chosen:
        if invariant.subject is None and (
            not invariant.tables or filled & {model._meta.db_table for model in invariant.tables}
        ):
            yield from violations_of(invariant)
    chosen = [row for row in chosen if row.subject and row.subject._meta.db_table in filled]
    for subject, group in groupby(sorted(chosen, key=subject_name), key=lambda row: row.subject):
        if subject is not None:
            yield from violations_in(subject, list(group), filled, report)


def subject_name(invariant: Invariant) -> str:
    return str(invariant.subject and invariant.subject._meta.label)


def filled_tables() -> set[str]:
    """Those of `TABLES` that have rows, in one statement."""
    if not TABLES:
        return set()
    parts = (f"EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})" for table in TABLES)  # noqa: S608  # our own
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}")
        return {table for table, has_rows in zip(TABLES, cursor.fetchone(), strict=True) if has_rows}


def violations_in(
    model: type[Model], invariants: list[Invariant], filled: set[str], report: Report
) -> Iterator[Violation]:
    """In order of their keys, so that rows that are added meanwhile delay nothing."""
    rows = model._default_manager.order_by("pk")
    done, last = 0, None
    while True:
        with snapshot():
            found = first_rows(model)() if last is None else list(rows.filter(pk__gt=last)[:CHUNK])
            chunk = Chunk(found, filled, is_whole=last is None and len(found) < CHUNK)
            violations = [row for invariant in invariants for row in violations_of(invariant, chunk)]
        yield from violations
        done += len(found)
        if len(found) < CHUNK:
            return
        report(str(model._meta.verbose_name_plural), done)
        last = found[-1].pk


def violations_of(invariant: Invariant, *chunk: Chunk[Any]) -> Iterator[Violation]:
    """A row that is so wrong that the rule cannot be computed is a violation too."""
    try:
        for found in invariant.find(*chunk):
            yield violation(invariant, str(found.row), sentence_of(invariant, found))
    except DatabaseError:
        raise
    except Exception as error:  # whatever a damaged row causes
        logger.warning("invariant_failed", extra={"invariant": invariant.name}, exc_info=True)
        text = _("The rule cannot be computed: %(error)s.") % {"error": f"{type(error).__name__}: {error}"}
        yield violation(invariant, "", text)


def sentence_of(invariant: Invariant, found: Mismatch) -> str:
    return str(invariant.sentence) % {name: str(value) for name, value in found._asdict().items()}


def violation(invariant: Invariant, row: str, sentence: str) -> Violation:
    return Violation(invariant.name, invariant.promise, row, sentence, str(invariant.remedy))


def find_missing_triggers() -> Iterator[Mismatch]:
    """Not in a newer database, whose triggers can have other names."""
    missing = missing_triggers(connection)
    if missing and not is_newer(connection):
        yield from (Mismatch(name, table) for name, table in missing.items())


TRIGGERS = Invariant(
    "append_only",
    "P9",
    gettext_lazy("The database refuses changes of rows that record money, stock and statuses."),
    gettext_lazy("The trigger %(row)s of the table %(stored)s is missing or disabled."),
    find_missing_triggers,
    remedy=gettext_lazy("Run manage.py migrate, which creates it again, and find out who removed it."),
)


# ---- the nightly check -----------------------------------------------------------------------------------------


@shared_task(name=TASK, soft_time_limit=4 * 3600, time_limit=4 * 3600 + 300)
@one_at_a_time
def check_invariants_task() -> None:
    """Nightly. What it finds is in the log, and stored for the doctor and for an alert."""
    nightly = [row for row in INVARIANTS.values() if row.is_nightly]
    for number, violation in enumerate(check_and_store(nightly), start=1):
        if number <= MOST_LOGGED:
            logger.error(
                "invariant_violated", extra={"invariant": violation.invariant, "detail": violation.sentence}
            )


def check_and_store(
    invariants: Collection[Invariant], *, report: Report = lambda name, done: None
) -> Iterator[Violation]:
    """`find_violations`, and store at the end how many there are of each invariant."""
    counts: Counter[str] = Counter()
    sentences = defaultdict[str, list[str]](list)
    for violation in find_violations(invariants, report=report):
        counts[violation.invariant] += 1
        if counts[violation.invariant] <= MOST_STORED:
            sentences[violation.invariant].append(violation.sentence)
        yield violation
    now = timezone.now()
    since = dict(InvariantResult.objects.filter(violations__gt=0).values_list("name", "since"))
    rows = [
        InvariantResult(
            name=name,
            at=now,
            violations=counts[name],
            since=since.get(name, now) if counts[name] else None,
            sentences=sentences[name],
        )
        for name in sorted(map(str, invariants))
    ]
    InvariantResult.objects.exclude(name__in=INVARIANTS).delete()  # of another release
    InvariantResult.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at", "violations", "since", "sentences"],
    )


def invariant_metrics() -> Iterator[Metric]:
    rows = InvariantResult.objects.filter(name__in=INVARIANTS)
    yield gauge(
        "alley_invariant_violations",
        "How many rows violated an invariant when it was last checked.",  # not for translation
        ["invariant"],
        {(name,): count for name, count in rows.values_list("name", "violations")},
    )
