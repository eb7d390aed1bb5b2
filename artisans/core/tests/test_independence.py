"""`core`, `notifications` and `audit` know no other app, in strings either: no model, URL name or path of one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.urls import get_resolver

from tests.sources import SHOP, sources

BELOW = ("core", "notifications", "audit")
ABOVE = {"artisans.site", "sandbox"}.union(  # by their labels, packages and names of URLs
    *({app.label, app.name} for app in apps.get_app_configs() if app.name.split(".")[0] in SHOP),
    get_resolver().namespace_dict,
) - {"admin", *BELOW, *(f"artisans.{name}" for name in BELOW)}
MODULES = sources([f"artisans/{name}" for name in BELOW])
PREFIXES = "|".join(re.escape(prefix.strip("/")) for prefix in settings.API_PREFIXES)
NAMES_ANOTHER_APP = re.compile(
    rf"""(?<![\w.])(?:{"|".join(map(re.escape, sorted(ABOVE)))})[.:]\w  # a model, module, permission or URL name
    | ^/(?:shop|admin|{PREFIXES})/\w  # a page or an operation
    | [{{]%\s*url\s+["'](?!admin:)""",
    re.VERBOSE,
)
STORED = {
    "orders.link",
    "orders.mailbox",
    "ledger.close",
}  # salts of links in mails, an action of the audit log


def strings(path: Path) -> Iterator[str]:
    """The literals of a module, without its docstrings."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def templates() -> list[Path]:
    """Those that a module names, and all that belong to one of the apps."""
    named = {text for path in MODULES for text in strings(path) if re.fullmatch(r"[\w/]+\.html", text)}
    roots = [Path(settings.BASE_DIR, "templates"), *Path(settings.BASE_DIR, "artisans").glob("*/templates")]
    return [root / name for root in roots for name in named if (root / name).exists()]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_string_names_another_app(path):
    assert [text for text in strings(path) if NAMES_ANOTHER_APP.search(text) and text not in STORED] == []


def test_no_template_names_another_app():
    found = templates()

    assert len(found) > 3
    for path in found:
        assert not NAMES_ANOTHER_APP.search(path.read_text()), path


@pytest.mark.parametrize(
    "text",
    [
        "payments.Refund",
        "payments:order",
        "figures.Cell",
        "artisans.workshop.urls",
        "selling:start",
        "/shop/orders/",
        "/orders/x",
        "{% url 'carts:cart' %}",
    ],
)
def test_the_pattern_finds_what_it_is_for(text):
    assert NAMES_ANOTHER_APP.search(text)
