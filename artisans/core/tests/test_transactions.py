"""A service that is repeated after a deadlock is called in no transaction that is not."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.sources import ROOT, sources

RETRIED, PLAIN = "atomic_with_retry", "transaction.atomic"


def services() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in sources():
        tree = ast.parse(path.read_text())
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def has(function: ast.FunctionDef, decorator: str) -> bool:
    return any(ast.unparse(one) == decorator for one in function.decorator_list)


def test_no_transaction_without_retry_contains_one_with_retry():
    found = list(services())
    retried = {function.name for _path, function in found if has(function, RETRIED)}
    assert {"receipt_record", "movements_add"} <= retried

    wrong = [
        f"{path.relative_to(ROOT)}: {function.name} calls {node.func.id}"
        for path, function in found
        if has(function, PLAIN)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in retried
    ]

    assert not wrong
