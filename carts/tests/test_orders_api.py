"""Orders placed in one call, and what their owner may read and cancel."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.accounts.tests.factories import UserFactory
from orders.models import Order
from orders.services.closing import order_links_revoke
from orders.services.parcels import parcel_ship, parcel_start
from orders.tests.factories import place
from payments.models import Payment
from payments.tests.factories import record, start
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ADDRESS = "123 Test St, Test City, TC 12345"


@pytest.fixture
def client(api, shopper):
    return api(shopper)


def body_for(items, **changes):
    rows = [{"product_id": str(product.pk), "quantity": quantity} for product, quantity in items.items()]
    return {"shipping_address": ADDRESS, "order_items": rows} | changes


@pytest.mark.parametrize("slash", ["", "/"])
def test_founding_body_creates_an_order_without_a_payment(client, bowl, slash):
    answer = client.post(f"/orders{slash}", body_for({bowl: 1}))

    body = answer.json()
    assert answer.status_code == 201, body
    assert (body["status"], body["payment_status"], body["total"], body["currency"]) == (
        "PENDING",
        "UNPAID",
        "99.99",
        "USD",
    )
    assert len(body["order_items"]) == 1
    assert not Payment.objects.exists()
    order = Order.objects.get()
    assert (order.expires_at - timezone.now()).total_seconds() == pytest.approx(1800, abs=20)


def test_order_with_a_method_also_starts_the_payment(client, bowl):
    answer = client.post(
        "/orders/", body_for({bowl: 1}, payment_method="check", payment_provider="manual", amount=99.99)
    )

    body = answer.json()
    assert answer.status_code == 201, body
    assert body["payment"]["order_id"] == body["order"]["id"] == body["id"]
    assert body["payment"]["next_action"]["type"] == "transfer_money"


def test_repeated_products_become_one_line(client, bowl):
    wanted = body_for({bowl: 1})
    wanted["order_items"] *= 3

    body = client.post("/orders/", wanted).json()

    assert [line["quantity"] for line in body["order_items"]] == [3]


def test_repeated_product_cannot_exceed_the_stock(client, bowl):
    before = dump()
    wanted = body_for({bowl: 1})
    wanted["order_items"] *= 60

    body = problem(client.post("/orders/", wanted), 409, "checkout_problems")

    assert (body["problems"][0]["old"], body["problems"][0]["new"]) == ("60", "10")
    assert dump() == before


@pytest.mark.parametrize("rows", [[], None, "x", {}, [None], [[]], [{}], [{"quantity": 1}]])
def test_order_without_items_is_refused(client, rows):
    body = problem(
        client.post("/orders/", {"shipping_address": ADDRESS, "order_items": rows}), 400, "validation_error"
    )

    assert body["errors"][0]["pointer"].startswith("/order_items")


def test_order_needs_an_address(client, bowl):
    body = problem(client.post("/orders/", body_for({bowl: 1}, shipping_address="")), 400)

    assert [error["pointer"] for error in body["errors"]] == ["/shipping_address"]


def test_total_too_large_for_the_database_is_refused(client, bowl):
    type(bowl).objects.filter(pk=bowl.pk).update(price_minor=9 * 10**17, stock=99)
    before = dump()

    answer = client.post("/orders/", body_for({bowl: 5}))

    problem(answer, (400, 409), "amount_too_large")
    assert dump() == before


def test_guest_orders_with_an_email_address(api, bowl):
    problem(api().post("/orders/", body_for({bowl: 1})), 400, "invalid_input")

    body = api().post("/orders/", body_for({bowl: 1}, customer_email="Guest@Example.Test")).json()

    assert body["customer_email"] == "guest@example.test"
    assert api(order=body["access_token"]).get(f"/orders/{body['id']}/").status_code == 200


def test_list_shows_own_orders_newest_first(api, client, shopper, stranger):
    mine = [place(user=shopper).order for _ in range(3)]
    place(user=stranger)
    place(email=shopper.email)

    rows = client.get("/orders/?limit=2").json()

    assert [row["id"] for row in rows["results"]] == [str(order.pk) for order in reversed(mine)][:2]
    assert [row["id"] for row in client.get(rows["next"]).json()["results"]] == [str(mine[0].pk)]


def test_account_sees_guest_orders_once_its_email_address_is_verified(client, shopper):
    order = place(email=shopper.email).order
    address = shopper.emailaddress_set.create(email=shopper.email, verified=False, primary=True)
    problem(client.get(f"/orders/{order.pk}"), 404)

    address.verified = True
    address.save()

    assert client.get(f"/orders/{order.pk}").status_code == 200


def test_order_of_another_account_with_my_email_address_is_not_mine(client, shopper, stranger):
    shopper.emailaddress_set.create(email=shopper.email, verified=True, primary=True)
    order = place(user=stranger, email=shopper.email).order

    problem(client.get(f"/orders/{order.pk}"), 404)


def test_link_shows_one_order_until_it_is_revoked(api, staff):
    order, other = place().order, place().order
    reader = api(order=order.access_token)
    assert reader.get(f"/orders/{order.pk}").status_code == 200
    problem(reader.get(f"/orders/{other.pk}"), 404)

    order_links_revoke(order_id=order.pk, actor=staff)

    problem(reader.get(f"/orders/{order.pk}"), 404)
    order.refresh_from_db()
    assert api(order=order.access_token).get(f"/orders/{order.pk}").status_code == 200


def test_link_masks_the_address_after_thirty_days(api, time_machine):
    order = place().order
    reader = api(order=order.access_token)
    assert "Pier Road" in reader.get(f"/orders/{order.pk}").content.decode()
    time_machine.move_to(timezone.now() + timedelta(days=31))

    shown = reader.get(f"/orders/{order.pk}").content.decode()

    for secret in ("Pier Road", "Lovelace", "Astoria", order.phone, "guest@example.test"):
        assert secret not in shown, secret


def test_owner_always_sees_the_address(api, shopper, time_machine):
    order = place(user=shopper).order
    time_machine.move_to(timezone.now() + timedelta(days=400))

    assert "Pier Road" in api(shopper).get(f"/orders/{order.pk}").content.decode()


def test_owner_can_cancel_an_unpaid_order(client, shopper):
    order = place(user=shopper).order

    body = client.post(f"/orders/{order.pk}/cancel", {"reason": "too dear"}).json()

    assert (body["status"], body["balance_due"]) == ("CANCELLED", "0.00")


def test_owner_can_cancel_a_paid_order_until_an_artisan_starts(client, shopper, staff):
    payment, started = start(user=shopper), start(user=shopper)
    record(payment, "99.99", actor=staff)
    record(started, "99.99", actor=staff)
    parcel_start(parcel_id=started.order.parcels.get().pk, actor=staff)

    assert client.post(f"/orders/{payment.order_id}/cancel").json()["status"] == "CANCELLED"
    payment = started
    problem(client.post(f"/orders/{payment.order_id}/cancel"), 409, "not_cancellable")


def test_link_cannot_cancel(api):
    order = place().order

    problem(api(order=order.access_token).post(f"/orders/{order.pk}/cancel"), (401, 403, 404))

    order.refresh_from_db()
    assert order.status == "PENDING"


def test_parcels_show_the_tracking_number(client, shopper, staff, seller, bowl):
    payment = start(items={bowl: 1}, user=shopper)
    record(payment, "99.99", actor=staff)
    parcel_ship(parcel_id=payment.order.parcels.get().pk, carrier="USPS", tracking="T-1", actor=seller)

    [parcel] = client.get(f"/orders/{payment.order_id}").json()["parcels"]

    assert (parcel["status"], parcel["carrier"], parcel["tracking"]) == ("SHIPPED", "USPS", "T-1")


def test_artisan_does_not_see_the_order_as_a_buyer(api, seller, bowl, shopper):
    order = place({bowl: 1}, user=shopper).order

    problem(api(seller).get(f"/orders/{order.pk}"), 404)
    assert api(UserFactory.create()).get("/orders/").json()["results"] == []
