"""Checks responses against the field lists in sandbox/schemas, which were written from the providers' documentation.

A field's type is "string", "integer", "number", "boolean", "object", "list", "strings" (metadata), "null", "=literal"
or "id:kind" (an id, or that object expanded), alternatives joined by "|"; a dict is an object with just these fields; a
list of both and null is an object that may be null.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "schemas"
TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "list": list,
    "null": type(None),
}


@cache
def schema(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"stripe.{name}.json").read_text())


def problems(answer: Any, name: str | None = None, path: str = "") -> list[str]:
    """Return the violations in an API object and its nested objects."""
    if answer.get("deleted"):
        name = "deleted"
    name = name or answer["object"]
    known = schema(name)
    found = fields(answer, known["fields"], known["optional"], path or name)
    for row in answer.get("data", []) if name in {"list", "search_result"} else []:
        found += problems(row, path=f"{path}[]")
    if name == "event":
        found += problems(answer["data"]["object"], path=f"{answer['type']}.object")
    return found


def fields(value: dict[str, Any], wanted: dict[str, Any], optional: dict[str, Any], path: str) -> list[str]:
    found = [f"{path}: no {name}" for name in wanted if name not in value]
    for name, part in value.items():
        kind = wanted.get(name, optional.get(name))
        if kind is None:
            found.append(f"{path}: unknown field {name}")
        else:
            found += mismatch(part, kind, f"{path}.{name}")
    return found


def mismatch(value: Any, kind: Any, path: str) -> list[str]:
    if isinstance(kind, list):
        return [] if value is None else mismatch(value, kind[0], path)
    if isinstance(kind, dict):
        return (
            fields(value, kind, {}, path)
            if isinstance(value, dict)
            else [f"{path}: not an object: {value!r}"]
        )
    alternatives = kind.split("|")
    if any(fits(value, alternative) for alternative in alternatives):
        inner = isinstance(value, dict) and any(each.startswith("id:") for each in alternatives)
        return problems(value, path=path) if inner else []
    return [f"{path}: {value!r} is not {kind}"]


def fits(value: Any, kind: str) -> bool:
    if kind.startswith("="):
        return bool(value == kind[1:])
    if kind.startswith("id:"):
        return isinstance(value, str) or (isinstance(value, dict) and value.get("object") == kind[3:])
    if kind == "strings":
        return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())
    if kind == "integer" and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[kind])
