"""No sum over two currencies: what the database adds up is of one, by the groups or the filters of its query."""

import ast
from collections.abc import Iterator

import pytest

from artisans.figures.families import KEYS
from tests.sources import ROOT, sources

# Columns whose rows are all in one currency, as those with the same value of them.
OF_ONE_CURRENCY = {
    *("order", "payment", "parcel", "line", "order_line", "capture", "refund", "receipt"),
    *("account", "entry", "deposit", "debt"),
}
# Sums whose columns of grouping are named elsewhere.
GROUPED_ELSEWHERE = {
    "payments/selectors.py:subtotal": "the group that each caller names",
    "artisans/figures/families.py:journeys_started": "the dimensions of JourneyCell",
}


def is_of_one_currency(column: str) -> bool:
    """Such as "charged_currency", "payment__order_id"."""
    last = column.rpartition("__")[2].removesuffix("_id")
    return last.endswith("currency") or last in OF_ONE_CURRENCY


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    return (found for found in ast.walk(node) if isinstance(found, ast.Call))


def texts_in(nodes: list[ast.expr]) -> list[str]:
    parts = (part for node in nodes for part in ast.walk(node))
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def is_amount(call: ast.Call) -> bool:
    """Whether it may add up amounts: of a column that is named like one, or that only a variable names."""
    columns = texts_in(call.args)
    return not columns or any(column.endswith("minor") for column in columns)


def owner_of(call: ast.Call) -> str:
    """The variable whose rows it reads: "order" of `order.payments.filter(…).aggregate(…)`."""
    node, attributes = call.func, 0
    while isinstance(node, ast.Attribute | ast.Call):
        attributes += isinstance(node, ast.Attribute)
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return name_of(node) if attributes > 1 else ""


def find_columns(function: ast.AST) -> Iterator[str]:
    """By which the queries of a function are grouped, or to one value of which they are restricted."""
    for call in calls_in(function):
        name = name_of(call.func)
        if name in {"values", "values_list", "grouped", "subtotal"}:
            yield from texts_in(call.args)
        if name == "grouped" and len(call.args) == 1:
            yield from KEYS
        if name in {"filter", "get"}:
            yield from (keyword.arg for keyword in call.keywords if keyword.arg)
        yield owner_of(call)


def find_sums(source: str) -> Iterator[tuple[int, str]]:
    """Line and function of each sum that may be of several currencies."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    # A function that returns a Sum is checked where it is called.
    made_by = {
        function.name
        for function in functions
        if isinstance(last := function.body[-1], ast.Return)
        and isinstance(last.value, ast.Call)
        and name_of(last.value.func) == "Sum"
    }
    for function in functions:
        if function.name in made_by or any(map(is_of_one_currency, find_columns(function))):
            continue
        sums = (call for call in calls_in(function) if name_of(call.func) in {"Sum", "Avg", *made_by})
        yield from ((call.lineno, function.name) for call in sums if is_amount(call))


def test_amounts_are_added_up_in_one_currency():
    found = {
        f"{path.relative_to(ROOT)}:{name}": line
        for path in sources()
        for line, name in find_sums(path.read_text())
    }
    hint = "group by currency (artisans.core.models.sums_by_currency), or restrict to one order, payment or currency"
    assert found.keys() - GROUPED_ELSEWHERE.keys() == set(), hint
    assert GROUPED_ELSEWHERE.keys() <= found.keys(), "an explanation that nothing needs"


@pytest.mark.parametrize(
    ("query", "is_refused"),
    [
        ('Payment.objects.aggregate(sum=Sum("amount_minor"))', True),
        ('Payment.objects.filter(status="x").aggregate(models.Sum(F("a_minor") - F("b_minor")))', True),
        ("rows.values('provider').annotate(Sum(column))", True),
        ('rows.filter(order__in=orders).aggregate(Sum("amount_minor"))', True),
        ('order.get_total(Sum("amount_minor"))', True),
        ('rows.values("currency").annotate(Sum("amount_minor"))', False),
        ('rows.values_list("payment__currency").annotate(Sum(column))', False),
        ('rows.filter(payment__order_id=1).aggregate(Sum("amount_minor"))', False),
        ('order.payments.exclude(status="x").aggregate(Sum("amount_minor"))', False),
        ('grouped(rows, money=Sum("amount_minor"))', False),
        ('rows.aggregate(Sum("quantity"))', False),
    ],
)
def test_sum_is_refused_unless_its_query_names_one_currency(query, is_refused):
    assert bool(list(find_sums(f"def read():\n    {query}\n"))) == is_refused
