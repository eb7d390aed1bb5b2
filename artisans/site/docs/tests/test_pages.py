"""The API documentation pages: complete, self-hosted, and without inline code."""

import re

import pytest
import yaml
from django.conf import settings
from rest_framework import exceptions

from artisans.core.api.error_codes import codes_by_name, refusals
from artisans.core.errors import DomainError
from artisans.site.docs.views import GUIDES
from orders.statuses import OrderPaymentStatus, OrderStatus, ParcelStatus
from payments.statuses import PaymentStatus, RefundStatus

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PAGES = ["/docs", "/docs/", "/docs/reference", "/docs/errors", "/docs/statuses", "/docs/guides"]
PAGES += [f"/docs/guides/{name}" for name in GUIDES]


@pytest.mark.parametrize("address", PAGES)
def test_page_has_no_inline_code_and_loads_only_from_our_host(client, address):
    answer = client.get(address)
    text = answer.content.decode()

    assert answer.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", text)
    loaded = re.findall(r'<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)="([^"]*)"', text)
    assert loaded
    assert all(address.startswith(settings.STATIC_URL) for address in loaded), loaded
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]


@pytest.mark.parametrize("address", [*PAGES, "/schema", "/schema.yaml"])
def test_pages_are_read_only(client, settings, address):
    settings.DEBUG = False
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)(address).status_code == 405


def test_schema_is_the_same_in_json_and_yaml(client):
    as_json = client.get("/schema").json()

    assert as_json["openapi"] == "3.1.1"
    assert yaml.safe_load(client.get("/schema.yaml").content)["paths"].keys() == as_json["paths"].keys()


def test_every_error_code_is_explained_at_its_type_url(client):
    text = client.get("/docs/errors").content.decode()
    drf = {kind.default_code for kind in exceptions.APIException.__subclasses__()} - {"invalid", "error"}
    wanted = {kind.code for kind in refusals()} | {*codes_by_name()} | drf

    for code in wanted - {"internal_error"}:
        assert f'<dt id="{code}">' in text, code


@pytest.mark.parametrize("kind", list(refusals()), ids=lambda kind: kind.__name__)
def test_every_domain_error_has_a_docstring(kind: type[DomainError]):
    assert kind.__doc__, f"{kind.__name__} needs a docstring: its first line is shown on /docs/errors"
    assert kind.remedy


def test_all_statuses_are_listed_with_their_transitions(client):
    text = client.get("/docs/statuses").content.decode()
    rows = re.findall(r"<tr>.*?<code>(\w+)</code>.*?</td><td>(.*?)</td></tr>", text)
    result = {name: re.findall(r"<code>(\w+)</code>", following) for name, following in rows}

    for words in (OrderStatus, OrderPaymentStatus, ParcelStatus, PaymentStatus, RefundStatus):
        assert set(words) <= set(result)
    assert result["EXPIRED"] == ["CONFIRMED"]
    assert result["PARTIALLY_REFUNDED"] == []  # the order's status, listed after the payment's
    assert result["SHIPPED"] == ["DELIVERED", "RETURNED"]


def test_reference_lists_every_operation(client):
    schema = client.get("/schema").json()
    text = client.get("/docs/reference").content.decode()

    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert f'id="{operation["operationId"]}"' in text
            assert f'<span class="method">{method.upper()}</span> {path}' in text


def test_unknown_guide_is_not_found(client):
    assert client.get("/docs/guides/none").status_code == 404
    assert client.get("/docs/guides/adr").status_code == 404


@pytest.mark.parametrize("name", GUIDES)
def test_links_of_a_guide_resolve(client, name):
    text = client.get(f"/docs/guides/{name}").content.decode()
    links = set(
        re.findall(r'<a href="([^"#]+)"', text.partition('<div class="docs">')[2].partition("<footer")[0])
    )

    assert all(link.startswith(("/docs", "https://")) for link in links), links
    for link in links:
        assert link.startswith("https://") or client.get(link).status_code == 200, link


def test_all_guides_are_listed_and_each_is_a_file_with_its_title(client):
    text = client.get("/docs/guides").content.decode()

    for name, title in GUIDES.items():
        assert f'<a href="/docs/guides/{name}">{title}</a>' in text
        assert (settings.BASE_DIR / f"docs/{name}.md").read_text().startswith(f"# {title}\n")
