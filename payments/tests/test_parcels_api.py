"""The parcels API for artisans."""

import pytest

from artisans.catalog.models import Product
from orders.models import Order, Parcel
from orders.statuses import OrderPaymentStatus, OrderStatus, ParcelStatus
from payments.methods import PaymentMethod
from payments.statuses import PaymentStatus
from payments.tests.factories import give_back, paid_by_card, record, reread, start
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def paid(bowl, scarf, shopper, staff) -> Order:
    """Two parcels, paid by transfer: 99.99 minus its part of shipping for the bowl, the rest for the scarf."""
    payment = start(items={bowl: 1, scarf: 1}, user=shopper)
    record(payment, payment.amount.amount, actor=staff)
    return payment.order


@pytest.fixture
def cash(bowl, scarf, shopper, settings) -> Order:
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper).order


def of(order: Order, user) -> Parcel:
    return order.parcels.get(artisan__user=user)


def stock(product: Product) -> int:
    return Product.objects.get(pk=product.pk).stock


def test_list_shows_only_own_released_parcels(api, paid, seller, other_seller, bowl, shopper):
    start(items={bowl: 1}, user=shopper)

    rows = api(seller).get("/parcels/").json()["results"]

    assert [row["id"] for row in rows] == [str(of(paid, seller).pk)]
    assert [item["name"] for item in rows[0]["items"]] == ["Moss bowl"]
    assert rows[0]["order_number"] == paid.order_number
    assert rows[0]["collect_cash"] is None
    assert api(shopper).get("/parcels/").json()["results"] == []


def test_parcel_shows_nothing_about_other_artisans_or_the_payment(api, paid, seller, shopper):
    answer = api(seller).get(f"/parcels/{of(paid, seller).pk}")

    assert answer.status_code == 200
    for secret in (b"Tide scarf", b"Loom and Light", shopper.email.encode(), b"bank_transfer", b"STMT"):
        assert secret not in answer.content
    assert paid.total.amount.encode() not in answer.content


def test_cash_on_delivery_parcel_shows_the_amount_to_collect(api, cash, seller):
    row = api(seller).get(f"/parcels/{of(cash, seller).pk}").json()

    assert row["collect_cash"] == of(cash, seller).total.amount


def test_list_is_filtered_by_status(api, paid, cash, seller):
    client = api(seller)
    client.post(f"/parcels/{of(paid, seller).pk}/ship", {"carrier": "USPS"})

    def ids(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"/parcels/?{query}").json()["results"]]

    assert ids("status=SHIPPED") == [str(of(paid, seller).pk)]
    assert ids("status=NEW") == [str(of(cash, seller).pk)]
    assert ids(f"order_number={cash.order_number}") == [str(of(cash, seller).pk)]
    assert ids("released__gte=2999-01-01T00:00:00Z") == []
    problem(client.get("/parcels/?status=LOST"), 400, "validation_error")
    problem(client.get("/parcels/?created__gte=2026-01-01T00:00:00Z"), 400, "validation_error")


def test_artisan_ships_and_delivers(api, paid, seller, mails, shopper):
    client, parcel = api(seller), of(paid, seller)

    shipped = client.post(f"/parcels/{parcel.pk}/ship", {"carrier": "USPS", "tracking": "T-1"})
    delivered = client.post(f"/parcels/{parcel.pk}/deliver/", {})

    assert (shipped.status_code, shipped.json()["status"], shipped.json()["tracking"]) == (
        200,
        "SHIPPED",
        "T-1",
    )
    assert (delivered.status_code, delivered.json()["status"]) == (200, "DELIVERED")
    assert any("on its way" in mail.subject for mail in mails(shopper.email))
    problem(client.post(f"/parcels/{parcel.pk}/deliver"), 409, "illegal_transition")
    problem(client.post(f"/parcels/{parcel.pk}/ship", {"carrier": "x"}), 409, "illegal_transition")


@pytest.mark.parametrize("action", ["ship", "deliver", "cannot_deliver"])
def test_parcel_of_an_unpaid_order_or_another_artisan_is_not_found(
    api, paid, seller, other_seller, bowl, shopper, action
):
    unpaid = start(items={bowl: 1}, user=shopper).order
    body = {"ship": {"carrier": "x"}, "deliver": {}, "cannot_deliver": {"reason": "x"}}[action]
    clients = {"seller": api(seller), "other_seller": api(other_seller), "shopper": api(shopper)}
    before = dump()

    problem(clients["seller"].post(f"/parcels/{unpaid.parcels.get().pk}/{action}", body), 404, "not_found")
    problem(clients["other_seller"].post(f"/parcels/{of(paid, seller).pk}/{action}", body), 404, "not_found")
    problem(clients["shopper"].post(f"/parcels/{of(paid, seller).pk}/{action}", body), 404, "not_found")

    assert dump() == before


def test_only_a_shipped_parcel_can_be_delivered(api, paid, seller):
    problem(api(seller).post(f"/parcels/{of(paid, seller).pk}/deliver"), 409, "illegal_transition")


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": " \n"}, {"reason": 5}, {"reason": "x" * 251}]
)
def test_failing_a_parcel_needs_a_reason(api, paid, seller, body):
    client, before = api(seller), dump()

    body = problem(client.post(f"/parcels/{of(paid, seller).pk}/cannot_deliver", body), 400)

    assert [error["pointer"] for error in body["errors"]] == ["/reason"]
    assert dump() == before


