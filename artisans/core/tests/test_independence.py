"""`core`, `notifications` and `audit` know no other app, in strings either: no model, URL name or path of one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

BELOW = ("core", "notifications", "audit")
ABOVE = ("orders", "payments", "carts", "catalog", "approvals", "accounts", "artisans.site", "sandbox")
PREFIXES = "|".join(re.escape(prefix.strip("/")) for prefix in settings.API_PREFIXES)
NAMES_ANOTHER_APP = re.compile(
    rf"""(?<![\w.])(?:{"|".join(map(re.escape, ABOVE))})[.:]\w  # a model, module, permission or URL name
    | ^/(?:shop|admin|{PREFIXES})/\w  # a page or an operation
    | [{{]%\s*url\s+["'](?!admin:)""",
    re.VERBOSE,
)
SALTS = {"orders.link", "orders.mailbox"}  # in links that people have in their mails


def sources() -> list[Path]:
    found = [path for name in BELOW for path in Path(settings.BASE_DIR, "artisans", name).rglob("*.py")]
    return [path for path in found if not {"tests", "migrations"} & set(path.parts)]


def strings(path: Path) -> Iterator[str]:
    """The literals of a module, without its docstrings."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def templates() -> list[Path]:
    """Those that a module names, and all that belong to one of the apps."""
    named = {text for path in sources() for text in strings(path) if re.fullmatch(r"[\w/]+\.html", text)}
    roots = [Path(settings.BASE_DIR, "templates"), *Path(settings.BASE_DIR, "artisans").glob("*/templates")]
    return [root / name for root in roots for name in named if (root / name).exists()]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_string_names_another_app(path):
    assert [text for text in strings(path) if NAMES_ANOTHER_APP.search(text) and text not in SALTS] == []


def test_no_template_names_another_app():
    found = templates()

    assert len(found) > 3
    for path in found:
        assert not NAMES_ANOTHER_APP.search(path.read_text()), path


@pytest.mark.parametrize(
    "text", ["payments.Refund", "payments:order", "/shop/orders/", "/orders/x", "{% url 'carts:cart' %}"]
)
def test_the_pattern_finds_what_it_is_for(text):
    assert NAMES_ANOTHER_APP.search(text)
