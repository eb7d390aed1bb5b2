"""Staff pages about money refuse changes to the staff member's own order and changes based on outdated amounts."""

import copy
from typing import NamedTuple

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.db.models import Model
from django.utils import timezone

from artisans.core.admin.pages import PagesAdmin, admin_page_url
from orders.models import Order
from orders.selectors import is_own_order, is_owner
from payments.bookkeeping.refunds import refund_finish
from payments.bookkeeping.review_flags import flag_raise
from payments.errors import OwnOrder
from payments.methods import PaymentMethod
from payments.models import FlagKind, PaymentFlag
from payments.providers.contract import RemoteRefund, RemoteRefundStatus
from payments.refunds.staff import refund_open
from payments.tests.factories import apply_card_captures, record, start, usd
from tests import rows
from tests.dump import dump
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shared_acts")]

HARMLESS = {
    "order.as-buyer": "shows the buyer's page",
    "order.ledger": "shows how the order was booked",
    "order.revoke-links": "takes rights away, gives none",
    "payment.sync": "applies what the provider says, decides nothing",
    "webhookevent.replay": "the same",
    "hold.end": "an artisan's money; test_holds.py shows that it is refused for one's own order too",
    "webhookevent.close": "moves no money; what was missed is found by the nightly comparison",
    "providermovement.close": "no payment belongs to what can be closed",
    "providermovement.reopen": "no payment belongs to what can be closed",
}
GIVEN = {"preset": "other", "text": "A reason.", "reason": "A reason.", "resolution": "Settled."}
TODAY = {"value_date": timezone.localdate().isoformat(), "bank_reference": "LINE-9"}


class Way(NamedTuple):
    """How an order belongs to the staff member, and whether it is shown to them as their own."""

    email: str
    account: str = ""
    address: str = ""
    is_verified: bool = True
    is_shown: bool = True


WAYS = {
    "account": Way("shopper@example.test", account="staff"),
    "account and another address": Way("else@example.test", account="staff"),
    "guest with the sign-in address": Way("staff@example.test", is_shown=False),
    "guest with the sign-in address in capitals": Way("STAFF@Example.test", is_shown=False),
    "guest with a second address": Way("second@example.test", address="second@example.test"),
    "guest with a second address in capitals": Way(
        "SECOND@example.test", address="second@example.test", is_shown=False
    ),
    "guest with an unverified address": Way(
        "new@example.test", address="new@example.test", is_verified=False, is_shown=False
    ),
    "account of someone else with an own address": Way(
        "second@example.test", account="shopper", address="second@example.test", is_shown=False
    ),
}


ON_ALL_PAGES = {"account", "guest with a second address in capitals"}  # the other ways on two of the pages
TWO_PAGES = ("payment.record", "order.cancel")


def money_pages() -> set[str]:
    """Every custom admin page of orders and their related objects."""
    return {
        f"{model._meta.model_name}.{name}"
        for model, made in admin.site._registry.items()
        if isinstance(made, PagesAdmin)
        and (model is Order or hasattr(model, "payment") or hasattr(model, "order"))
        for name in made.pages
    } - HARMLESS.keys()


@pytest.fixture(scope="module")
def shared_acts(module_db, module_stripe) -> dict[str, tuple[Model, dict[str, str]]]:
    """Each page with the row that it is about and what is typed; all of it could be done by a colleague."""
    rows.store()
    shopper, admin_user = rows.shopper(), rows.superuser()
    offline = start(user=shopper)
    record(offline, "20.00", actor=admin_user)
    unpaid = start(user=shopper)
    by_card = apply_card_captures(
        start(PaymentMethod.CREDIT_CARD, user=shopper),
        refunds=(RemoteRefund("re_dashboard", usd("5.00"), RemoteRefundStatus.SUCCEEDED, reference=""),),
    )
    failed = refund_open(payment_id=by_card.pk, reason="broken", amount=usd("1.00"), actor=admin_user)
    refund_finish(refund_id=failed.pk, remote=None, refusal="no")
    flag_raise(by_card, FlagKind.CONFLICT, "look")
    return {
        "payment.record": (offline, {"amount": "79.99", "seen": "2000"} | TODAY),
        "payment.reject": (unpaid, GIVEN),
        "payment.return": (offline, {"amount": "20.00"} | GIVEN | TODAY),
        "payment.refund": (by_card, {"mode": "amount", "amount": "1.00", "seen": "500"} | GIVEN),
        "paymentrefund.retry": (failed, {}),
        "paymentrefund.decide": (by_card.refunds.get(origin="provider"), {"decision": "nothing"}),
        "paymentflag.resolve": (PaymentFlag.objects.filter(kind=FlagKind.CONFLICT).get(), GIVEN),
        "order.cancel": (by_card.order, GIVEN),
        "receipt.reverse": (offline.receipts.get(), {"reason": "bounced"}),
        "order.parcels": (by_card.order, GIVEN | {parcel_field(by_card.order): "cancel"}),
    }


@pytest.fixture
def acts(shared_acts):
    return copy.deepcopy(shared_acts)


