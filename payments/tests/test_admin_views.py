"""Read-only lists and pages: search, filters, and the cost of the pages."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from unfold.templatetags.unfold_list import items_for_result, result_headers

from artisans.accounts.models import User
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import admin_list_url, admin_page_url
from artisans.core.admin.paging import BoundedPaginator
from artisans.core.api.fields import CONTROL_IN_LINE as CONTROL
from artisans.core.money import Money
from artisans.core.numbers import check_sign
from artisans.core.templatetags.list_rows import columns_of
from artisans.notifications.models import Notification
from orders.models import Order, Parcel
from orders.tests.factories import ADDRESS
from payments.admin.filters import REFUND_DUE
from payments.admin.search import amounts_of, numbers_in
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipts import payment_reject
from payments.methods import PaymentMethod
from payments.models import EventState, Payment, ProviderAlert, WebhookEvent
from payments.tests.factories import give_back, paid_by_card, record, start
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def full(browser, admin_user, staff, shopper):
    """A superuser's browser, with at least one row in most tables."""
    payment = start(user=shopper)
    record(payment, "109.99", actor=staff)
    give_back(payment, "5.00", actor=staff)
    return browser(admin_user)


def found(client, address: str) -> set[str]:
    shown = page(client.get(address))
    tables = shown.all("table", id="result_list")
    return (
        {row.all("th")[0].text.split()[0] for row in tables[0].all("tr") if row.all("td")}
        if tables
        else set()
    )


@pytest.fixture
def listed(full):
    """`listed(model, query)`: the numbers that the list has. Without its page, which costs ten times as much."""
    user = User.objects.get(is_superuser=True)

    def numbers(model: type[Order] | type[Payment], query: str) -> set[str]:
        request = RequestFactory().get(admin_list_url(model, query))
        request.user = user
        shown = admin.site.get_model_admin(model).get_changelist_instance(request).result_list
        return {row.order_number if model is Order else row.payment_number for row in shown}

    return numbers


@pytest.mark.parametrize("model", [Order, Payment])
def test_unknown_row_redirects_home_with_a_message(full, model):
    answer = full.get(f"{admin_list_url(model)}0b0b0b0b-0000-4000-8000-000000000000/change/", follow=True)

    assert "doesn’t exist" in page(answer).text


@pytest.mark.parametrize("model", [Order, Payment])
def test_search_that_finds_nothing_offers_what_staff_can_do(full, model):
    shown = page(full.get(admin_list_url(model), {"q": "zzzzqq"})).text

    assert "Nothing matches this search or these filters." in shown
    assert "Reset filters" in shown
    assert "Create a new item" not in shown
    assert "0 results (" in shown


def test_list_without_a_search_or_filter_does_not_offer_to_reset_them(full):
    everything, nothing = (page(full.get(admin_list_url(model))).text for model in (Payment, ProviderAlert))

    assert "1 payment" in everything
    assert "No results found" in nothing
    for offer in ("0 results", "Reset filters", "Nothing matches"):
        assert offer not in everything + nothing


@pytest.mark.once
def test_search_for_nothing_visible_finds_everything(full, api, bowl, subtests):
    for text in ("\u200b", " \u2060\ufeff ", "\x00\x07", "\u3164", "\u202e\u200d", "\t\r\n"):
        with subtests.test(text=text):
            for model in (Order, Payment, Notification, User, Product):
                shown = page(full.get(admin_list_url(model), {"q": text})).text
                assert "Reset filters" not in shown, model
            shown = page(full.get(reverse("catalog:product_list"), {"q": text})).text
            assert bowl.name in shown
            assert "No items" not in shown
            answer = api().get("/products/", {"q": text})
            assert answer.status_code == 400 if any(map(CONTROL.match, text)) else answer.json()["results"]
    orders = admin_list_url(Order)
    assert found(full, f"{orders}?q=\u200bshopper%00") == found(full, f"{orders}?q=shopper") != set()


