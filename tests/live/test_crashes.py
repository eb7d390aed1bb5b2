"""SIGKILL of real servers at the worst moments, and the state afterwards.

A doomed process crashes at a named point; a healthy one beside it, as on another host, serves the second try.
"""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

import pytest
import requests
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product, StockMove
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.models import IdempotencyKey
from artisans.ledger.models import LedgerEntry, LedgerPosting
from artisans.notifications.models import Notification
from carts.models import Cart, CartStatus
from orders.models import Order
from orders.statuses import OrderPaymentStatus
from payments.models import Earning, Payment, Receipt
from payments.statuses import PaymentStatus
from tests.live.runner import Caller, CrashHost, Shop, meanwhile, together, wait_for
from tests.live.users import (
    Visitor,
    checkout_body,
    filled_cart,
    money_staff,
    order_body,
    order_in,
    order_page,
    receipt_form,
    receipt_path,
    review_form,
)

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("postgres_only", "clean_database")]


@pytest.fixture(scope="module")
def shop(postgres_only, production) -> Iterator[Shop]:
    with production() as shop:
        shop.start(worker=False)
        yield shop


@pytest.fixture
def no_worker(shop: Shop) -> Iterator[None]:
    yield
    shop.worker.kill()


@pytest.fixture(scope="module")
def crash_host(postgres_only, production) -> Iterator[CrashHost]:
    with production(WEB_CONCURRENCY="1") as shop:
        yield CrashHost(shop, __file__)


@pytest.fixture
def crashing_shop(crash_host: CrashHost) -> Callable[[str], AbstractContextManager[Shop]]:
    """`with crashing_shop("module:function after") as host`: another web host of the same shop, which crashes there."""
    return crash_host.crash


@pytest.fixture
def bowl(clean_database) -> Product:
    return ProductFactory.create(stock=10)


@pytest.fixture
def user(buyers) -> User:
    [user] = buyers(1)
    return user


def stock(product: Product) -> int:
    return Product.objects.get(pk=product.pk).stock


# ---- checkout --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "crash",
    [
        "orders.services.placing:stock_take_units after",
        "carts.checkout:order_place after",
        "carts.checkout:payment_start after",
    ],
)
def test_killed_before_commit_nothing_happened(crashing_shop, caller, user, bowl, crash):
    cart = filled_cart(user, (bowl, 2))
    path, body = f"/carts/{cart.pk}/checkout", checkout_body()
    buyer = caller(user)
    with crashing_shop(crash) as host:
        assert buyer.at(host.port).post(path, body).status == 0
    assert (Order.objects.count(), Payment.objects.count(), StockMove.objects.count()) == (0, 0, 0)
    assert Notification.objects.count() == 0
    assert stock(bowl) == 10
    cart.refresh_from_db()
    assert (cart.status, cart.items.get().quantity) == (CartStatus.OPEN, 2)
    assert buyer.post(path, body).status == 201
    assert stock(bowl) == 8


def test_killed_after_commit_the_retry_gives_the_same_order(crashing_shop, caller, user, bowl):
    cart = filled_cart(user, (bowl, 2))
    path, body = f"/carts/{cart.pk}/checkout", checkout_body()
    buyer = caller(user)
    with crashing_shop("carts.api:order_body before") as host:
        assert buyer.at(host.port).post(path, body).status == 0
    order = Order.objects.get()
    again = buyer.post(path, body)
    assert (again.status, again.body["order"]["id"]) == (200, str(order.pk))
    assert again.body["payment"]["id"] == str(Payment.objects.get().pk)
    assert stock(bowl) == 8
    assert Counter(Notification.objects.values_list("recipient", flat=True)) == {user.email: 1}


