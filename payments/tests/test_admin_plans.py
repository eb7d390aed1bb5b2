"""Lists, counters and searches of the admin read indexes, so that they stay fast as the shop grows."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from artisans.accounts.admin import USER_TEXT
from artisans.accounts.models import User
from artisans.audit.models import AuditEntry
from artisans.catalog.models import StockMove
from artisans.core.admin.search import containing
from artisans.notifications.admin import stuck_mails
from artisans.notifications.models import Notification, mails_of_orders
from orders.models import Order, Parcel
from orders.owed import IS_OWED
from payments.admin.search import ORDERS, PAYMENTS, searches
from payments.models import ProviderRequest, Transaction, WebhookEvent
from payments.selectors import (
    flags_open,
    payments_awaiting_decision,
    payments_by_past_object,
    refunds_to_decide,
    webhooks_for_staff,
)
from payments.webhooks.inbox import events_due

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql, pytest.mark.usefixtures("store")]

SEARCHED = {
    "Ada Lovelace": {
        "order_text",
        "order_line_product_name",
        "order_postal_code",
        "provider_call_object_once",
    },
    "ovelace@exam": {
        "order_text",
        "capture_booked_once",
        "payment_provider_id_unique",
        "refund_bank_reference",
    },
    "+1 (503) 555-0100": {"order_phone_end"},
    "99.99": {"order_total"},
    "Order 7KQ2M9XBG": {"orders_order_order_number"},
}


def plan_of(rows: QuerySet[Any, Any]) -> str:
    """With so few rows, reading the whole table, or all in order, costs less than any index; so may beginning with a
    joined table."""
    rows = rows.all()
    rows.query.select_related = False
    rows.query.clear_limits()
    rows.query.clear_ordering(force=True)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


def hide_other_indexes(index: str) -> None:
    """Of its table, until the test's transaction ends: which one is cheapest for few rows depends on statistics."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = (indexrelid = %(index)s::regclass) "
            "WHERE indrelid = (SELECT indrelid FROM pg_index WHERE indexrelid = %(index)s::regclass)",
            {"index": index},
        )


def forget_statistics() -> None:
    """Until the test's transaction ends, the planner assumes what it does of tables that were never analyzed."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pg_statistic")
        cursor.execute("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relkind IN ('r', 'i')")


def test_every_search_of_orders_and_payments_has_an_index(subtests):
    forget_statistics()
    for term, indexes in SEARCHED.items():
        with subtests.test(term):
            plans = "\n".join(plan_of(keys) for _path, keys in searches(term, ORDERS))

            assert {name for name in indexes if name not in plans} == set()
    amount = "\n".join(plan_of(keys) for _path, keys in searches("99.99", PAYMENTS))
    assert "payment_amount" in amount


def test_counters_and_other_searches_have_indexes(subtests):
    cases = {
        "order_refund_due": Order.objects.filter(IS_OWED).order_by("updated_at"),
        "payment_queue": payments_awaiting_decision().order_by(),
        "payment_flag_one_open_per_kind": flags_open().order_by(),
        "refund_to_be_decided": refunds_to_decide(),
        "webhook_unsettled": webhooks_for_staff().order_by("created_at"),
        "mail_to_send": stuck_mails().order_by("created_at"),
        "mail_of_order": mails_of_orders(["7KQ2M9XBG"]).order_by(),
        "mail_recipient": containing(Notification.objects.order_by(), "recipient", "lovelace"),
        "user_text": containing(User.objects.order_by(), USER_TEXT, "lovelace ada"),
        "audit_actor_name": containing(AuditEntry.objects.order_by(), "actor_name", "lovelace"),
        "audit_of_request": AuditEntry.objects.filter(request_id="a1").exclude(request_id="").order_by(),
        "parcel_tracking": Parcel.objects.filter(tracking__iexact="a1").exclude(tracking="").order_by(),
        "stock_move_reason": StockMove.objects.filter(reason__istartswith="broken").order_by(),
        "webhook_kind": WebhookEvent.objects.filter(kind="charge.succeeded").order_by("created_at"),
        "webhook_due": events_due(),
        "webhook_once_per_provider": WebhookEvent.objects.filter(
            provider="stripe", event_id="evt_1"
        ).order_by(),
        "provider_call_object_once": payments_by_past_object.__wrapped__("stripe", "pi_1"),
        "ledger_transaction_day": Transaction.objects.order_by(),
        "ledger_transaction_kind": Transaction.objects.filter(kind="dispute_lost").order_by(),
        "provider_request_not_answered": ProviderRequest.objects.filter(outcome="unknown").order_by(),
        "order_status": Order.objects.filter(status="CONFIRMED").order_by("created_at"),
    }
    for index, rows in cases.items():
        with subtests.test(index):
            hide_other_indexes(index)
            assert index in plan_of(rows)
