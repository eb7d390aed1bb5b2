"""Nothing that is shown can stop money: every page, list, answer and mail with rows that an operator or an earlier
release could have written, and money that moves on such orders.

Every text and JSON column of every table is overwritten, where its constraints permit; what a constraint forbids (an
unknown status, method, provider) cannot be stored on either database.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_page_url
from artisans.notifications.models import MailState, Notification
from artisans.notifications.services import notification_send, notifications_send_due
from orders.addresses import address_lines
from orders.countries import KNOWN
from orders.models import Order, OrderTransition, Parcel, ParcelTransition
from orders.services.parcels import parcel_ship
from orders.tests.factories import ADDRESS
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire, parcel_cannot_deliver
from payments.methods import PaymentMethod
from payments.models import Payment, PaymentTransition
from payments.tests.factories import apply_card_captures, give_back, record, reread, start
from tests.dump import LABELS
from tests.test_access import lines, make_things

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "broken_books")]

# What a row is found by, or a person is known by: a changed one is another row, not an odd one.
KEYS = {"id", "slug", "email", "password", "recipient", "dedupe_key", "kind", "key", "route", "principal"}
KEYS |= {"token_hash", "order_number", "payment_number", "refund_number", "username", "digest", "public_id"}
ODD = {
    "unknown words": ("Nowhere", "ZZZ", {"country": "UK", "name": {"first": None}, "$": "money"}),
    "wrong shapes, huge and hostile": ("<b>\u202e" + "x" * 20_000, "usd", [["US"], 7]),
}


def columns() -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    for label in LABELS:
        for model in apps.get_app_config(label).get_models():
            for field in model._meta.concrete_fields:
                is_text = isinstance(field, models.CharField | models.TextField | models.JSONField)
                if is_text and field.name not in KEYS and not field.unique:
                    yield model, field


def overwrite(text: str, currency: str, value: Any) -> set[str]:
    """Returns the columns that accepted the malformed value."""
    taken = set()
    for model, field in columns():
        if model is Notification:
            continue
        odd = currency if field.name.endswith("currency") else text[: field.max_length]
        odd = models.Value(value, models.JSONField()) if isinstance(field, models.JSONField) else odd
        try:
            with transaction.atomic():
                if model._base_manager.update(**{field.attname: odd}):
                    taken.add(f"{model.__name__}.{field.name}")
        except DatabaseError:
            continue
    return taken


def add_history(text: str, value: Any) -> None:
    """Rows of tables that are only added to, as another release could have added them."""
    odd = {"old": "NOWHERE", "new": "ELSEWHERE", "cause": text[:300], "actor_name": text[:150]}
    for order in Order.objects.all():
        OrderTransition.objects.create(order=order, **odd)
        AuditEntry.objects.create(action="nowhere", actor_name=text[:150], target_id=order.pk, data=value)
    for payment in Payment.objects.all():
        PaymentTransition.objects.create(payment=payment, **odd)
    for parcel in Parcel.objects.all():
        ParcelTransition.objects.create(parcel=parcel, **odd)


@pytest.fixture
def rows(bowl, shopper, seller, admin_user, settings):
    """The objects of the access tests and a card payment; one parcel is shipped."""
    settings.MAX_OPEN_ORDERS = 9
    found = make_things(shopper, bowl, admin_user)
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper))
    parcel = Parcel.objects.filter(order__released_at__isnull=False, status="NEW").first()
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="1Z", actor=seller)
    return found


def admin_pages() -> Iterator[str]:
    for model, shown in admin.site._registry.items():
        yield f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for row in model._base_manager.all()[:1]:
            yield admin_page_url(row)
            yield from (admin_page_url(row, name) for name in getattr(shown, "pages", ()))


@pytest.mark.parametrize("kind", ODD)
def test_every_page_list_and_answer_works_with_malformed_rows(
    rows, browser, api, shopper, seller, admin_user, settings, kind
):
    people = {True: [api(shopper), api(seller)], False: [browser(shopper), browser(seller)]}
    taken = overwrite(*ODD[kind])
    add_history(ODD[kind][0], ODD[kind][2])
    assert {"Order.shipping_address", "Order.billing_address", "Parcel.currency", "Artisan.name"} <= taken

    for client in (*people[True], *people[False]):
        client.raise_request_exception = False
    office = browser(admin_user)
    office.raise_request_exception = False
    failed = []
    for method, address, *_ in lines().values():
        if method != "get":
            continue
        path = address.format(**rows)
        for client in people[path.startswith(settings.API_PREFIXES)]:
            status = client.get(path).status_code
            failed += [(path, status)] if status >= 500 and "health" not in path else []
    failed += [(path, status) for path in admin_pages() if (status := office.get(path).status_code) >= 500]

    assert failed == []


def test_malformed_orders_can_be_processed(bowl, shopper, staff, seller, settings):
    """Settled, expired, cancelled, refunded, not deliverable; offline and by card."""
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    settings.MAX_OPEN_ORDERS = 99
    bowl.stock = 99
    bowl.save()
    for _, currency, address in ODD.values():
        offline = [start(items={bowl: 1}, user=shopper) for _ in range(3)]
        card = start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper)
        orders = Order.objects.filter(pk__in=[payment.order_id for payment in (*offline, card)])
        orders.update(shipping_address=models.Value(address, models.JSONField()))
        Parcel.objects.filter(order__in=orders).update(currency=currency)
        for order in orders:
            OrderTransition.objects.create(
                order=order, old="NOWHERE", new="ELSEWHERE", cause="x", actor_name="x"
            )
        settled, expired, cancelled = offline

        record(settled, settled.amount, actor=staff, reference=f"STMT-{settled.pk}")
        apply_card_captures(card)
        give_back(settled, "1.00", actor=staff, reference=f"OUT-{settled.pk}")
        parcel_cannot_deliver(parcel_id=settled.order.parcels.get().pk, reason="kiln broke", actor=seller)
        orders.filter(pk=expired.order_id).update(expires_at=timezone.now() - timedelta(minutes=1))
        assert order_expire(order_id=expired.order_id)
        order_cancel(order_id=cancelled.order_id, reason="changed my mind", actor=shopper)

        result = [reread(payment).order.status for payment in (*offline, card)]
        assert result == ["CANCELLED", "EXPIRED", "CANCELLED", "CONFIRMED"], address
    for row in Notification.objects.filter(state=MailState.WAITING):
        assert notification_send(row.pk), row
    assert Notification.objects.exclude(state=MailState.SENT).count() == 0


def test_mails_that_cannot_be_rendered_stop_no_other_and_are_shown_to_staff(
    bowl, shopper, browser, admin_user, subtests
):
    contexts = [None, [], 7, {}, {"$": "gone"}, {"order_link": 7}, {"store": "x", "order": None}]
    start(items={bowl: 1}, user=shopper)
    first = Notification.objects.get()
    odd = [first] + [
        Notification.objects.create(kind=first.kind, recipient=first.recipient, dedupe_key=f"odd-{n}")
        for n in range(1, len(contexts))
    ]
    for mail, context in zip(odd, contexts, strict=True):
        Notification.objects.filter(pk=mail.pk).update(context=models.Value(context, models.JSONField()))
    start(items={bowl: 1}, user=shopper)
    fine = Notification.objects.exclude(pk__in=[mail.pk for mail in odd]).get()

    notifications_send_due()

    fine.refresh_from_db()
    assert fine.state == MailState.SENT
    office = browser(admin_user)
    assert office.get("/admin/notifications/notification/?delivery=stuck").status_code == 200
    for mail, context in zip(odd, contexts, strict=True):
        with subtests.test(str(context)):
            mail.refresh_from_db()
            assert mail.state == MailState.SENT or mail.last_error
            assert office.get(admin_page_url(mail)).status_code == 200


def test_address_has_lines_for_every_country():
    for code in KNOWN:
        shown = " ".join(address_lines(ADDRESS | {"country": code}))  # some countries write in capitals
        assert ADDRESS["line1"].upper() in shown.upper(), code
