"""ARCHITECTURE.md names only what exists, files and guides too, and its journeys follow the calls of the code."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
APPS = r"(?:artisans|orders|payments|carts)"
NAMES = sorted(set(re.findall(rf"`({APPS}(?:\.\w+)+)`", TEXT)) - {"payments.expire_orders"})
FUNCTION = re.compile(rf"`({APPS}(?:\.\w+){{2,}})`")
JOURNEYS = re.findall(r"^\*\*(.+?)\*\*.*\n: ((?:.+\n)+)", TEXT, re.MULTILINE)
FILES = sorted(set(re.findall(rf"`((?:{APPS}|scripts|bench|sandbox|templates|docs)/[\w/.-]*)`", TEXT)))


def resolve(name: str) -> object:
    """The module, class or function of this dotted name. Errors: LookupError."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise LookupError(name)


@pytest.mark.parametrize("name", NAMES)
def test_function_of_a_journey_exists(name):
    assert resolve(name)


def definition(name: str) -> tuple[ast.Module, ast.FunctionDef]:
    """The function or method of this dotted name, and its module. Errors: LookupError."""
    parts = name.split(".")
    end = next(
        n for n in range(len(parts), 0, -1) if (ROOT / "/".join(parts[:n])).with_suffix(".py").exists()
    )
    module = ast.parse((ROOT / "/".join(parts[:end])).with_suffix(".py").read_text())
    found: ast.AST = module
    for part in parts[end:]:
        inside = [node for node in ast.iter_child_nodes(found) if getattr(node, "name", "") == part]
        if not inside:
            raise LookupError(name)
        found = inside[0]
    assert isinstance(found, ast.FunctionDef), name
    return module, found


def words_in(node: ast.AST) -> set[str]:
    """Names, attributes and strings."""
    return {
        getattr(part, "id", None) or getattr(part, "attr", None) or str(getattr(part, "value", ""))
        for part in ast.walk(node)
        if isinstance(part, ast.Name | ast.Attribute | ast.Constant)
    }


def words_of_body(name: str) -> set[str]:
    """What the function names, and what the tables of its module name that it reads, such as OPERATION_HANDLERS."""
    module, function = definition(name)
    words = set().union(*map(words_in, function.body))
    for node in module.body:
        if isinstance(node, ast.AnnAssign) and node.value is not None and words_in(node.target) & words:
            words |= words_in(node.value)
    return words


def known_as(name: str) -> set[str]:
    """How others call the function: by its name, or by that of its task."""
    decorators = definition(name)[1].decorator_list
    tasks = [d for d in decorators if isinstance(d, ast.Call) and words_in(d.func) == {"shared_task"}]
    return {name.rpartition(".")[2]}.union(*map(words_in, tasks))


def calls_of(journey: str) -> list[tuple[str, list[str]]]:
    """Each function that is called, with those of which one calls it."""
    calls, seen, end = [], [], 0
    for match in FUNCTION.finditer(journey):
        before, end = re.sub(r"\([^)]*\)", "", journey[end : match.start()]), match.end()
        if "→" in before:
            calls.append((match[1], seen[-1:]))
        elif ";" in before:
            calls.append((match[1], list(seen)))
        seen.append(match[1])
    return calls


@pytest.mark.parametrize(("title", "journey"), JOURNEYS)
def test_journey_follows_the_calls_of_the_code(title, journey):
    calls = calls_of(journey)

    wrong = [
        (callers, called)
        for called, callers in calls
        if not any(known_as(called) & words_of_body(caller) for caller in callers)
    ]

    assert len(calls) >= 5
    assert not wrong


def test_function_that_was_left_out_of_a_journey_is_noticed():
    name = "artisans.notifications.services.notifications_send_due"

    assert "notifications_send" in words_of_body(name)
    assert "send_claimed" not in words_of_body(name)
    assert calls_of(f"`{name}` (x; y) → `carts.checkout.place`; `carts.checkout.load_checkout`") == [
        ("carts.checkout.place", [name]),
        ("carts.checkout.load_checkout", [name, "carts.checkout.place"]),
    ]


@pytest.mark.parametrize("path", FILES)
def test_file_exists(path):
    assert (ROOT / path).exists()


def test_page_has_five_journeys_and_many_names():
    assert len(JOURNEYS) == 5
    assert len(NAMES) > 25
    assert len(FILES) > 25


def test_links_resolve():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
