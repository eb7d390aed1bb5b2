"""ARCHITECTURE.md names only what exists: functions of the journeys, files and guides."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
APPS = r"(?:artisans|orders|payments|carts)"
NAMES = sorted(set(re.findall(rf"`({APPS}(?:\.\w+)+)`", TEXT)) - {"payments.expire_orders"})
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


@pytest.mark.parametrize("path", FILES)
def test_file_exists(path):
    assert (ROOT / path).exists()


def test_page_has_five_journeys_and_many_names():
    assert len(re.findall(r"^: ", TEXT, re.MULTILINE)) == 5
    assert len(NAMES) > 25
    assert len(FILES) > 25


def test_links_resolve():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
