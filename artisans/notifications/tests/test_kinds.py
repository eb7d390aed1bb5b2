"""Every kind of email has a subject, a text part and an HTML part that render from its facts."""

from datetime import UTC, date, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import TextChoices
from django.template import engines
from django.utils.html import strip_tags

from artisans.core.money import Money
from artisans.notifications.facts import pack
from artisans.notifications.kinds import KINDS
from artisans.notifications.models import Notification
from artisans.notifications.rendering import FACT_BUILDERS, LINK_BUILDERS, render
from artisans.notifications.services import MailMessage, notifications_enqueue
from tests.rows import carriers

MISSING = "!missing!"
AMOUNT = Money(4675, "USD")
ONE_ID = str(UUID(int=7))
LINES = [{"name": "Bowl & plate", "quantity": 2, "artisan_name": "Harbour Pottery"}]
FACTS = {  # of all kinds together
    "store": {"name": "Artisans Alley", "support_email": "help@example.test"},
    "order_number": "7KQ2M9XBG",
    "order_link": [ONE_ID, 1],
    "order": {
        "order_number": "7KQ2M9XBG",
        "created_at": date(2026, 11, 28),
        "lines": [line | {"unit_price": AMOUNT, "line_total": AMOUNT} for line in LINES],
        "subtotal": AMOUNT,
        "discount": AMOUNT,
        "tax": AMOUNT,
        "prices_include_tax": True,
        "is_reverse_charge": True,
        "company": "Blau & Söhne GmbH",
        "vat_id": "DE136695976",
        "shipping": AMOUNT,
        "total": AMOUNT,
        "shipping_address_lines": ["Ada Lovelace", "1 Harbour Street"],
        "parcel_count": 2,
    },
    "parcel_id": ONE_ID,
    "vat_id": "DE136695976",
    "is_valid": True,
    "products": [{"name": "Bowl & plate", "stock": 2}, {"name": "Jug", "stock": 0}],
    "further": 3,
    "artisan_name": "Harbour Pottery",
    "parcel": {
        "number": 1,
        "artisan_name": "Harbour Pottery",
        "lines": LINES,
        "ship_to": ["Ada Lovelace", "1 Harbour Street"],
        "note": "Ring twice",
        "phone": "+1 503 555 0123",
        "fee": AMOUNT,
        "share": AMOUNT,
        "bears_payment_fee": True,
        "collect_cash": AMOUNT,
        "carrier": "UPS",
        "tracking": "1Z999",
        "to_follow": 2,
    },
    "instructions": {
        "kind": "bank_transfer",
        "headline": "Pay by bank transfer",
        "amount": AMOUNT,
        "due": date(2026, 12, 5),
        "rows": [["Reference", "7KQ2M9XBG"]],
        "text": ["Please give the reference."],
    },
    **dict.fromkeys(("amount", "received", "outstanding", "surplus", "due", "owed"), AMOUNT),
    **dict.fromkeys(("date", "pay_by", "since"), date(2026, 12, 5)),
    **dict.fromkeys(
        ("confirm_until", "keep_until", "kept_until", "at", "starts"),
        datetime(2026, 12, 5, 9, 30, tzinfo=UTC),
    ),
    **dict.fromkeys(("is_own", "ends_access", "is_held", "is_withheld", "revived"), True),
    "to_send": 2,
    "money_note": "You have not been charged.",
    "reason": "The kiln broke.",
    "what": "The password of your account was changed",
    "method": "Visa •••• 4242",
    "provider": "Stripe",
    "number": "R-1",
    "reference": "7KQ2M9XBG",
    "approval_id": ONE_ID,
    "title": "Refund $46.75",
    "requested_by": "ada@example.test",
    "decided_by": "grace@example.test",
    "status": "Approved",
    "note": "Agreed.",
    "about": "Artisan Harbour Pottery",
    "actor": "ada@example.test",
    "invitation": [ONE_ID, 1],
    "role": "helper",
    "application_id": ONE_ID,
    "craft": "Potter",
    "town": "Port Ellery",
    "text": "A question,\nin two lines",
    "state": "closing",
    "terms_number": 2,
    "product_id": ONE_ID,
    "product_name": "Moss bowl",
    "terms_changes": "Payouts, monthly",
    "user_id": ONE_ID,
    "account_state": [0, "ada@example.test"],
    "address_id": 7,
    "email": "ada@example.test",
    "export_id": ONE_ID,
    "row_count": 30_000,
    "is_admin": True,
    "days": 3,
    "currency": "USD",
    "changes": [{"label": "Commission", "categories": "Bowls & plates", "old": "10 %", "new": "12 %"}],
}


