"""What `make check` calls a breaking change of the API, and what it does not."""

import copy
from typing import Any

import pytest

from scripts.openapi import breaks, documented_in

OLD: dict[str, Any] = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "thing_make",
                "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer"}}],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingIn"}}}
                },
                "responses": {
                    "201": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                    },
                    "400": {"description": "no"},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "ThingIn": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "kind": {"$ref": "#/components/schemas/Kind"}},
            },
            "Thing": {
                "type": "object",
                "required": ["id", "parts"],
                "properties": {
                    "id": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
                },
            },
            "Part": {
                "type": "object",
                "required": ["status"],
                "properties": {"status": {"$ref": "#/components/schemas/Kind"}},
            },
            "Kind": {"type": "string", "enum": ["a", "b"]},
        }
    },
}


@pytest.fixture
def new() -> dict[str, Any]:
    return copy.deepcopy(OLD)


def lines(new: dict[str, Any]) -> list[str]:
    return [line.removeprefix("POST /things (thing_make): ") for name, line in breaks(OLD, new)]


def schemas(new: dict[str, Any]) -> dict[str, Any]:
    return new["components"]["schemas"]


def test_additions_are_not_breaking(new):
    operation = new["paths"]["/things"]["post"]
    operation["parameters"].append({"in": "query", "name": "status", "schema": {"type": "string"}})
    schemas(new)["ThingIn"]["properties"]["note"] = {"type": "string"}
    schemas(new)["Thing"]["properties"]["note"] = {"type": "string"}
    schemas(new)["Kind"]["enum"].append("c")
    new["paths"]["/others"] = {"get": {"operationId": "other_list", "responses": {}}}

    assert lines(new) == []


def test_removed_operation_is_breaking(new):
    del new["paths"]["/things"]["post"]

    assert lines(new) == ["POST /things (thing_make) was removed."]


def test_renamed_operation_is_breaking_for_generated_clients(new):
    new["paths"]["/things"]["post"]["operationId"] = "thing_create"

    assert lines(new) == ["POST /things: thing_make was renamed to thing_create."]


def test_removed_parameter_is_breaking(new):
    new["paths"]["/things"]["post"]["parameters"] = []

    assert lines(new) == ["query.limit is no longer accepted."]


def test_removed_or_optional_response_field_is_breaking(new):
    del schemas(new)["Thing"]["properties"]["id"]
    schemas(new)["Part"]["required"] = []

    assert lines(new) == ["201.id was removed.", "201.parts[].status may now be missing."]


def test_changed_field_type_is_breaking(new):
    schemas(new)["Thing"]["properties"]["id"] = {"type": "integer"}

    assert lines(new) == ["201.id changed from string to integer."]


def test_removed_enum_value_is_breaking(new):
    schemas(new)["Kind"]["enum"] = ["a"]

    assert lines(new) == ["body.kind no longer accepts b.", "201.parts[].status no longer has the value b."]


def test_newly_required_field_is_breaking(new):
    schemas(new)["ThingIn"]["properties"]["size"] = {"type": "integer"}
    schemas(new)["ThingIn"]["required"] = ["name", "kind", "size"]

    assert lines(new) == ["body.kind is now required.", "body.size is now required."]


def test_required_field_inside_a_new_optional_one_is_not_breaking(new):
    inner = {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}
    schemas(new)["ThingIn"]["properties"]["place"] = inner

    assert lines(new) == []


def test_changelog_mentions_breaking_changes_only_under_their_heading():
    parts = [
        "# Changelog",
        "## Unreleased",
        "### Breaking",
        "- thing_make",
        "### Added",
        "- x",
        "## 1.0",
        "### Breaking",
        "- y",
    ]
    text = "\n\n".join(parts)

    assert "thing_make" in documented_in(text)
    assert "x" not in documented_in(text)
    assert "y" not in documented_in(text)
