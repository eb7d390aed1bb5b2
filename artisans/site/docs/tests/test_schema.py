"""The OpenAPI description is complete: every operation and response, with valid examples."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.urls import get_resolver
from jsonschema import Draft202012Validator
from rest_framework.views import APIView

from artisans.accounts.models import Scope
from artisans.core.api.fields import UUID_PATTERN
from artisans.core.api.views import ApiView
from artisans.site.docs.document import document
from artisans.site.docs.reference import resolved
from tests.test_access import routes

OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]
STAFF_READS = {  # about the whole shop
    "/ledger/balances",
    "/ledger/entries",
    "/ledger/trial_balance",
    "/payments/metrics",
    "/payments/metrics/definitions",
}
every_operation = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)


def media(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Bodies and answers with their examples."""
    parts = [operation.get("requestBody", {}), *map(resolved, operation["responses"].values())]
    return [entry for part in parts for entry in part.get("content", {}).values()]


def views() -> list[tuple[str, Any]]:
    found = []
    for pattern in get_resolver().url_patterns:
        inner = getattr(pattern, "url_patterns", [pattern])
        found += [(str(p.pattern), p.callback) for p in inner if getattr(p, "callback", None)]
    return [(where, view) for where, view in found if issubclass(getattr(view, "cls", object), APIView)]


def test_operation_ids_are_unique():
    names = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)


@every_operation
def test_operation_has_a_summary_and_description(method, path, operation):
    assert operation["summary"]
    assert operation["description"].strip()
    assert operation["tags"][0] in {tag["name"] for tag in document()["tags"]}
    assert {"400", "429", "503"} <= set(operation["responses"])
    assert any(status.startswith("2") for status in operation["responses"])


@every_operation
def test_every_parameter_has_a_description(method, path, operation):
    for parameter in operation.get("parameters", []):
        assert parameter["in"] == "path" or parameter["description"], parameter["name"]


@every_operation
def test_every_body_and_response_has_an_example_that_fits_its_schema(method, path, operation):
    shapes = {"$defs": {}, "components": document()["components"]}
    for entry in media(operation):
        assert entry.get("examples"), entry["schema"]
        validator = Draft202012Validator({**shapes, **entry["schema"]}, format_checker=None)
        for example in entry["examples"].values():
            errors = list(validator.iter_errors(resolved(example)["value"]))
            assert not errors, errors[0]


@every_operation
def test_every_operation_documents_its_authentication(method, path, operation):
    is_open = not operation.get("security") or {} in operation["security"]

    assert is_open or {"401", "403"} <= set(operation["responses"])
    assert ("x-scope" in operation) == ("401" in operation["responses"])
    if method == "GET":
        assert operation["x-scope"] == (Scope.STAFF if path in STAFF_READS else Scope.READ)


@every_operation
def test_money_is_never_a_float(method, path, operation):
    for entry in media(operation)[1:]:
        assert '"number"' not in str(entry["schema"])
    for name, schema in document()["components"]["schemas"].items():
        for field, shape in schema.get("properties", {}).items():
            assert shape.get("type") != "number", (name, field)


def test_refunds_and_staff_decisions_need_separate_scopes():
    for method, path, operation in OPERATIONS:
        if "refund" in path and method != "GET":
            assert operation["x-scope"] == Scope.REFUNDS, path
        if path.endswith(("/approve", "/reject")):
            assert operation["x-scope"] == Scope.STAFF, path


def test_internal_pages_and_secrets_are_not_described():
    text = str(document())

    assert not re.search(r"/admin|/demo|/health|(?<!/payments)/metrics", text)
    assert not re.search(r"sk_(live|test)_|whsec_|SECRET_KEY", text)
    assert all(path.startswith(settings.API_PREFIXES) for path in document()["paths"])


def test_every_api_view_is_described_and_uses_the_common_base_class():
    described = {re.sub(r"\{\w+\}", "*", path).strip("/") for path in document()["paths"]}
    found = views()
    assert len(found) > 20
    for where, view in found:
        assert issubclass(view.cls, ApiView), where
    ours = {where for name, where in routes(get_resolver().url_patterns) if name.startswith("api_")}
    plain = {
        re.sub(r"\(\?P<\w+>(?:" + re.escape(UUID_PATTERN) + r"|\[\^/\]\+)\)", "*", where) for where in ours
    }
    unknown = {where for where in plain if where.startswith("^(?:")}  # the fallback for all other paths
    assert {re.sub(r"[\^$?]", "", where).rstrip("/") for where in plain - unknown} == described
