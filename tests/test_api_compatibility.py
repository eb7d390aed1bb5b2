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


def test_what_is_added_breaks_nothing(new):
    operation = new["paths"]["/things"]["post"]
    operation["parameters"].append({"in": "query", "name": "status", "schema": {"type": "string"}})
    schemas(new)["ThingIn"]["properties"]["note"] = {"type": "string"}
    schemas(new)["Thing"]["properties"]["note"] = {"type": "string"}
    schemas(new)["Kind"]["enum"].append("c")
    new["paths"]["/others"] = {"get": {"operationId": "other_list", "responses": {}}}

    assert lines(new) == []


def test_operation_that_is_gone_breaks(new):
    del new["paths"]["/things"]["post"]

    assert lines(new) == ["POST /things (thing_make) was removed."]


def test_operation_with_another_name_breaks_generated_clients(new):
    new["paths"]["/things"]["post"]["operationId"] = "thing_create"

    assert lines(new) == ["POST /things: thing_make was renamed to thing_create."]


def test_parameter_that_is_gone_breaks(new):
    new["paths"]["/things"]["post"]["parameters"] = []

    assert lines(new) == ["query.limit is no longer accepted."]


def test_field_of_an_answer_that_is_gone_or_optional_breaks(new):
    del schemas(new)["Thing"]["properties"]["id"]
    schemas(new)["Part"]["required"] = []

    assert lines(new) == ["201.id was removed.", "201.parts[].status may now be missing."]


def test_field_of_another_type_breaks(new):
    schemas(new)["Thing"]["properties"]["id"] = {"type": "integer"}

    assert lines(new) == ["201.id changed from string to integer."]


def test_word_that_is_gone_breaks_both_ways(new):
    schemas(new)["Kind"]["enum"] = ["a"]

    assert lines(new) == ["body.kind no longer accepts b.", "201.parts[].status no longer has the value b."]


def test_field_that_is_required_now_breaks(new):
    schemas(new)["ThingIn"]["properties"]["size"] = {"type": "integer"}
    schemas(new)["ThingIn"]["required"] = ["name", "kind", "size"]

    assert lines(new) == ["body.kind is now required.", "body.size is now required."]


def test_required_field_inside_a_new_optional_one_breaks_nothing(new):
    inner = {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}
    schemas(new)["ThingIn"]["properties"]["place"] = inner

    assert lines(new) == []


def test_changelog_tells_of_a_break_under_its_heading_only():
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