@pytest.mark.parametrize(
    "crash",
    [
        "carts.api:order_create after",
        "artisans.core.api.views:store_response before",
        "artisans.core.api.views:store_response after",
    ],
    ids=["before the answer is made", "before the answer is stored", "before the answer is sent"],
)
def test_killed_after_commit_the_same_key_gives_the_same_order(crashing_shop, caller, user, bowl, crash):
    """An order in one call is not protected by a cart: only by the key."""
    body, buyer = order_body((bowl, 2)), caller(user)
    with crashing_shop(crash) as host:
        assert buyer.at(host.port).post("/orders/", body, key="one").status == 0
    order = Order.objects.get()
    again = buyer.post("/orders/", body, key="one")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert (again.body["id"], again.body["access_token"]) == (str(order.pk), order.access_token)
    assert again.body["payment"]["id"] == str(Payment.objects.get().pk)
    assert Order.objects.count() == 1
    assert stock(bowl) == 8
    assert Counter(Notification.objects.values_list("recipient", flat=True)) == {user.email: 1}
    assert buyer.post("/orders/", order_body((bowl, 1)), key="one").status == 422


@pytest.mark.parametrize(
    "crash", ["artisans.core.api.views:key_claim after", "carts.checkout:effect_record after"]
)
def test_killed_before_commit_the_same_key_waits_for_the_lease_and_orders_once(
    crashing_shop, caller, user, bowl, crash
):
    body, buyer = order_body((bowl, 2)), caller(user)
    with crashing_shop(crash) as host:
        assert buyer.at(host.port).post("/orders/", body, key="one").status == 0
    assert Order.objects.count() == 0
    waiting = buyer.post("/orders/", body, key="one")
    assert (waiting.status, waiting.body["code"]) == (409, "idempotency_key_in_use")
    IdempotencyKey.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    answers = [buyer.post("/orders/", body, key="one") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].body == answers[1].body
    assert stock(bowl) == 8


def test_killed_after_adding_an_item_the_same_key_adds_no_second_one(crashing_shop, caller, user, bowl):
    cart = filled_cart(user, (bowl, 1))
    path, row, buyer = f"/carts/{cart.pk}/items", {"product_id": str(bowl.pk)}, caller(user)
    with crashing_shop("carts.api:cart_items_add after") as host:
        assert buyer.at(host.port).post(path, row, key="one").status == 0
    again = buyer.post(path, row, key="one")
    assert (again.status, [item["quantity"] for item in again.body["items"]]) == (201, [2])
    assert cart.items.get().quantity == 2


def test_killed_after_commit_the_page_sent_again_shows_the_order(crashing_shop, shop, user, bowl):
    cart = filled_cart(user, (bowl, 1))
    address = checkout_body()["shipping_address"]
    Cart.objects.filter(pk=cart.pk).update(
        draft={"email": user.email, "shipping": address, "billing": address, "billing_same": True, "note": ""}
        | {"method": "bank_transfer"}
    )
    form = review_form(Visitor(shop.url, user))
    with crashing_shop("carts.views:cart_checkout after") as host, pytest.raises(requests.ConnectionError):
        Visitor(host.url, user).post("/shop/checkout/check/", form)
    order = Order.objects.get()
    again = Visitor(shop.url, user).post("/shop/checkout/check/", form)
    assert (again.status_code, again.headers["Location"]) == (302, order_page(order))
    assert stock(bowl) == 9


# ---- money -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "crash",
    [
        "payments.lifecycle.receipts:receipt_create after",
        "payments.lifecycle.receipts:order_settle before",
        "payments.lifecycle.receipts:mail_receipt after",
        "artisans.ledger.services:find_accounts after",  # between the receipt and its entry
        "payments.bookkeeping.earnings:earnings_save after",  # between what is earned and its entry
        "payments.bookkeeping.payments:order_earnings_book after",
    ],
)
def test_killed_while_money_is_recorded_nothing_is_booked(crashing_shop, caller, shop, user, bowl, crash):
    order = order_in(caller(user).post("/orders/", order_body((bowl, 1))))
    staff_client, before = money_staff(), Notification.objects.count()
    with crashing_shop(crash) as host, pytest.raises(requests.ConnectionError):
        Visitor(host.url, staff_client).post(receipt_path(order), receipt_form(order))
    order.refresh_from_db()
    payment = order.payments.get()
    assert (Receipt.objects.count(), payment.status, order.received_minor) == (0, PaymentStatus.PENDING, 0)
    assert Notification.objects.count() == before
    for model in (Earning, LedgerEntry, LedgerPosting):
        assert not model.objects.exists()
    assert Visitor(shop.url, staff_client).post(receipt_path(order), receipt_form(order)).status_code == 302
    order.refresh_from_db()
    assert order.payment_status == OrderPaymentStatus.PAID
    assert Earning.objects.count() == 1
    assert sorted(LedgerEntry.objects.values_list("kind", flat=True)) == ["receipt", "sale"]


