"""Every JSON answer that a test gets from the API has the keys that its description promises: none missing, none more.

Keys only: tests/live/test_conformance.py compares values and statuses with the description, of a running shop.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from django.test import override_settings
from rest_framework.test import APIClient

from artisans.site.docs.document import document

request_unchecked = APIClient.request


class UndocumentedAnswer(AssertionError):
    """An answer of the API differs from docs/openapi.yaml."""


def request(client: APIClient, **kwargs: Any) -> Any:
    """In place of `APIClient.request`. Errors: UndocumentedAnswer."""
    answer = request_unchecked(client, **kwargs)
    responses = find_responses(answer.request["REQUEST_METHOD"].lower(), answer.request["PATH_INFO"])
    if responses is not None:
        where = f"{answer.request['REQUEST_METHOD']} {answer.request['PATH_INFO']}: {answer.status_code}"
        check_answer(answer, responses, where)
    return answer


def check_answer(answer: Any, responses: Mapping[str, Any], where: str) -> None:
    if (status := str(answer.status_code)) not in responses:
        return  # the running shop is asked for these
    kind = answer.get("Content-Type", "").partition(";")[0]
    schema = resolved(responses[status]).get("content", {}).get(kind, {}).get("schema")
    if schema is None:
        if answer.content:
            raise UndocumentedAnswer(f"{where} has a body of {kind or 'no type'}, which is not documented.")
        return
    body = answer.data if hasattr(answer, "data") else json.loads(answer.content)
    if wrong := list(differences(schema, body)):
        raise UndocumentedAnswer(f"{where}: {'; '.join(wrong)}")


def differences(schema: Mapping[str, Any], value: Any, place: str = "") -> Iterator[str]:
    """A sentence for each key that is missing or not documented."""
    if isinstance(value, list | tuple):
        items = alternative(schema, "items")
        for number, inner in enumerate(value if items else ()):
            yield from differences(items["items"], inner, f"{place}/{number}")
    elif isinstance(value, Mapping):
        described = alternative(schema, "properties")
        if not described:
            return
        properties = described["properties"]
        yield from (
            f"{place}/{name} is missing" for name in described.get("required", ()) if name not in value
        )
        for name, inner in value.items():
            if name in properties:
                yield from differences(properties[name], inner, f"{place}/{name}")
            elif "additionalProperties" not in described:
                yield f"{place}/{name} is not documented"


def alternative(schema: Mapping[str, Any], keyword: str) -> Mapping[str, Any]:
    """The schema, or that of its alternatives, which has the keyword; an empty one if any value is allowed."""
    schema = resolved(schema)
    choices = schema.get("oneOf") or schema.get("anyOf") or ()
    found = (alternative(choice, keyword) for choice in choices)
    return schema if keyword in schema else next(filter(None, found), {})


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return part if "$ref" not in part and "allOf" not in part else resolved_reference(json.dumps(part))


@cache
def resolved_reference(text: str) -> Mapping[str, Any]:
    part = json.loads(text)
    merged: dict[str, Any] = {}
    for inner in part.get("allOf", []):
        merged |= resolved(inner)
    if "$ref" in part:
        found: Any = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        merged |= resolved(found)
    return merged


@cache
def operations() -> list[tuple[str, re.Pattern[str], Mapping[str, Any]]]:
    """Method, pattern of the path, responses; fixed paths before those with a key in the same place. The document is
    the shop's, also if the first test of the process has other URLs."""
    with override_settings(ROOT_URLCONF="artisans.urls"):
        paths = document()["paths"]
    return [
        (method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path.rstrip("/")) + "/?"), operation["responses"])
        for path, methods in sorted(paths.items(), key=lambda item: item[0].count("{"))
        for method, operation in methods.items()
    ]


@cache
def find_responses(method: str, path: str) -> Mapping[str, Any] | None:
    """Those of the operation; None for what is no operation of the API."""
    found = (
        responses for name, pattern, responses in operations() if name == method and pattern.fullmatch(path)
    )
    return next(found, None)