def test_list_with_more_rows_than_are_counted_says_so_and_acts_on_none_but_the_selected(
    full, staff, monkeypatch
):
    monkeypatch.setattr(BoundedPaginator, "most", 2)
    for _ in range(2):
        start(user=staff)
    address = admin_list_url(Notification)
    assert Notification.objects.count() > 2

    shown = page(full.get(address, {"state__exact": "waiting"}))

    assert "More than 2 results" in shown.text
    assert not shown.all(class_="question"), "no offer to select all"
    first = Notification.objects.filter(state="waiting").first()
    sent = {"action": "send_again", "index": "0", "_selected_action": str(first.pk)}
    refused = page(full.post(address, sent | {"select_across": "1"}, follow=True)).text
    assert "More than 2 rows match." in refused
    assert "being resent" not in refused
    assert "1 unsent email is being resent." in page(full.post(address, sent, follow=True)).text


# ---- one order, one payment --------------------------------------------------------------------------------


def test_order_page_shows_the_full_history(full):
    payment = Payment.objects.get()

    shown = page(full.get(admin_page_url(payment.order)))

    for text in (
        "Refund $5.00",
        "STMT-1",
        "OUT-1",
        "shopper@example.test",
        payment.payment_number,
        "12 Pier Road",
        "Phone for the carrier: +1 503 555 0123",
    ):
        assert text in shown.text, text
    entries = [node.text for node in shown.one("ol", class_="aa-timeline").all("li")]
    assert "placed" in entries[0]
    assert "Offline refund recorded" in entries[-1]
    assert any("Awaiting payment → Confirmed" in entry and "staff@example.test" in entry for entry in entries)
    assert payment.order.access_token not in full.get(admin_page_url(payment.order)).content.decode()


def test_payment_page_shows_receipts_refunds_and_history(full):
    payment = Payment.objects.get()

    shown = page(full.get(admin_page_url(payment)))

    for text in (
        "$99.99",
        "$109.99",
        "STMT-1",
        "OUT-1",
        "Pending → Completed",
    ):
        assert text in shown.text, text
    assert "Completed → " not in shown.text, "only the surplus was refunded"


