"""The whole purchase, browser to mail: cart, order, payment, money, parcels. Pages only, no scripts."""

import re

import pytest
from django.utils import timezone

from artisans.accounts.models import User
from artisans.core.money import Money
from orders.models import Order
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipts import receipt_record
from payments.models import Payment
from tests.checkout_client import CheckoutClient
from tests.html import page

pytestmark = pytest.mark.django_db

TOTAL = "$136.65"  # (85.45 + 33.33) + (8.55 + 3.33) tax, halves up, + 5.99


def arrive(order: Order, amount: str, staff: User, reference: str = "STMT-77") -> None:
    receipt_record(
        payment_id=Payment.objects.get(order=order, status="PENDING").pk,
        money=IncomingMoney(Money.parse(amount, "USD"), timezone.localdate(), reference),
        actor=staff,
    )


def test_guest_buys_from_two_artisans_by_bank_transfer(
    browser, bowl, scarf, staff, seller, other_seller, mails
):
    walk = CheckoutClient(browser())
    order = walk.buy("bank_transfer", bowl, scarf)

    status = page(walk.get("payments:order", order.access_token))
    assert "Awaiting transfer" in status.text
    assert order.order_number in status.text
    assert "DE89 3704 0044 0532 0130 00" in status.text
    assert TOTAL in status.text
    [placed] = mails("guest@example.test")
    assert order.order_number in placed.subject
    assert TOTAL in placed.body
    assert mails(seller.email) == []

    walk.client.post(*mailbox_button(walk, placed.body))
    arrive(order, "136.65", staff)

    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("CONFIRMED", "PAID")
    assert "Your order is paid" in page(walk.get("payments:order", order.access_token)).text
    assert [m.subject for m in mails("guest@example.test")][1:] == [
        f"Order {order.order_number}: payment received"
    ]
    [to_potter], [to_weaver] = mails(seller.email), mails(other_seller.email)
    assert "Moss bowl" in to_potter.body
    assert "Tide scarf" not in to_potter.body
    assert "Tide scarf" in to_weaver.body
    assert "Moss bowl" not in to_weaver.body


def mailbox_button(walk: CheckoutClient, mail: str) -> tuple[str, dict[str, str]]:
    """The form behind the link in the mail: its address and what its button sends."""
    link = re.search(r"http\S+\?mailbox=\S+", mail)
    assert link is not None, mail
    opened = page(walk.client.get(link.group().replace("http://localhost:8000", "")))
    [form] = [f for f in opened.all("form") if "mailbox" in f.fields()]
    return form.attrs["action"], form.fields()


def test_user_pays_by_check_and_receives_the_parcels(
    browser, bowl, scarf, shopper, staff, seller, other_seller, mails
):
    walk = CheckoutClient(browser(shopper))
    order = walk.buy("check", bowl, scarf, email=shopper.email)
    assert "1 Alley Lane" in page(walk.get("payments:order", order.access_token)).text
    arrive(order, "136.65", staff, reference="check 4711")

    for artisan in (seller, other_seller):
        staff_client = CheckoutClient(browser(artisan))
        parcel = order.parcels.get(artisan__user=artisan)
        sent = {"ship": "1", "carrier": "USPS", "tracking": f"T-{parcel.number}"}
        staff_client.client.post(f"/shop/artisan/parcels/{parcel.pk}/", sent)
        staff_client.client.post(f"/shop/artisan/parcels/{parcel.pk}/", {"deliver": "1"})

    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("DELIVERED", "PAID")
    shipped = [m for m in mails(shopper.email) if "on its way" in m.subject]
    assert len(shipped) == 2
    assert sorted(re.findall(r"Tracking number: (T-\d)", shipped[0].body + shipped[1].body)) == ["T-1", "T-2"]


def test_user_pays_cash_on_delivery(browser, bowl, shopper, staff, seller, mails):
    order = CheckoutClient(browser(shopper)).buy("cash_on_delivery", bowl, email=shopper.email)

    assert (order.status, order.payment_status) == ("CONFIRMED", "UNPAID")
    [to_artisan] = mails(seller.email)
    assert "Collect $99.99" in to_artisan.body
    staff_client, parcel = browser(seller), order.parcels.get()
    address = f"/shop/artisan/parcels/{parcel.pk}/"
    assert "report_cash" not in staff_client.get(address).content.decode()
    staff_client.post(address, {"ship": "1", "carrier": "by hand", "tracking": ""})
    staff_client.post(address, {"report_cash": "1"})
    parcel.refresh_from_db()
    assert parcel.cash_reported_at is not None
    arrive(order, "99.99", staff, reference="cash box 3")

    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("SHIPPED", "PAID")
    assert "report_cash" not in staff_client.get(address).content.decode()


def test_api_client_buys_with_the_founding_bodies(api, bowl, shopper, staff):
    client = api(shopper)
    placed = client.post(
        "/orders/",
        {
            "shipping_address": "123 Test St, Test City, TC 12345",
            "order_items": [{"product_id": str(bowl.pk), "quantity": 1}],
        },
    )
    assert placed.status_code == 201, placed.json()
    made = placed.json()
    paid = client.post(
        "/payments/intents",
        '{"order_id": "%s", "amount": 99.99, "payment_method": "bank_transfer", "payment_provider": "manual"}'
        % made["id"],
        content_type="application/json",
    )

    assert paid.status_code == 201, paid.json()
    assert paid.json()["amount"] == "99.99"
    assert paid.json()["status"] == "PENDING"
    assert paid.json()["next_action"]["type"] == "transfer_money"
    assert paid.json()["next_action"]["reference"] == made["order_number"]
    arrive(Order.objects.get(pk=made["id"]), "99.99", staff)
    assert client.get(f"/orders/{made['id']}").json()["status"] == "CONFIRMED"
    assert client.get(f"/payments/{paid.json()['id']}").json()["status"] == "COMPLETED"
