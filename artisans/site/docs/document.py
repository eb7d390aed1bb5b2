"""The API's OpenAPI document, built once per process: only code changes alter it."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


@cache
def as_json() -> bytes:
    return bytes(OpenApiJsonRenderer().render(document()))


@cache
def as_yaml() -> bytes:
    return bytes(OpenApiYamlRenderer().render(document()))  # type: ignore[no-untyped-call]