def parcel_field(order: Order) -> str:
    return f"parcel_{order.parcels.get().pk.hex}"


def own(way: Way, staff, shopper) -> None:
    """All orders are the staff member's now, this way."""
    people = {"staff": staff, "shopper": shopper, "": None}
    Order.objects.update(email=way.email, user=people[way.account])
    if way.address:
        EmailAddress.objects.create(user=staff, email=way.address, verified=way.is_verified)


def test_every_money_page_is_covered(acts):
    assert acts.keys() == money_pages()


@pytest.mark.parametrize("name", WAYS)
def test_pages_refuse_changes_to_ones_own_order(acts, browser, staff, shopper, name):
    own(WAYS[name], staff, shopper)
    staff_client, before = browser(staff), dump()
    refusals = {str(OwnOrder()), "This order is paid or on its way; write to us and we will sort it out."}

    for act in acts if name in ON_ALL_PAGES else TWO_PAGES:
        row, typed = acts[act]
        answer = staff_client.post(admin_page_url(row, act.partition(".")[2]), typed)

        assert answer.status_code == 200, f"{act} went through"
        errors = {*answer.context["form"].non_field_errors(), answer.context["refusal"]}
        assert errors & refusals, f"{act}: {answer.context['form'].errors}"
        assert dump() == before, f"{act} changed something"


@pytest.mark.parametrize("name", WAYS)
def test_endpoints_refuse_changes_to_ones_own_order(acts, api, staff, shopper, name):
    own(WAYS[name], staff, shopper)
    by_card, offline, unpaid = (acts[f"payment.{act}"][0] for act in ("refund", "record", "reject"))
    staff_client, before = api(staff), dump()

    for address, sent in (
        (f"/payments/{offline.pk}/approve", {"amount": "79.99"} | TODAY),
        (f"/payments/{unpaid.pk}/reject", {"reason": "x"}),
        ("/payments/refunds", {"payment_id": str(by_card.pk), "amount": "1.00", "reason": "x"}),
    ):
        answer = staff_client.post(address, sent)

        assert (answer.status_code, answer.json()["code"]) == (403, "own_order"), address
        assert dump() == before, f"{address} changed something"


@pytest.mark.parametrize("name", WAYS)
def test_own_orders_of_staff_include_orders_not_shown_to_them_as_buyers(staff, shopper, stranger, name):
    way = WAYS[name]
    order = start(user=shopper).order
    own(way, staff, shopper)
    order.refresh_from_db()

    assert is_own_order(order, staff)
    assert is_owner(order, staff) == way.is_shown
    assert not is_own_order(order, stranger)


def news_of(order: Order, colleague) -> None:
    """A colleague moves money of this order."""
    payment = order.payments.get()
    if payment.is_remote:
        refund_open(payment_id=payment.pk, reason="broken", amount=usd("2.00"), actor=colleague)
    else:
        record(payment, "1.00", actor=colleague)


@pytest.mark.parametrize("about", ["payment.refund", "payment.record", "payment.reject"])
def test_stale_form_changes_nothing_and_shows_old_and_new_amounts(acts, browser, staff, admin_user, about):
    order, staff_client = acts[about][0].order, browser(staff)
    opened = {}
    for act, (row, typed) in acts.items():
        if order_of(row) == order and act != "paymentflag.resolve":  # which is not about sums
            address = admin_page_url(row, act.partition(".")[2])
            seen = page(staff_client.get(address)).one("main").one("input", name="order_seen").attrs["value"]
            opened[act] = address, typed | {"order_seen": seen}
    assert about in opened
    news_of(order, admin_user)
    before = dump()

    for act, (address, sent) in opened.items():
        answer = staff_client.post(address, sent)

        assert answer.status_code == 200, f"{act} went through"
        [error] = answer.context["form"].non_field_errors()
        assert "while this page was open" in error, act
        assert "$" in error, f"{act} shows no amounts"
        assert dump() == before, f"{act} changed something"


def order_of(row) -> Order:
    return row if isinstance(row, Order) else getattr(row, "payment", row).order


def test_surplus_is_refunded_once_by_two_colleagues(browser, staff, admin_user, shopper):
    first = start(user=shopper)
    record(first, "99.99", actor=staff)
    record(first, "10.01", actor=staff)
    staff_clients = [browser(user) for user in (staff, admin_user)]
    address = admin_page_url(first, "return")
    forms = [
        next(f for f in page(staff_client.get(address)).one("main").all("form"))
        for staff_client in staff_clients
    ]
    typed = {"preset": "The order was overpaid.", "text": ""} | TODAY

    staff_clients[0].post(address, forms[0].fields() | typed | {"bank_reference": "OUT-A"})
    late = page(staff_clients[1].post(address, forms[1].fields() | typed | {"bank_reference": "OUT-B"})).one(
        "main"
    )

    assert "Refunded: $10.01 (was $0.00)." in late.text
    assert "Refund due: $0.00 (was $10.01)." in late.text
    assert late.one("input", name="bank_reference").attrs["value"] == "OUT-B"
    assert [refund.amount for refund in first.refunds.all()] == [usd("10.01")]
