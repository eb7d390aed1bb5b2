"""Validates values against `schemas/paypal.*.json`: the sandbox rejects invalid requests, and its tests check
every response and event against the same schemas.

A kind is "string(1-127)", "integer", "boolean", "object", "number(1-500)" (digits in a query), one of `FORMATS`,
"=literal" or "@schema", alternatives joined by "|"; a dict has exactly these fields, those with "?" are optional;
[kind, least, most] is a list.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "schemas"
BOUNDED = re.compile(r"(string|number)\((\d+)-(\d+)\)")
TYPES = {"integer": int, "boolean": bool, "object": dict}
MISSING, UNKNOWN = "MISSING_REQUIRED_PARAMETER", "NOT_SUPPORTED"
SYNTAX, LENGTH, VALUE = "INVALID_PARAMETER_SYNTAX", "INVALID_STRING_LENGTH", "INVALID_PARAMETER_VALUE"
TOO_FEW, TOO_MANY = "INVALID_ARRAY_MIN_ITEMS", "INVALID_ARRAY_MAX_ITEMS"
FORMATS = {
    "account": r"[2-9A-HJ-NP-Z]{13}",
    "amount": r"-?[0-9]{1,20}(\.[0-9]{1,10})?",
    "country": r"[A-Z]{2}",
    "email": r"[^@\s]{1,64}@[^@\s]{1,189}",
    "id": r"[A-Z0-9]{1,36}",
    "locale": r"[a-z]{2}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?",
    "quantity": r"[1-9][0-9]{0,9}",
    "time": r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})",
    "url": r"https?://[^\s/]+(/\S*)?(\?\S*)?",
}


@dataclass(frozen=True)
class Violation:
    pointer: str  # JSON pointer of the field
    issue: str
    value: str = ""


@cache
def schemas() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in sorted(FOLDER.glob("paypal.*.json")):
        found |= json.loads(file.read_text())["schemas"]
    return found


def violations(value: Any, kind: Any, pointer: str = "") -> Iterator[Violation]:
    if isinstance(kind, dict):
        yield from of_object(value, kind, pointer)
    elif isinstance(kind, list):
        yield from of_list(value, kind, pointer)
    elif "|" in kind and not kind.startswith("="):
        tried = [list(violations(value, each, pointer)) for each in kind.split("|")]
        yield from [] if [] in tried else tried[-1]
    elif kind.startswith("@"):
        yield from violations(value, schemas()[kind[1:]], pointer)
    elif issue := mismatch(value, kind):
        yield Violation(pointer, issue, str(value)[:100])


def of_object(value: Any, kind: dict[str, Any], pointer: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield Violation(pointer, SYNTAX)
        return
    known = {name.removesuffix("?"): part for name, part in kind.items()}
    for name in kind:
        if not name.endswith("?") and name not in value:
            yield Violation(f"{pointer}/{name}", MISSING)
    for name, part in value.items():
        if name in known:
            yield from violations(part, known[name], f"{pointer}/{name}")
        else:
            yield Violation(f"{pointer}/{name}", UNKNOWN)


def of_list(value: Any, kind: list[Any], pointer: str) -> Iterator[Violation]:
    inner, least, most = kind
    if not isinstance(value, list):
        yield Violation(pointer, SYNTAX)
    elif len(value) < least:
        yield Violation(pointer, TOO_FEW)
    elif len(value) > most:
        yield Violation(pointer, TOO_MANY)
    else:
        for index, part in enumerate(value):
            yield from violations(part, inner, f"{pointer}/{index}")


def mismatch(value: Any, kind: str) -> str | None:
    """Return the issue with a plain value, or None if it is valid."""
    if kind in TYPES:
        fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        return None if fits else SYNTAX
    if not isinstance(value, str):
        return SYNTAX
    if kind.startswith("="):
        return None if value in {each.removeprefix("=") for each in kind.split("|")} else VALUE
    if bounds := BOUNDED.fullmatch(kind):
        return within(value, bounds[1], int(bounds[2]), int(bounds[3]))
    return None if re.fullmatch(FORMATS[kind], value) else SYNTAX


def within(value: str, kind: str, least: int, most: int) -> str | None:
    if kind == "string":
        return None if least <= len(value) <= most else LENGTH
    if not re.fullmatch(r"[0-9]{1,10}", value):
        return SYNTAX
    return None if least <= int(value) <= most else VALUE
