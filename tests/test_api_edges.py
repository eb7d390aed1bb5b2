"""Answers outside of views: unknown methods, unknown paths, OPTIONS."""

import re

import pytest
from django.test import Client

from artisans.site.docs.document import document
from payments.webhooks import schema
from tests.problems import problem

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

PATHS = sorted(set(document()["paths"]) - {schema.PATH})  # that is no view of the framework


@pytest.fixture
def strict() -> Client:
    """A client with CSRF checks, like a browser."""
    return Client(enforce_csrf_checks=True)


def address(path: str) -> str:
    return re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", path)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize(
    "path", ["/auth/tokens/null", "/orders/x/y", "/parcels/1", "/payments/webhooks", "/carts/é"]
)
def test_unknown_path_below_the_api_is_a_problem_for_every_method(strict, method, path):
    problem(getattr(strict, method)(path), 404, "not_found")


@pytest.mark.parametrize("path", PATHS)
def test_options_names_the_methods(api, admin_user, path):
    answer = api(admin_user).options(address(path))

    assert answer.status_code == 200
    described = {method.upper() for method in document()["paths"][path]}
    assert described <= set(answer["Allow"].replace(" ", "").split(","))


@pytest.mark.parametrize("path", PATHS)
def test_wrong_method_is_refused_with_the_allowed_ones(api, admin_user, path):
    unknown = {"get", "put", "patch", "post", "delete"} - set(document()["paths"][path])
    client = api(admin_user)

    for method in sorted(unknown):
        answer = getattr(client, method)(address(path))
        problem(answer, 405, "method_not_allowed")
        assert method.upper() not in answer["Allow"]


@pytest.mark.parametrize("path", PATHS)
def test_paths_with_and_without_a_slash_are_the_same(api, admin_user, path):
    client = api(admin_user)
    plain = address(path).rstrip("/")

    answers = [client.get(plain), client.get(f"{plain}/")]

    assert answers[0].status_code == answers[1].status_code
    assert answers[0].status_code not in {301, 302}
