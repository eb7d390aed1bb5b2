"""The example calls of the documents, run against a real server."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from artisans.accounts.models import AuthToken
from artisans.accounts.principals import Principal
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.kinds import KINDS
from carts.services import cart_open
from orders.models import Order
from payments.models import Payment
from payments.providers.paypal.provider import ACCESS as PAYPAL_ACCESS
from payments.providers.stripe.reading import ACCESS as STRIPE_ACCESS
from scripts import reference
from scripts.email_occasions import OCCASIONS
from tests.sources import sources

with_commits = pytest.mark.django_db(transaction=True)


def blocks(name: str, language: str) -> list[str]:
    text = Path(settings.BASE_DIR, name).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(script: str) -> str:
    done = subprocess.run(  # our own documents
        ["bash", "-euc", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def documents() -> list[Path]:
    root = settings.BASE_DIR
    return [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("sandbox/**/*.md")]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_between_documents_resolve(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        target, _, anchor = link.partition("#")
        if not target.startswith(("http", "/", "reference/")):  # `make check` tests links to generated pages
            found = document.parent / target if target else document
            assert found.exists(), link
            assert not anchor or anchor in anchors(found), link


def anchors(document: Path) -> set[str]:
    """Of its headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_reference_explains_every_option_of_a_command_and_every_system_check():
    commands = "\n".join(reference.commands())
    assert "| `--dry-run` |" in commands
    assert "` |  |" not in commands

    names = {
        name
        for path in sources(reference.OURS, without=[])
        for name in reference.CHECK_ID.findall(path.read_text())
    }
    listed = "\n".join(reference.system_checks())
    assert names == set(re.findall(r"^\| `(\S+)` \|", listed, re.MULTILINE))
    assert "| … |\n" not in listed, "what to do must not depend on variables alone"


def test_page_about_logs_explains_every_event():
    page = Path(settings.BASE_DIR, "docs/logs.md").read_text()
    calls = re.compile(r'logger\.\w+\(\s*(?:level, )?"(\w+)"|\bevent="(\w+)"')
    names = {
        first or second
        for path in sources(reference.OURS, without=["tests"])
        for first, second in calls.findall(path.read_text())
    }
    assert len(names) > 40
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_reference_says_when_each_email_is_sent():
    assert OCCASIONS.keys() == KINDS.keys()


def test_operators_read_the_permissions_that_are_checked():
    page = Path(settings.BASE_DIR, "docs/payment-providers.md").read_text()
    for _part, permission, _call in STRIPE_ACCESS:
        assert f"| {permission.replace(': ', ' | ')} |" in page
    for _part, permission, _path in PAYPAL_ACCESS:
        assert f"*{permission}*" in page


@pytest.fixture
def product(store) -> Product:
    return ProductFactory(price_minor=8545, stock=25)


@with_commits
def test_calls_of_the_api_document_do_what_it_says(live_server, shopper, product):
    _, token = AuthToken.objects.create(user=shopper)
    cart = cart_open(Principal(user=shopper)).cart
    named = {
        "http://localhost:8000": live_server.url,
        "<token>": token,
        "product-uuid": str(product.pk),
        "{cart_id}": str(cart.pk),
    }

    def call(script: str) -> dict[str, Any]:
        for name, value in named.items():
            script = script.replace(name, value)
        return json.loads(run(script.replace("curl ", "curl -sS --fail-with-body ")))

    place, pay, add, checkout = blocks("docs/api.md", "bash")
    order = call(place)
    named["order-uuid"] = order["id"]
    payment = call(pay)
    filled = call(add)
    ordered = call(checkout)

    assert (order["status"], order["total"]) == ("PENDING", "99.99")
    assert (payment["status"], payment["amount"]) == ("PENDING", "99.99")
    assert payment["next_action"]["reference"] == order["order_number"]
    assert [item["quantity"] for item in filled["items"]] == [2]
    assert ordered["payment"]["status"] == "PENDING"
    assert Order.objects.count() == 2
    assert Payment.objects.count() == 2


@with_commits
def test_three_calls_of_the_api_document_place_an_order(live_server, shopper, product):
    shopper.email = "shopper@demo.test"
    shopper.set_password("demo-alley-1")
    shopper.save()
    script = "\n".join(blocks("docs/api.md", "sh"))

    answer = run(script.replace("http://localhost:8000", live_server.url))

    assert '"transfer_money"' in answer
    assert Order.objects.get().user == shopper
