"""The guides for API clients, run block by block against a real server and the sandbox."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configuration

from artisans.accounts.models import User
from artisans.catalog.applications import application_decide, application_submit
from artisans.catalog.models import Application
from artisans.catalog.statuses import ApplicationStatus
from artisans.notifications.models import Notification
from artisans.site.docs.views import GUIDES
from payments.models import Payment, Receipt
from payments.tests.periodic import process_due
from tests import rows

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

SECRET = "the-secret-of-the-feed"  # of docs/webhooks.md
BY_CURL = {"api", "cards"}  # run by tests/test_docs.py and payments/tests/test_cards_document.py
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
ROW = re.compile(r"^\| `(pm_card_\w+)` \| ([\d ]+) \| (.*?) \|$", re.MULTILINE)

Guide = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def live_server(django_db_setup, live_server):
    """Starts once the test database exists; before, SQLite would use and share an in-memory database."""
    return live_server


def text_of(name: str) -> str:
    return Path(configuration.BASE_DIR, f"docs/{name}.md").read_text()


def blocks(name: str) -> list[str]:
    found = BLOCK.findall(text_of(name))
    assert {language for language, _ in found} <= {"python"}, f"{name}: a block that no test runs"
    return [code for _, code in found]


@pytest.fixture
def demo(bowl, shopper, staff, settings) -> None:
    """The people of `make run`, and something to buy."""
    settings.DEMO = True
    bowl.stock = 500
    bowl.save()
    for user in (shopper, staff):
        user.email = f"{user.email.partition('@')[0]}@demo.test"
        user.set_password("demo-alley-1")
        user.save()


@pytest.fixture
def applicant(demo) -> User:
    """Has sent an application, as in the demo."""
    application = rows.applying()
    user = application.artisan.user
    assert user
    application_submit(application_id=application.pk, actor=user)
    user.email = "applicant@demo.test"
    user.set_password("demo-alley-1")
    user.save()
    return user


@pytest.fixture
def shop(live_server, demo, stripe, paypal, settings, monkeypatch) -> dict[str, str]:
    """Replace the documents' URLs with those of this test. `sleep` in a document runs the worker."""
    settings.MANUAL_WEBHOOK_SECRET = [SECRET]
    settings.RATE_LIMIT_FACTOR = settings.MAX_OPEN_ORDERS = settings.MAX_HELD_OF_PRODUCT = 10_000
    mine, sleep = threading.get_ident(), time.sleep

    def wait(seconds: float) -> None:
        if threading.get_ident() == mine:
            process_due()
            applications_decide()
        else:
            sleep(seconds)

    monkeypatch.setattr(time, "sleep", wait)
    return {"http://localhost:8000": live_server.url, "http://localhost:12111": stripe.url}


def applications_decide() -> None:
    """Staff ask every applicant something, and approve once it was answered."""
    for application in Application.objects.filter(status=ApplicationStatus.SUBMITTED):
        seen = application.events.count()
        is_asked = application.events.filter(status=ApplicationStatus.ASKED).exists()
        to = ApplicationStatus.APPROVED if is_asked else ApplicationStatus.ASKED
        application_decide(
            application_id=application.pk, to=to, actor=rows.superuser(), text="By hand?", seen=seen
        )


@pytest.fixture
def read(shop) -> Guide:
    """Run the blocks of a guide, after those of others; the names that they leave behind."""

    def run(*names: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name in names:
            for block in blocks(name):
                code = re.sub(r"http://localhost:\d+", lambda address: shop[address[0]], block)
                exec(compile(code, f"docs/{name}.md", "exec"), result)  # noqa: S102  # our own documents
        return result

    return run


def test_tutorial_leads_to_a_paid_order(read, stripe):
    result = read("tutorial")

    assert result["summary"]["total"] == "99.99"
    assert stripe.captured() == [9999]


@pytest.mark.parametrize("name", sorted(set(GUIDES) - BY_CURL - {"tutorial", "test-cards", "selling-by-api"}))
def test_guide_does_what_it_says(read, stripe, paypal, name):
    """The guide contains its own assertions; those here are about what it cannot see."""
    assert "\nassert " in "\n".join(blocks(name))

    read("tutorial", name)

    match name:
        case "refunds":
            assert stripe.refunded() == [1000, 9999, 9999]
        case "webhooks":
            assert [receipt.bank_reference for receipt in Receipt.objects.all()] == ["2026-330-17"]
        case "paypal":
            assert paypal.cents("capture.completed") == [9999]


def test_artisan_sells_by_api(read, applicant):
    """What the guide cannot see: the buyer was emailed about both shipments and what will not come."""
    read("tutorial", "selling-by-api")

    kinds = Counter(Notification.objects.filter(recipient="shopper@demo.test").values_list("kind", flat=True))
    assert (kinds["parcel_shipped"], kinds["units_cancelled"]) == (2, 1)


def test_every_test_card_does_what_the_table_says(read):
    result = read("tutorial")
    rows = ROW.findall(text_of("test-cards"))
    assert len(rows) > 12
    for token, _, promised in rows:
        payment = result["pay_by"]("credit_card")
        confirm = {"payment_intent_id": payment["id"], "payment_method_id": token}

        answer = result["call"]("POST", "/payments/confirm", confirm, result["token"])

        body = answer.json()
        found = f"402, `{body['decline_group']}`" if answer.status_code == 402 else f"`{body['status']}`"
        assert promised.startswith(found), (token, found)
        captured = Payment.objects.get(pk=payment["id"]).received_minor
        assert captured == (9999 if body["status"] == "COMPLETED" else 0), token


def test_numbers_of_the_table_are_those_of_the_sandbox():
    readme = Path(configuration.BASE_DIR, "sandbox/README.md").read_text()

    for token, number, _ in ROW.findall(text_of("test-cards")):
        assert f"| `{token.removeprefix('pm_card_')}` | {number} |" in readme, token
