"""The readable reference: every operation with its fields, responses and an example request."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from artisans.core.api.openapi import BEARER, CART_TOKEN, MULTIPART, ORDER_TOKEN
from artisans.site.docs.document import document

DEEPEST = 3
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
SCHEME_LABELS = {BEARER: "bearer token", CART_TOKEN: "X-Cart-Token", ORDER_TOKEN: "X-Order-Token"}


@dataclass(frozen=True, slots=True)
class Field:
    """A row of a table of fields; `depth` is its nesting level."""

    name: str
    kind: str
    depth: int
    is_required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    text: str
    codes: tuple[str, ...]
    fields: tuple[Field, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    summary: str
    text: SafeString
    access: str
    scope: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answers: tuple[Answer, ...]
    call: str


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    text: str
    operations: tuple[Operation, ...]


@cache
def groups() -> tuple[Group, ...]:
    """All operations by tag, in the order of the document's tags."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document()["paths"].items():
        for method, entry in methods.items():
            found.setdefault(entry["tags"][0], []).append(operation_of(path, method, entry))
    texts = {tag["name"]: tag["description"] for tag in document()["tags"]}
    order = [*texts, *(found.keys() - texts.keys())]
    return tuple(Group(name, texts.get(name, ""), tuple(found[name])) for name in order if name in found)


def operation_of(path: str, method: str, entry: Mapping[str, Any]) -> Operation:
    content: Mapping[str, Any] = entry.get("requestBody", {}).get("content", {})
    kind = next(iter(content), "")
    body = content.get(kind, {})
    return Operation(
        name=entry["operationId"],
        method=method.upper(),
        path=path,
        summary=entry["summary"],
        text=markdown(entry["description"]),
        access=describe_access(entry),
        scope=entry.get("x-scope", ""),
        parameters=tuple(map(parameter_of, entry.get("parameters", []))),
        body=tuple(fields_of(body.get("schema", {}))),
        answers=tuple(answer_of(status, resolved(answer)) for status, answer in entry["responses"].items()),
        call=call_of(path, method, entry, form_lines(body) if kind == MULTIPART else json_lines(body)),
    )


def describe_access(entry: Mapping[str, Any]) -> str:
    names = [name for choice in entry.get("security", [{}]) for name in choice or {"": []}]
    labels = [SCHEME_LABELS.get(name, "none") for name in names] or ["none"]
    return " or ".join(dict.fromkeys(labels))


def parameter_of(entry: Mapping[str, Any]) -> Field:
    place = {"path": "in the path", "query": "in the query", "header": "header"}[entry["in"]]
    kind = f"{kind_of(entry['schema'])}, {place}"
    return Field(entry["name"], kind, 0, entry.get("required", False), entry.get("description", ""))


def answer_of(status: str, answer: Mapping[str, Any]) -> Answer:
    media: Mapping[str, Any] = next(iter(answer.get("content", {}).values()), {})
    if not status.startswith("2"):
        return Answer(status, "", tuple(media.get("examples", {})), (), "")
    fields = tuple(fields_of(media.get("schema", {})))
    return Answer(status, answer.get("description", ""), (), fields, example_of(media))


def example_of(media: Mapping[str, Any]) -> str:
    for example in media.get("examples", {}).values():
        return json.dumps(resolved(example)["value"], indent=2, ensure_ascii=False)
    return ""


def call_of(path: str, method: str, entry: Mapping[str, Any], body: list[str]) -> str:
    """The example request as a curl command."""
    lines = [f'curl -X {method.upper()} "https://your.shop{path}"']
    security = entry.get("security", [])
    if any(BEARER in choice for choice in security):
        lines.append('-H "Authorization: Bearer <token>"')
    return " \\\n  ".join([*lines, *body])


def json_lines(body: Mapping[str, Any]) -> list[str]:
    return ['-H "Content-Type: application/json"', f"-d '{example_of(body)}'"] if body else []


def form_lines(body: Mapping[str, Any]) -> list[str]:
    """Of a form; files have `@` and their name as example."""
    return [f'-F "{name}={value}"' for name, value in json.loads(example_of(body)).items()]


def fields_of(schema: Mapping[str, Any], depth: int = 0) -> Iterator[Field]:
    """The fields of an object, of its alternatives, or of a list's items, down to DEEPEST levels."""
    schema = resolved(schema)
    if depth > DEEPEST:
        return
    for choice in schema.get("oneOf", []):
        yield from fields_of(choice, depth)
    if schema.get("type") == "array":
        yield from fields_of(schema["items"], depth)
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        text = field.get("description", "") or resolved(field).get("description", "").partition("\n")[0]
        yield Field(name, kind_of(field), depth, name in required, "" if text.startswith("* ") else text)
        yield from fields_of(field, depth + 1)


def kind_of(schema: Mapping[str, Any]) -> str:
    """A short description of a value's type."""
    schema = resolved(schema)
    choices = schema.get("oneOf") or schema.get("anyOf") or []
    if choices:
        return " or ".join(dict.fromkeys(kind_of(choice) for choice in choices))
    if labels := schema.get("enum"):
        return ", ".join("null" if word is None else str(word) for word in labels)
    kinds = schema.get("type", "object")
    kind = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    if kind == "array":
        return f"list of {kind_of(schema['items'])}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself or the one it references, including a single `allOf` reference as of nullable fields."""
    while "$ref" in part or len(part.get("allOf", [])) == 1:
        if "$ref" not in part:
            part = part["allOf"][0]
            continue
        found: Any = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def markdown(text: str) -> SafeString:
    """Render trusted texts; HTML in them is escaped."""
    safe: SafeString = mark_safe(MARKDOWN.render(text))  # noqa: S308  # the renderer escapes
    return safe