def test_figures_are_shown_only_while_they_are_true(browser, staff, shopper, api, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    moved, cancelled, paid = (start(user=shopper) for _ in range(3))
    payment_choose_method(order_id=moved.order_id, method=PaymentMethod.CREDIT_CARD, actor=shopper)
    order_cancel(order_id=cancelled.order_id, reason="no", actor=staff)
    record(paid, "99.99", actor=staff)
    client = browser(staff)
    for payment, is_due in ((start(user=shopper), True), (moved, False), (cancelled, False), (paid, False)):
        for subject in (payment, payment.order):
            facts = page(client.get(admin_page_url(subject))).one("dl", class_="aa-facts").text
            assert ("Due date" in facts) is is_due, facts
            assert "Outstanding" not in facts or subject.pk not in {cancelled.pk, cancelled.order_id}, facts
            assert "Refundable" not in facts or payment is paid, facts
    for payment in (cancelled, paid):
        sent = api(shopper).get(f"/orders/{payment.order_id}/").json()
        assert (sent["pay_by"], sent["expires_at"]) == (None, None)


@pytest.mark.parametrize(
    ("prepare", "headline"),
    [
        (lambda p, staff: None, "Waiting for $99.99"),
        (
            lambda p, staff: Order.objects.update(pay_by=timezone.now() - timedelta(days=1)),
            "$99.99 is overdue",
        ),
        (lambda p, staff: record(p, "50.00", actor=staff), "Waiting for $49.99"),
        (lambda p, staff: record(p, "99.99", actor=staff), "Waiting for the artisans to ship"),
        (lambda p, staff: record(p, "100.99", actor=staff), "Refund $1.00"),
        (lambda p, staff: order_cancel(order_id=p.order_id, reason="no", actor=staff), "Cancelled"),
    ],
)
def test_order_page_suggests_one_next_step(browser, staff, prepare, headline):
    payment = start(email="buyer@example.test")
    prepare(payment, staff)

    step = page(browser(staff).get(admin_page_url(payment.order))).one("section", class_="aa-step")

    assert headline in step.text
    assert len(step.all("a")) <= 1


# ---- finding -----------------------------------------------------------------------------------------------


def test_search_finds_orders_and_payments_by_any_identifier(full, listed, staff):
    cheap = ProductFactory.create(price_minor=1000)
    other = start(items={cheap: 1}, email="other@example.test")  # 16.99
    record(other, "7.00", actor=staff, reference="BANK-7")
    payment = Payment.objects.exclude(pk=other.pk).get()
    number = payment.order.order_number
    assert found(full, admin_list_url(Order, f"q={number}")) == {number}
    assert found(full, admin_list_url(Payment, f"q={number}")) == {payment.payment_number}

    terms = [number, number.lower(), number[:5], "shopper@example.test", "shopper@ex", payment.payment_number]
    for term in [*terms, "STMT-1", "OUT-1", payment.refunds.get().refund_number, "99.99", "$99.99"]:
        assert listed(Order, f"q={term}") == {number}, term
        assert listed(Payment, f"q={term}") == {payment.payment_number}, term
    for term in ("nobody@example.test", "STMT", "12.34", "-", "%", "ZZZZZZZZZ", "PAY-ZZZ"):
        assert listed(Order, f"q={quote(term)}") == set(), term


def test_search_finds_numbers_among_words_and_parts_of_names_and_emails(listed, bowl):
    payment = start(
        items={bowl: 1},
        email="grace.hopper@example.test",
        shipping_address=ADDRESS | {"name": "Grace Hopper"},
    )
    number = payment.order.order_number

    for term in (
        *(f"Order {number}", f"order: {number}, please", f"{number}-1", f"Parcel {number}-1"),
        *(f"Payment {payment.payment_number}", payment.payment_number.removeprefix("PAY-")),
    ):
        assert listed(Order, f"q={quote(term)}") == {number}, term
    for term in ("Hopper Grace", "hopp grac", "race.hop", "e.hopper@exam"):
        assert listed(Order, f"q={quote(term)}") == {number}, term
        assert listed(Payment, f"q={quote(term)}") == {payment.payment_number}, term
    for term in ("Hopper Quill", "Order ZZZZZZZZZ", "gr ho"):
        assert listed(Order, f"q={quote(term)}") == set(), term


def test_search_finds_order_numbers_without_a_digit():
    number = "ABCDEFGH" + check_sign("ABCDEFGH")

    assert number in numbers_in(f"Order {number.lower()}, please")
    assert f"PAY-{number}" in numbers_in(f"Payment PAY-{number}")
    assert "PLEASE" not in numbers_in(f"Order {number.lower()}, please")


def test_search_says_that_it_reads_only_the_newest_orders(full, monkeypatch):
    monkeypatch.setattr("payments.admin.search.MOST", 1)
    orders = [start(email=f"ada-{n}@example.test").order for n in range(3)]

    answer = full.get(admin_list_url(Order, "q=ada-"))

    assert "More than 1 results: only the newest were searched." in answer.text
    assert orders[2].order_number in answer.text
    assert orders[0].order_number not in answer.text


def test_search_finds_an_order_by_what_a_caller_says(listed, staff, stripe, bowl):
    lamp = ProductFactory.create(name="Salt lamp")
    address = ADDRESS | {
        "name": "Zoë Quill",
        "postal_code": "AB1 2CD",
        "country": "GB",
        "phone": "020 7946 0958 ext. 12",
    }
    payment = start(items={lamp: 1}, email="other@example.test", shipping_address=address)
    card = paid_by_card(stripe, {bowl: 1})
    number, ours = payment.order.order_number, {payment.order.order_number}

    for term in (f"#{number}", "quill", "Zoë", "ab1 2cd", "7946 0958", "020 79460958 x12", "salt lamp"):
        assert listed(Order, f"q={quote(term)}") == ours, term
        assert listed(Payment, f"q={quote(term)}") == {payment.payment_number}, term
    for term in (card.provider_payment_id, card.captures.get().provider_capture_id):
        assert listed(Order, f"q={term}") == {card.order.order_number}, term
        assert listed(Payment, f"q={term}") == {card.payment_number}, term
    for term in ("qu", "AB1", "0958", "%ill", "#"):
        assert listed(Order, f"q={quote(term)}") == set(), term


def test_payment_page_shows_the_providers_id(browser, staff, stripe, bowl):
    card = paid_by_card(stripe, {bowl: 1})

    assert f"Id at Stripe {card.provider_payment_id}" in page(browser(staff).get(admin_page_url(card))).text


def test_filters_return_the_expected_rows(full, staff):
    weaver = ProductFactory.create()
    check = start(PaymentMethod.CHECK, items={weaver: 1}, email="check@example.test")
    Order.objects.filter(pk=check.order_id).update(created_at=timezone.now() - timedelta(days=10))
    first = Payment.objects.exclude(pk=check.pk).get()
    today, long_ago = timezone.localdate(), timezone.localdate() - timedelta(days=9)
    cases = {
        "status__exact=PENDING": {check.order.order_number},
        "payment_status__exact=OVERPAID": {first.order.order_number},
        "method=check": {check.order.order_number},
        f"artisan={weaver.artisan_id}": {check.order.order_number},
        f"created_at_from={today}": {first.order.order_number},
        f"created_at_to={long_ago}": {check.order.order_number},
        f"created_at_from={today}&method=check": set(),
        "created_at_from=nonsense": {check.order.order_number, first.order.order_number},
        "needs=shipping": {first.order.order_number},
    }

    for query, numbers in cases.items():
        assert found(full, admin_list_url(Order, query)) == numbers, query
    assert found(full, admin_list_url(Payment, f"artisan={weaver.artisan_id}")) == {check.payment_number}
    assert found(full, admin_list_url(Payment, "payment_method__exact=check")) == {check.payment_number}


def test_list_says_which_filter_values_are_invalid(full):
    cases = {
        "created_at_from=bad&created_at_to=2026-01-01": [
            "“bad” is not a valid value of the filter “created at”."
        ],
        "needs=zzz": ["“zzz” is not a valid value of the filter “action needed”."],
        "needs=shipping&method=check": [],
    }
    for query, wanted in cases.items():
        answer = full.get(admin_list_url(Order, query))
        assert [str(message) for message in answer.context["messages"]] == wanted, query


def test_search_finds_amounts_as_people_write_them(subtests):
    cases = {
        ("213.89", "213,89", "$213.89", "213.89 €", "213.890", "USD 213.89", "213.89 usd"): 21389,
        ("1,213.89", "1.213,89", "1213.89", "$1,213.89"): 121389,
        ("1,213", "1213", "1213.", "1,213.00"): 121300,
        ("1,234,567", "1.234.567"): 123456700,
        (".", ",", "213.891", "$", "abc", "12 13", "1..2"): None,
    }
    for texts, minor in cases.items():
        for text in texts:
            with subtests.test(text=text):
                assert [money.minor for money in amounts_of(text)] == ([] if minor is None else [minor])
    assert amounts_of("EUR 213.89") == [Money(21389, "EUR")]


def test_other_lists_find_the_rows_of_an_order(full, staff, bowl):
    payment = start(
        items={bowl: 1}, email="g3@example.test", shipping_address=ADDRESS | {"name": "Ada Byron"}
    )
    number, [parcel] = payment.order.order_number, payment.order.parcels.all()
    payment_reject(payment_id=payment.pk, reason="no", actor=staff)

    for term in (f"{number}-1", f"#{number}", "byron ada", parcel.artisan.name):
        assert number in page(full.get(admin_list_url(Parcel), {"q": term})).text, term
    assert "0 results" in page(full.get(admin_list_url(Parcel), {"q": f"{number}-2"})).text
    for term in ("byron", number, f"{number}-1"):
        assert "g3@example.test" in page(full.get(admin_list_url(Notification), {"q": term})).text, term
    for term in (number, f"#{number}", payment.payment_number):
        shown = page(full.get(admin_list_url(AuditEntry), {"q": term}))
        assert shown.one("table", id="result_list").all("th", class_="field-time"), term


def test_refund_due_query_agrees_with_the_orders_property(staff, admin_user):
    paid, over, expired, cancelled, open_one = (start(email=f"{n}@example.test") for n in range(5))
    record(paid, "99.99", actor=staff)
    record(over, "100.00", actor=staff)
    Order.objects.filter(pk=expired.order_id).update(expires_at=timezone.now() - timedelta(minutes=1))
    order_expire(order_id=expired.order_id)
    record(expired, "1.00", actor=staff)
    record(cancelled, "99.99", actor=staff)
    order_cancel(order_id=cancelled.order_id, reason="no", actor=admin_user)
    give_back(cancelled, "99.99", actor=staff)
    record(open_one, "5.00", actor=staff)

    listed = set(Order.objects.filter(REFUND_DUE).values_list("pk", flat=True))

    assert listed == {order.pk for order in Order.objects.all() if order.refund_due}
    assert listed == {over.order_id, expired.order_id}


# ---- cost --------------------------------------------------------------------------------------------------


LISTS = [
    "/admin/payments/payment/",
    "/admin/payments/payment/?needs=decision",
    "/admin/orders/order/",
    "/admin/orders/order/?needs=return",
    "/admin/orders/parcel/",
    "/admin/payments/receipt/",
    "/admin/payments/paymentrefund/",
    "/admin/payments/paymentrefund/?needs=decision",
    "/admin/payments/paymentflag/?needs=review",
    "/admin/notifications/notification/",
    "/admin/audit/auditentry/",
    "/admin/catalog/product/",
]


@pytest.mark.once
def test_number_of_queries_does_not_depend_on_the_list_length(
    full, staff, django_assert_max_num_queries, subtests
):
    record(start(email="first@example.test"), "5.00", actor=staff)  # an empty list needs fewer
    full.get(LISTS[0])
    short = {}
    for address in LISTS:
        with django_assert_max_num_queries(16) as short[address]:
            full.get(address)
    for n in range(3):
        record(start(email=f"more{n}@example.test"), "100.99" if n else "5.00", actor=staff)

    for address, queries in short.items():
        with subtests.test(address), django_assert_max_num_queries(len(queries)):
            full.get(address)


def test_start_page_shows_open_tasks_in_at_most_nine_queries(browser, staff, django_assert_max_num_queries):
    start(email="waits@example.test")
    record(start(email="over@example.test"), Money(11000, "USD"), actor=staff)
    client = browser(staff)
    client.get("/admin/")

    with django_assert_max_num_queries(9):
        shown = page(client.get("/admin/"))

    queues = shown.all("div", class_="aa-tiles")[0]
    tiles = {node.all("span")[0].text: node for node in queues.all("a", class_="aa-tile")}
    figures = {name: node.all("span")[1].text for name, node in tiles.items()}
    assert figures == {
        "Awaiting approval": "1",
        "Refunds due": "1",
        "Needs review": "0",
        "Undelivered emails": "0",
        "Webhooks": "0",
        "Orders today": "2",
        "Received today": "$110.00",
    }
    for node in tiles.values():
        assert client.get(node.attrs["href"]).status_code == 200


def test_start_page_counts_open_alerts_of_providers(full):
    ProviderAlert.objects.create(provider="stripe", part="disputes", detail="timeout")
    ProviderAlert.objects.create(
        provider="stripe", part="refunds", detail="timeout", resolved_at=timezone.now()
    )

    shown = page(full.get("/admin/"))
    [tile] = [node for node in shown.all("a", class_="aa-tile") if "Provider alerts" in node.text]
    listed = page(full.get(tile.attrs["href"])).one("table", id="result_list").text

    assert tile.text == "Provider alerts 1 open alert"
    assert "disputes" in listed
    assert "refunds" not in listed


def test_received_today_counts_every_payment_method(browser, stripe, bowl, staff):
    record(start(items={bowl: 1}), "99.99", actor=staff)
    card = paid_by_card(stripe, {bowl: 1})

    shown = page(browser(staff).get("/admin/"))
    [tile] = [node for node in shown.all("a", class_="aa-tile") if "Received today" in node.text]
    listed = page(browser(staff).get(tile.attrs["href"])).one("table", id="result_list")

    assert "$199.98 by all payment methods since midnight" in tile.text
    assert card.payment_number in listed.text
    assert len(listed.all("th", class_="field-number")) == 2


def test_webhooks_that_failed_or_are_late_are_counted(browser, staff):
    client, now = browser(staff), timezone.now()
    rows = {
        False: [
            (EventState.RECEIVED, "", 0),
            (EventState.WAITING, "no payment yet", 1),
            (EventState.DONE, "", 60),
            (EventState.IGNORED, "", 60),
        ],
        True: [
            (EventState.RECEIVED, "KeyError: 'id'", 0),
            (EventState.RECEIVED, "", 6),
            (EventState.WAITING, "no payment yet", 6),
            (EventState.DEAD, "", 0),
            (EventState.STAFF, "", 0),
        ],
    }
    for is_counted, text in (
        (False, "Webhooks 0 no events failed or overdue"),
        (True, "Webhooks 5 events failed, overdue or for staff"),
    ):
        for n, (state, note, minutes) in enumerate(rows[is_counted]):
            event = WebhookEvent.objects.create(
                provider="stripe",
                event_id=f"evt_{is_counted}_{n}",
                kind="x",
                content={},
                state=state,
                note=note,
            )
            WebhookEvent.objects.filter(pk=event.pk).update(created_at=now - timedelta(minutes=minutes))

        shown = page(client.get("/admin/"))
        [tile] = [node for node in shown.all("a", class_="aa-tile") if node.text.startswith("Webhooks")]
        events = page(client.get(tile.attrs["href"])).text

        assert tile.text == text
        assert [f"evt_True_{n}" in events for n in range(5)] == [is_counted] * 5
        assert "evt_False" not in events


def test_start_page_shows_only_what_a_role_may_see(browser, powerless_staff):
    shown = page(browser(powerless_staff).get("/admin/"))

    assert shown.all("a", class_="aa-tile") == []
    assert "Store rules" not in shown.text


def test_rows_of_lists_are_those_of_the_theme(full, shopper):
    """They are written faster by a tag of our own, and have to follow the theme when it changes."""
    start(PaymentMethod.CHECK, user=shopper)
    for model, query in (
        (Payment, ""),
        (Payment, "needs=decision"),
        (Order, "status__exact=PENDING"),
        (User, ""),
    ):
        cl = full.get(admin_list_url(model, query)).context["cl"]
        columns = columns_of(cl, [header["text"] for header in result_headers(cl)])

        for row in cl.result_list:
            theirs = ["".join(cell.split()) for cell in items_for_result(cl, row, None)]
            assert ["".join(column.cell(row).split()) for column in columns] == theirs


def test_lists_that_grow_can_be_filtered_by_day():
    """They show at most 10,000 rows."""
    without = {
        owner.opts.model_name
        for owner in admin.site._registry.values()
        if not any(DayRangeFilter in entry for entry in owner.list_filter if isinstance(entry, tuple))
    }

    few = {"group", "artisan", "category", "storerules", "provideralert", "reconciliationrun", "systemcheck"}
    few |= {"carrier", "ledgerperiod"}  # twelve a year
    few |= {"shopcurrency", "ratesheet"}  # one a day
    few |= {"taxclass", "taxzone", "taxrate"}
    few |= {"shippingzone", "shippingmethod"}  # a handful for each place
    few |= {"countedday"}  # no list: its pages show periods
    found_by_name = {"emailaddress", "product", "productprice", "ledgeraccount"}  # an address, names
    assert without - few == found_by_name


def test_columns_of_pages_are_no_related_rows():
    """Django takes a relation of this name before the method of the page, and shows the manager: "app.Model.None"."""
    for owner in admin.site._registry.values():
        related = {field.name for field in owner.opts.related_objects} | {
            field.get_accessor_name() for field in owner.opts.related_objects
        }
        shown = {*owner.list_display, *owner.readonly_fields, *flatten_fieldsets(owner.fieldsets or ())}
        shown |= set(flatten(owner.fields or ()))
        assert not shown & related, owner
