"""Strict JSON: exact numbers, no duplicate keys, no NaN, bounded depth. Free of frameworks, for use in providers."""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

MAX_DEPTH = 12


def strict_json(raw: bytes) -> Any:
    """Errors: ValueError with a message."""
    text = raw.decode("utf-8")
    check_depth(text)
    found = json.loads(text, parse_float=exact, parse_constant=no_constant, object_pairs_hook=unique_keys)
    if "\\ud" in text.lower():  # lone surrogates cannot be stored
        json.dumps(found, ensure_ascii=False, default=str).encode()
    return found


def exact(literal: str) -> Decimal:
    if "e" in literal.lower():
        raise ValueError("A number has an exponent; write it out.")
    return Decimal(literal)


def no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number.")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("Duplicate key in an object.")
    return found


def check_depth(text: str) -> None:
    depth = deepest = 0
    unescaped = re.sub(r"\\.", "", text)  # first, so that the next pattern reads each character once
    for sign in re.sub(r'"[^"]*"', "", unescaped):
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError(f"The body is nested deeper than {MAX_DEPTH} levels.")
