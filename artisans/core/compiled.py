"""Queries that every order repeats, compiled to SQL once per process.

For a short query, Django takes longer to build and compile it than the database to answer it. A function that is
decorated with `compiled` looks like a selector, and is called like one:

    @compiled
    def carts_of(user: UUID, status: str) -> QuerySet[Cart]:
        return Cart.objects.filter(user=user, status=status).order_by()

    carts_of(user.pk, "OPEN")  # a list of carts

The function runs once, with placeholders as arguments. It must not look at them, only pass them to `filter`.
Measured on orders of 5 lines: 16 to 27% less CPU time of web process and database. `insert` writes what every order
writes: another 4%.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from inspect import signature
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import NOT_PROVIDED, Expression, Field, Model, QuerySet, Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.fields.related import ForeignObject
from django.db.models.lookups import In
from django.db.models.query import get_related_populators
from django.db.models.sql import InsertQuery
from django.db.models.sql.compiler import SQLCompiler

P = ParamSpec("P")
Row = TypeVar("Row")


@ForeignObject.register_lookup
@Field.register_lookup
class AnyOf(In):
    """`pk__any=ids`: like `pk__in`, but on PostgreSQL the SQL is the same for every number of ids."""

    lookup_name = "any"

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        right: str
        params: Sequence[Any]
        left, left_params = self.process_lhs(compiler, connection)
        if isinstance(self.rhs, Placeholder):
            right, params = compiler.compile(self.rhs)
        else:
            right, params = "%s", (list(self.rhs),)
        return f"{left} = ANY({right})", [*left_params, *params]


class Placeholder(Expression):
    """An argument of a compiled query; `index` is its position in the call."""

    def __init__(self, index: int) -> None:
        super().__init__(output_field=Field())
        self.index = index

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return "%s", [self]


class Plan(NamedTuple):
    """SQL with its parameters, and how its rows become the results.

    `converters`: by position in the row; `build`: from a converted row.
    """

    sql: str
    params: Sequence[Any]
    locks: bool
    converters: list[tuple[int, list[Any], Any]]
    build: Callable[[Sequence[Any]], Any]


class CompiledQuery(Generic[P, Row]):
    """`queryset` is the query as Django would run it, for comparison and wherever the compiled one does not apply."""

    def __init__(self, queryset: Callable[P, QuerySet[Any, Row]]) -> None:
        update_wrapper(self, queryset)
        self.queryset = queryset
        self.plans: dict[str, Plan] = {}  # by kind of database

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[Row]:
        takes_list = any(isinstance(value, list) for value in args)
        plan = None if kwargs or (takes_list and connection.vendor != "postgresql") else self.plan()
        if plan is None or (plan.locks and not connection.in_atomic_block):
            return list(self.queryset(*args, **kwargs))
        params = [
            prepare(args[value.index]) if isinstance(value, Placeholder) else value for value in plan.params
        ]
        with connection.cursor() as cursor:
            cursor.execute(plan.sql, params)
            rows = cursor.fetchall()
        if plan.converters:
            rows = [convert(row, plan.converters) for row in rows]
        return [plan.build(row) for row in rows]

    def first(self, *args: P.args, **kwargs: P.kwargs) -> Row | None:
        """The row of a unique key, or None."""
        return next(iter(self(*args, **kwargs)), None)

    def plan(self) -> Plan:
        if connection.vendor not in self.plans:
            queryset: Any = self.queryset
            count = len(signature(self.queryset).parameters)
            self.plans[connection.vendor] = make_plan(queryset(*map(Placeholder, range(count))))
        return self.plans[connection.vendor]


def compiled(queryset: Callable[P, QuerySet[Any, Row]]) -> CompiledQuery[P, Row]:
    return CompiledQuery(queryset)


def make_plan(queryset: Any) -> Plan:
    """Errors: NotImplementedError for what is not supported."""
    is_annotated = queryset.query.annotations and queryset._fields is None
    if is_annotated or queryset._prefetch_related_lookups:
        raise NotImplementedError("Compiled queries of instances have no annotations, and none prefetch.")
    compiler = queryset.query.get_compiler(connection.alias)
    sql, params = compiler.as_sql()
    converters = compiler.get_converters([column for column, _, _ in compiler.select])
    return Plan(
        sql=sql,
        params=params,
        locks=queryset.query.select_for_update,
        converters=[(position, list(found), column) for position, (found, column) in converters.items()],
        build=instance_builder(compiler) if queryset._fields is None else tuple,
    )


def instance_builder(compiler: SQLCompiler) -> Callable[[Sequence[Any]], Any]:
    """A function from a row to a model instance with its related ones, as ModelIterable builds it."""
    info: Any = compiler.klass_info
    model, start, end = info["model"], info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column.target.attname for column, _, _ in compiler.select[start:end]]
    populators_of: Any = get_related_populators  # its types are those of a later Django
    populators = populators_of(info, compiler.select, connection.alias)

    def build(row: Sequence[Any]) -> Any:
        found = model.from_db(connection.alias, names, row[start:end])
        for populator in populators:
            populator.populate(row, found)
        return found

    return build


def convert(row: Sequence[Any], converters: list[tuple[int, list[Any], Any]]) -> list[Any]:
    values = list(row)
    for position, functions, column in converters:
        for function in functions:
            values[position] = function(values[position], column, connection)
    return values


def prepare(value: Any) -> Any:
    """The argument as the database driver takes it. Errors: TypeError for another type than those needed so far."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, str | list):
        return value
    raise TypeError(f"{value!r} is not an argument for a compiled query.")


# by model, whether it writes several rows, and whether it leaves out those that conflict
INSERTS: dict[tuple[type[Model], bool, bool], str] = {}


def insert(rows: Sequence[Model], *, ignore_conflicts: bool = False) -> None:
    """Insert new rows of one model like `bulk_create`; keys that the database makes are not read.

    Errors: NotImplementedError for a model with columns that the database computes.
    """
    if not rows:
        return
    model, is_many = type(rows[0]), len(rows) > 1
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows, ignore_conflicts=ignore_conflicts)
        return
    meta = model._meta
    fields = [field for field in meta.concrete_fields if field is not meta.auto_field]
    fill_defaults(fields, rows)
    key = model, is_many, ignore_conflicts
    if key not in INSERTS:
        INSERTS[key] = insert_sql(fields, rows) + (" ON CONFLICT DO NOTHING" if ignore_conflicts else "")
    columns = [
        [field.get_db_prep_save(field.pre_save(row, add=True), connection) for row in rows]
        for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERTS[key], columns if is_many else [value for [value] in columns])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def fill_defaults(fields: Iterable[Any], rows: Sequence[Model]) -> None:
    """The values that the database would fill in, which Django would read back. Errors: NotImplementedError."""
    for field in fields:
        if field.db_default is NOT_PROVIDED or field.has_default():
            continue
        for row in rows:
            default = getattr(row, field.attname)
            if isinstance(default, DatabaseDefault):
                [expression] = default.get_source_expressions()
                if not isinstance(expression, Value):
                    raise NotImplementedError("Compiled inserts have a value for each column.")
                setattr(row, field.attname, expression.value)


def insert_sql(fields: Sequence[Any], rows: Sequence[Model]) -> str:
    """With one parameter for each column: the value, or a list of the rows' values."""
    query: Any = InsertQuery(type(rows[0]))
    query.insert_values(fields, rows)
    [(sql, _params)] = query.get_compiler(connection.alias).as_sql()
    return str(sql)