def test_failed_parcel_returns_its_stock_and_its_refund_is_due(
    api, paid, seller, bowl, scarf, mails, shopper, staff
):
    parcel, left = of(paid, seller), stock(bowl)

    answer = api(seller).post(f"/parcels/{parcel.pk}/cannot_deliver", {"reason": "The kiln broke."})

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    paid.refresh_from_db()
    assert stock(bowl) == left + 1
    assert paid.refund_due == parcel.total
    assert (paid.status, paid.payment_status) == (OrderStatus.CONFIRMED, OrderPaymentStatus.PAID)
    result = next(mail for mail in mails(shopper.email) if "a parcel was cancelled" in mail.subject)
    assert "The kiln broke." in result.body
    assert f"We will refund ${parcel.total.amount}" in result.body
    assert "Tide scarf" not in result.body
    give_back(paid.payments.get(), parcel.total.amount, actor=staff)
    paid.refresh_from_db()
    assert not paid.refund_due
    assert paid.payment_status == OrderPaymentStatus.PARTIALLY_REFUNDED


def test_staff_see_the_refund_due_of_a_failed_parcel(api, browser, paid, seller, admin_user):
    api(seller).post(f"/parcels/{of(paid, seller).pk}/cannot_deliver", {"reason": "x"})

    page = browser(admin_user).get("/admin/orders/order/?needs=return").content.decode()

    assert paid.order_number in page


def test_failed_parcel_reduces_the_cash_to_collect(api, cash, seller, other_seller, mails, shopper, staff):
    gone, kept = of(cash, seller), of(cash, other_seller)

    api(seller).post(f"/parcels/{gone.pk}/cannot_deliver", {"reason": "x"})

    cash.refresh_from_db()
    payment = cash.payments.get()
    assert cash.balance_due == kept.total == payment.amount
    result = next(mail for mail in mails(shopper.email) if "a parcel was cancelled" in mail.subject)
    assert f"Your total is now ${gone.total.amount} lower. Amount due: ${kept.total.amount}." in result.body
    record(payment, kept.total.amount, actor=staff)
    reread(payment)
    assert (payment.status, payment.order.payment_status) == (
        PaymentStatus.COMPLETED,
        OrderPaymentStatus.PAID,
    )
    assert not payment.order.refund_due


def test_last_failed_parcel_ends_the_order(api, cash, seller, other_seller):
    for user in (seller, other_seller):
        answer = api(user).post(f"/parcels/{of(cash, user).pk}/cannot_deliver", {"reason": "x"})
        assert answer.status_code == 200

    cash.refresh_from_db()
    assert cash.status == OrderStatus.CANCELLED
    assert not cash.balance_due
    assert cash.payments.get().status == PaymentStatus.CANCELLED


def test_full_refund_is_due_when_all_parcels_failed(api, paid, seller, other_seller):
    for user in (seller, other_seller):
        api(user).post(f"/parcels/{of(paid, user).pk}/cannot_deliver", {"reason": "x"})

    paid.refresh_from_db()
    assert (paid.status, paid.refund_due) == (OrderStatus.CANCELLED, paid.total)


def test_shipped_parcel_cannot_fail(api, paid, seller):
    client, parcel = api(seller), of(paid, seller)
    client.post(f"/parcels/{parcel.pk}/ship", {"carrier": "USPS"})
    before = dump()

    problem(client.post(f"/parcels/{parcel.pk}/cannot_deliver", {"reason": "x"}), 409, "illegal_transition")

    assert dump() == before
    assert Parcel.objects.get(pk=parcel.pk).status == ParcelStatus.SHIPPED


def test_card_refund_can_be_made_for_a_failed_parcel(api, bowl, scarf, shopper, staff, seller, stripe):
    payment = paid_by_card(stripe, {bowl: 1, scarf: 1}, user=shopper)
    parcel = of(payment.order, seller)
    api(seller).post(f"/parcels/{parcel.pk}/cannot_deliver", {"reason": "The kiln broke."})
    create_request = {"payment_id": str(payment.pk), "reason": "It broke."}
    unit = {"line": str(parcel.lines.get().pk), "quantity": 1}

    problem(
        api(staff).post("/payments/refunds", create_request | {"lines": [unit], "restock": True}),
        409,
        "nothing_to_restock",
    )
    answer = api(staff).post("/payments/refunds", create_request | {"amount": parcel.total.amount})

    assert (answer.status_code, answer.json()["status"]) == (201, "COMPLETED")
    assert stripe.refunded() == [parcel.total_minor]
    order = reread(payment).order
    assert not order.refund_due
    assert not order.balance_due
    assert order.payment_status == OrderPaymentStatus.PARTIALLY_REFUNDED


def test_order_without_remaining_parcels_accepts_no_card(api, bowl, shopper, seller, stripe):
    cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)

    api(seller).post(f"/parcels/{of(cash.order, seller).pk}/cannot_deliver", {"reason": "x"})

    body = {"order_id": str(cash.order_id), "payment_method": "credit_card"}
    problem(api(shopper).post("/payments/intents", body), 409, "nothing_due")
    assert stripe.made() == 0


def test_parcel_fails_on_the_page_with_a_reason_until_a_part_was_shipped(
    browser, paid, seller, mails, shopper
):
    client, parcel = browser(seller), of(paid, seller)
    address = f"/shop/artisan/parcels/{parcel.pk}/cannot-deliver/"
    assert address in client.get(f"/shop/artisan/parcels/{parcel.pk}/").content.decode()
    before = dump()
    assert "Enter a reason" in client.post(address, {"reason": " ", "restock": "yes"}).content.decode()
    assert dump() == before

    assert client.post(address, {"reason": "The kiln broke.", "restock": "yes"}).status_code == 302

    parcel.refresh_from_db()
    paid.refresh_from_db()
    assert (parcel.status, paid.refund_due) == ("CANCELLED", parcel.total)
    assert any("The kiln broke." in mail.body for mail in mails(shopper.email))
    assert (
        "This parcel is cancelled"
        in client.post(address, {"reason": "again", "restock": "yes"}).content.decode()
    )
