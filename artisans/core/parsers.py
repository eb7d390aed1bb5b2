"""Strict JSON: what a careless or hostile client sends is refused before anything reads it."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from rest_framework import exceptions
from rest_framework.parsers import JSONParser

MAX_BODY = 64 * 1024
MAX_DEPTH = 12


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = f"The body is larger than {MAX_BODY} bytes."


def exact(literal: str) -> Decimal:
    if "e" in literal.lower():
        raise ValueError("A number has an exponent; write it out.")
    return Decimal(literal)


def no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number.")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A key stands twice in one object.")
    return found


def check_depth(text: str) -> None:
    depth = deepest = 0
    unescaped = re.sub(r"\\.", "", text)  # first, so that the next pattern reads every sign only once
    for sign in re.sub(r'"[^"]*"', "", unescaped):
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError(f"The body is nested deeper than {MAX_DEPTH} levels.")


class StrictJSONParser(JSONParser):
    """JSON with exact numbers, no key twice, no NaN, bounded size and depth."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise TooLarge
        try:
            text = raw.decode("utf-8")
            check_depth(text)
            found = json.loads(
                text, parse_float=exact, parse_constant=no_constant, object_pairs_hook=unique_keys
            )
            if "\\ud" in text.lower():  # half of a surrogate pair is a string that nothing can store
                json.dumps(found, ensure_ascii=False, default=str).encode()
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError(f"The body is not valid JSON: {error}") from error
        return found
