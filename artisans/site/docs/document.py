"""The API's description, made once per process: it changes with the code only."""

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