@pytest.fixture(autouse=True)
def derived(monkeypatch) -> None:
    methods = ["Harbour Pottery: Express (1 business day)"]
    monkeypatch.setitem(FACT_BUILDERS, "shipping_methods", lambda facts: methods)


def sample(kind: str) -> Notification:
    return Notification(kind=kind, context=pack(FACTS))


@pytest.fixture
def strict_templates(monkeypatch):
    monkeypatch.setattr(engines["django"].engine, "string_if_invalid", MISSING)


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.usefixtures("strict_templates")
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_has_a_subject_a_text_and_an_html_part(kind):
    mail = render(sample(kind))

    for part in (mail.subject, mail.text, mail.html):
        assert part.strip()
        assert MISSING not in part
        assert "{{" not in part
    assert len(mail.subject) <= 78
    assert "</html>" in mail.html
    assert mail.text == strip_tags(mail.text), "the text part holds no HTML"
    assert "&amp;" not in mail.text


@pytest.mark.django_db
def test_unregistered_kind_is_refused():
    with pytest.raises(LookupError, match="no_such_kind"):
        notifications_enqueue(MailMessage("no_such_kind", "ada@example.test", "fact", {}))

    assert not Notification.objects.exists()


@pytest.mark.django_db
def test_links_are_built_only_from_the_stored_facts():
    carriers()
    fixed = {"reset_url", "signup_url", "methods_url", "low_stock_url"}
    fixed |= {"application_url", "terms_url", "own_products_url", "own_parcels_url", "cart_url"}
    signed = {"order_url", "pay_url", "confirm_url", "parcel_url", "approval_url", "export_url"}
    signed |= {"new_password_url", "confirm_address_url", "invitation_url", "application_review_url"}
    of_a_fact = {"earning_lines_url", "own_product_url"}
    of_a_carrier = {"tracking_url"}

    assert set(LINK_BUILDERS) == fixed | signed | of_a_fact | of_a_carrier
    assert all(
        LINK_BUILDERS[name](FACTS).startswith(f"{settings.SITE_URL}/")
        for name in LINK_BUILDERS.keys() - of_a_carrier
    )
    assert LINK_BUILDERS["tracking_url"](FACTS) == "https://www.ups.com/track?tracknum=1Z999"
    assert all(LINK_BUILDERS[name]({}) for name in fixed)
    for name in signed | of_a_fact:
        with pytest.raises(KeyError):
            LINK_BUILDERS[name]({})


def test_every_kind_of_every_app_is_registered_and_no_template_is_left_over():
    declared = {
        value
        for config in apps.get_app_configs()
        if find_spec(f"{config.name}.mails")
        for found in vars(import_module(f"{config.name}.mails")).values()
        if isinstance(found, type) and issubclass(found, TextChoices) and found.__module__.endswith(".mails")
        for value in found.values
    }
    templates = {path.name for path in Path(settings.BASE_DIR, "templates/emails").iterdir()}

    assert declared == set(KINDS)
    assert {name for name in templates if not name.startswith("_")} == {
        f"{kind}.{part}" for kind in KINDS for part in ("subject.txt", "txt", "html")
    }