def test_killed_after_the_money_was_booked_it_is_not_booked_again(crashing_shop, caller, shop, user, bowl):
    order = order_in(caller(user).post("/orders/", order_body((bowl, 1))))
    staff_client = money_staff()
    with (
        crashing_shop("payments.admin.payments:receipt_submit after") as host,
        pytest.raises(requests.ConnectionError),
    ):
        Visitor(host.url, staff_client).post(receipt_path(order), receipt_form(order))
    again = Visitor(shop.url, staff_client).post(receipt_path(order), receipt_form(order))
    assert again.status_code == 200
    assert "already recorded" in again.text
    assert Receipt.objects.count() == 1


# ---- mail ------------------------------------------------------------------------------------------------------


def all_sent() -> bool:
    return not Notification.objects.exclude(state="sent").exists()


@pytest.mark.usefixtures("no_worker")
def test_worker_killed_between_sending_and_marking(caller, shop, user, bowl, mail):
    """The mail server has it but the outbox does not know: it is sent once more with the same id."""
    shop.worker.start("django.core.mail.backends.smtp:EmailBackend.send_messages after")
    order_in(caller(user).post("/orders/", order_body((bowl, 1))))
    assert shop.worker.wait_gone() == -signal.SIGKILL
    [row] = Notification.objects.all()
    assert (row.state, len(mail.received)) == ("waiting", 1)
    assert row.lease_until is not None
    assert row.lease_until > timezone.now(), "not sent by others while leased"
    Notification.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    shop.worker.start()
    wait_for(all_sent)
    assert [one.to for one in mail.received] == [user.email] * 2
    assert len({one.id for one in mail.received}) == 1


@pytest.mark.usefixtures("no_worker")
def test_orders_without_a_worker_get_their_mails_later(caller, shop, buyers, bowl, mail):
    users = buyers(5)
    for user in users:
        assert caller(user).post("/orders/", order_body((bowl, 1), method="cash_on_delivery")).status == 201
    assert mail.received == []
    shop.worker.start()
    wait_for(all_sent)
    assert Counter(one.to for one in mail.received) == {bowl.artisan.email: 5} | {
        user.email: 1 for user in users
    }


@pytest.mark.usefixtures("no_worker")
def test_stopping_worker_finishes_the_current_mail(caller, shop, buyers, bowl, mail):
    mail.mood = "slow"
    shop.worker.start()
    users = buyers(6)
    for user in users:
        assert caller(user).post("/orders/", order_body((bowl, 1))).status == 201
    wait_for(lambda: mail.received)
    shop.worker.signal(signal.SIGTERM)
    shop.worker.wait_gone(30)
    sent = Notification.objects.filter(state="sent").count()
    assert len(mail.received) == sent, "a mail went out and was not marked"
    mail.mood = "good"
    shop.worker.start()
    wait_for(all_sent)
    assert Counter(one.to for one in mail.received) == {user.email: 1 for user in users}


# ---- deployment ------------------------------------------------------------------------------------------------


def test_stopping_web_server_loses_no_acknowledged_order(production, caller, buyers):
    """SIGTERM while twenty buyers order without a pause: each 2xx has its order, and the processes end in time."""
    bowl = ProductFactory.create(stock=5000)
    people = [caller(user) for user in buyers(20)]
    with production(MAX_OPEN_ORDERS="100000") as host:
        host.web.start()
        promised: list[str] = []

        def order_on(buyer: Caller) -> None:
            while (answer := buyer.post("/orders/", order_body((bowl, 1)))).status:
                assert answer.status in {201, 503}, answer
                if answer.is_good:
                    promised.append(answer.body["order"]["id"])

        def buy(_: object) -> None:
            together([partial(order_on, person.at(host.port)) for person in people])

        with meanwhile(buy):
            wait_for(lambda: len(promised) >= 40)
            host.web.signal(signal.SIGTERM)
            assert host.web.wait_gone(30) == 0
    kept = {str(pk) for pk in Order.objects.values_list("pk", flat=True)}
    assert set(promised) <= kept
    assert stock(bowl) == 5000 - len(kept)
