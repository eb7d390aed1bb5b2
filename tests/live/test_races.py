"""Many at once, against the servers of production: two web processes, PostgreSQL, Redis, and a worker for emails."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from artisans.accounts.models import Role, User
from artisans.accounts.tests.factories import UserFactory
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.statuses import ApprovalStatus
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.core.models import IdempotencyKey
from artisans.notifications.models import Notification
from carts.models import Cart, CartItem, CartStatus
from orders.errors import NotCancellable
from orders.models import Order, StoreRules
from orders.statuses import OrderPaymentStatus, OrderStatus
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.models import Receipt
from tests.live.runner import Answer, HeadStart, Shop, after, together, wait_for
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

pytestmark = [pytest.mark.pg, pytest.mark.usefixtures("postgres_only", "clean_database")]


@pytest.fixture(scope="module")
def shop(postgres_only, production):
    with production() as shop:
        shop.start(worker=False)
        yield shop


@pytest.fixture
def worker(shop: Shop) -> Iterator[None]:
    shop.worker.start()
    yield
    shop.worker.kill()


def statuses(answers: list[Answer]) -> dict[int, int]:
    return dict(Counter(answer.status for answer in answers))


def checkout_path(user: User, *items: tuple[Product, int]) -> str:
    return f"/carts/{filled_cart(user, *items).pk}/checkout"


def stock(product: Product) -> int:
    return Product.objects.get(pk=product.pk).stock


# ---- stock -----------------------------------------------------------------------------------------------------


def test_one_of_twenty_buyers_gets_the_last_unit(caller, buyers):
    bowl = ProductFactory.create(stock=1)
    people = buyers(20)
    answers = together(
        [partial(caller(u).post, checkout_path(u, (bowl, 1)), checkout_body()) for u in people]
    )
    assert statuses(answers) == {201: 1, 409: 19}
    for answer in answers:
        if answer.status == 409:
            assert answer.body["code"] == "checkout_problems"
            [problem] = answer.body["problems"]
            assert (problem["code"], problem["old"], problem["new"]) == ("out_of_stock", "1", "0")
    assert stock(bowl) == 0
    assert Order.objects.count() == 1
    assert Cart.objects.filter(status=CartStatus.OPEN).count() == 19


def test_one_of_twenty_guests_gets_the_last_unit_in_one_call(caller):
    bowl = ProductFactory.create(stock=1)
    bodies = [order_body((bowl, 1), customer_email=f"guest{n}@example.test") for n in range(20)]
    answers = together([partial(caller().post, "/orders/", body) for body in bodies])
    assert statuses(answers) == {201: 1, 409: 19}
    assert stock(bowl) == 0


def test_orders_of_two_units_out_of_seven_leave_one(caller, buyers):
    bowl = ProductFactory.create(stock=7)
    answers = together([partial(caller(user).post, "/orders/", order_body((bowl, 2))) for user in buyers(20)])
    assert statuses(answers) == {201: 3, 409: 17}
    assert stock(bowl) == 1


def test_one_cart_ordered_twenty_times_at_once_is_one_order(caller, buyers):
    bowl = ProductFactory.create(stock=10)
    [user] = buyers(1)
    path = checkout_path(user, (bowl, 2))
    answers = together([partial(caller(user).post, path, checkout_body()) for _ in range(20)])
    assert {answer.status for answer in answers} <= {200, 201, 409}
    assert statuses(answers)[201] == 1
    assert len({answer.body["order"]["id"] for answer in answers if answer.is_good}) == 1
    assert Order.objects.count() == 1
    assert stock(bowl) == 8


def test_twenty_concurrent_submissions_place_one_order(caller, buyers, shop: Shop):
    """Two tabs, a double click, an impatient person: the page as the API."""
    bowl = ProductFactory.create(stock=10)
    [user] = buyers(1)
    cart = filled_cart(user, (bowl, 1))
    address = checkout_body()["shipping_address"]
    cart.draft = {"email": user.email, "shipping": address, "billing": address, "billing_same": True}
    cart.draft |= {"note": "", "method": "bank_transfer"}
    cart.save()
    tabs = [Visitor(shop.url, user) for _ in range(20)]
    form = review_form(tabs[0])
    pages = together([partial(tab.post, "/shop/checkout/check/", form) for tab in tabs])
    order = Order.objects.get()
    assert {(page.status_code, page.headers.get("Location")) for page in pages} == {(302, order_page(order))}
    assert stock(bowl) == 9


def test_carts_with_opposite_item_order_do_not_deadlock(caller, buyers):
    """Carts (A, B) and (B, A): a lock taken in the order of the cart would be a deadlock."""
    artisan = ArtisanFactory.create()
    a, b = (ProductFactory.create(stock=90, artisan=artisan) for _ in range(2))
    jobs = []
    for number, user in enumerate(buyers(100)):
        items = [(a, 1), (b, 1)] if number % 2 else [(b, 1), (a, 1)]
        jobs.append(partial(caller(user).post, checkout_path(user, *items), checkout_body()))
    random.shuffle(jobs)
    answers = together(jobs)
    assert statuses(answers) == {201: 90, 409: 10}
    assert (stock(a), stock(b)) == (0, 0)


def test_one_account_cannot_hold_more_by_ordering_at_once(caller, buyers):
    """Different products, so that no lock on stock puts the orders in a row."""
    [user] = buyers(1)
    artisan = ArtisanFactory.create()
    goods = [ProductFactory.create(artisan=artisan) for _ in range(12)]
    answers = together([partial(caller(user).post, "/orders/", order_body((thing, 1))) for thing in goods])
    assert statuses(answers) == {201: 2, 429: 10}


# ---- one request, sent again -----------------------------------------------------------------------------------


def same(answers: list[Answer]) -> str:
    """The id that all successful answers agree on; the others were refused for now."""
    assert {answer.status for answer in answers} <= {201, 409}
    for answer in answers:
        if answer.status == 409:
            assert (answer.body["code"], answer.headers["Retry-After"]) == ("idempotency_key_in_use", "1")
    good = [answer for answer in answers if answer.is_good]
    assert all(answer.body == good[0].body for answer in good)
    assert sum("Idempotent-Replayed" not in answer.headers for answer in good) == 1
    return good[0].body["id"]


def test_one_of_fifty_requests_with_one_key_has_an_effect(caller, buyers):
    bowl = ProductFactory.create(stock=100)
    for number, user in enumerate(buyers(3)):
        body = order_body((bowl, 1))
        answers = together([partial(caller(user).post, "/orders/", body, key="one") for _ in range(50)])
        order_id = same(answers)
        assert str(Order.objects.get(user=user).pk) == order_id
        assert stock(bowl) == 99 - number
        later = caller(user).post("/orders/", body, key="one")
        assert (later.body["id"], later.headers["Idempotent-Replayed"]) == (order_id, "true")
        assert caller(user).post("/orders/", order_body((bowl, 2)), key="one").status == 422
    assert Notification.objects.filter(kind="order_placed").count() == 3


def test_one_of_fifty_cart_additions_with_one_key_counts(caller, buyers):
    """No natural guard here: without the key each of them would add a unit."""
    bowl = ProductFactory.create(stock=100)
    [user] = buyers(1)
    cart = caller(user).post("/carts/").body["id"]
    row = {"product_id": str(bowl.pk), "quantity": 1}
    answers = together(
        [partial(caller(user).post, f"/carts/{cart}/items", row, key="one") for _ in range(50)]
    )
    assert same(answers) == cart
    assert CartItem.objects.get().quantity == 1


def test_two_processes_with_an_expired_lease_do_the_work_once(caller, buyers):
    bowl = ProductFactory.create(stock=100)
    for user in buyers(5):
        buyer, body = caller(user), order_body((bowl, 1))
        assert buyer.post("/orders/", body, key="one").status == 201
        Order.objects.filter(user=user).update(user=None)
        IdempotencyKey.objects.filter(principal=f"user:{user.pk}").update(
            state="running", status_code=None, effect="", lease_until=timezone.now() - timedelta(seconds=1)
        )
        same(together([partial(caller(user).post, "/orders/", body, key="one") for _ in range(10)]))
        assert Order.objects.filter(user=user).count() == 1


# ---- carts and accounts ----------------------------------------------------------------------------------------


def test_tabs_that_open_the_cart_at_once_share_one(caller, buyers):
    bowl = ProductFactory.create(stock=20)
    for user in buyers(5):
        body = {"items": [{"product_id": str(bowl.pk), "quantity": 1}]}
        answers = together([partial(caller(user).post, "/carts/", body) for _ in range(8)])
        assert {answer.status for answer in answers} <= {200, 201}
        assert len({answer.body["id"] for answer in answers}) == 1
        assert CartItem.objects.get(cart__user=user, cart__status=CartStatus.OPEN).quantity == 8


def spellings(address: str) -> list[str]:
    return [address[:n] + address[n:].upper() for n in range(10)]


def test_ten_registrations_of_one_address_are_one_account(caller):
    bodies = [
        {"email": email, "password": "correct-horse-1"} for email in spellings("ada.byron@example.test")
    ]
    answers = together([partial(caller().post, "/auth/register", body) for body in bodies])
    assert statuses(answers) == {201: 1, 409: 9}
    assert list(User.objects.values_list("email", flat=True)) == ["ada.byron@example.test"]


def test_ten_sign_ups_by_page_are_one_account(shop: Shop):
    forms = [
        {"email": email, "password1": "correct-horse-1"} for email in spellings("ada.byron@example.test")
    ]
    pages = together([partial(Visitor(shop.url).post, "/shop/account/signup/", form) for form in forms])
    # 429: the sign-in library's own limit on one address, which counts what other tests did in the same minute.
    assert {page.status_code for page in pages} <= {200, 302, 429}
    assert list(User.objects.values_list("email", flat=True)) == ["ada.byron@example.test"]


# ---- offline money ---------------------------------------------------------------------------------------------


def test_concurrent_receipt_and_cancelling_leave_a_refund_due(caller, buyers, shop: Shop):
    """The buyer cancels while staff record the money. By the head start of either side both orders of events come up,
    and in both the money is to be returned."""
    bowl = ProductFactory.create(stock=200)
    people, staff_client = buyers(50), Visitor(shop.url, money_staff())
    won: Counter[str] = Counter()
    start = HeadStart(0.004)
    for round_ in start.rounds(100):
        buyer = caller(people[round_ % 50])
        order = order_in(buyer.post("/orders/", order_body((bowl, 1))))
        cancel = partial(buyer.post, f"/orders/{order.pk}/cancel", {})
        record = partial(staff_client.post, receipt_path(order), receipt_form(order))

        cancelled, recorded = together([after(start.first, cancel), after(start.second, record)])

        order.refresh_from_db()
        assert recorded.status_code == 302
        assert order.received == order.total
        assert cancelled.status == 200
        assert (order.status, order.refund_due) == (OrderStatus.CANCELLED, order.total)
        start.won(by_first=order.released_at is None)
        won["money" if order.released_at else "cancelling"] += 1
    assert stock(bowl) == 200
    assert min(won["money"], won["cancelling"]) > 0, won


def test_concurrent_shipping_and_cancelling_have_one_winner(caller, buyers, shop: Shop):
    """The artisan sends a parcel, or one of its two units, while staff cancel it. One is refused, and goods and money
    agree."""
    maker = UserFactory.create(role=Role.ARTISAN)
    bowl = ProductFactory.create(stock=200, artisan=ArtisanFactory.create(user=maker))
    seller, staff = caller(maker), money_staff()
    people = buyers(40)
    won: Counter[str] = Counter()
    start = HeadStart(0.004)
    for round_ in start.rounds(40):
        order = order_in(caller(people[round_]).post("/orders/", order_body((bowl, 2))))
        Visitor(shop.url, staff).post(receipt_path(order), receipt_form(order))
        parcel = order.parcels.get()
        one = [{"line": str(parcel.lines.get().pk), "quantity": 1}] if round_ // 2 % 2 else None
        body = {"carrier": "USPS"} | ({"units": one} if one else {})
        send = partial(seller.post, f"/parcels/{parcel.pk}/ship", body)

        def cancel(order: Order = order) -> bool:
            try:
                order_cancel(order_id=order.pk, reason="broke", actor=staff, refund=True)
            except NotCancellable:
                return False
            return True

        sent, cancelled = together([after(start.first, send), after(start.second, cancel)])
        parcel.refresh_from_db()
        sent_status = "PACKED" if one else "SHIPPED"
        assert (sent.status, cancelled, parcel.status) in {
            (200, False, sent_status),
            (409, True, "CANCELLED"),
        }
        assert parcel.shipments.count() == (0 if cancelled else 1)
        start.won(by_first=not cancelled)
        won["cancelled" if cancelled else "shipped"] += 1
    assert stock(bowl) == 200 - 2 * won["shipped"]
    assert min(won.values()) > 0, won


def test_units_are_shipped_or_cancelled_by_their_artisan_but_not_both(caller, buyers, shop: Shop):
    """Two members of a workshop at once: one sends two of three units, the other cannot deliver two."""
    maker = UserFactory.create(role=Role.ARTISAN)
    bowl = ProductFactory.create(stock=200, artisan=ArtisanFactory.create(user=maker))
    seller, other_tab, staff = caller(maker), caller(maker), money_staff()
    people = buyers(20)
    won: Counter[str] = Counter()
    start = HeadStart(0.004)
    for round_ in start.rounds(20):
        order = order_in(caller(people[round_]).post("/orders/", order_body((bowl, 3))))
        Visitor(shop.url, staff).post(receipt_path(order), receipt_form(order))
        parcel = order.parcels.get()
        line = parcel.lines.get()
        units = [{"line": str(line.pk), "quantity": 2}]
        send = partial(seller.post, f"/parcels/{parcel.pk}/ship", {"carrier": "USPS", "units": units})
        body = {"reason": "broke", "units": units, "restock": False}
        cancel = partial(other_tab.post, f"/parcels/{parcel.pk}/cannot_deliver", body)

        sent, cancelled = together([after(start.first, send), after(start.second, cancel)])
        line.refresh_from_db()
        order.refresh_from_db()
        assert sorted([sent.status, cancelled.status]) == [200, 400]
        is_sent = sent.status == 200
        assert (parcel.shipments.count(), line.cancelled_quantity) == ((1, 0) if is_sent else (0, 2))
        assert order.refund_due == line.cancelled
        start.won(by_first=is_sent)
        won["sent" if is_sent else "cancelled"] += 1
    assert stock(bowl) == 200 - 3 * won.total()
    assert min(won.values()) > 0, won


def test_receipt_recorded_by_two_staff_is_booked_once(caller, buyers, shop: Shop):
    bowl = ProductFactory.create(stock=20)
    staff_clients = [Visitor(shop.url, money_staff()) for _ in range(2)]
    for user in buyers(10):
        order = order_in(caller(user).post("/orders/", order_body((bowl, 1))))
        path, form = receipt_path(order), receipt_form(order)
        pages = together([partial(staff_client.post, path, form) for staff_client in staff_clients])
        assert sorted(page.status_code for page in pages) == [200, 302]
        [result] = [page.text for page in pages if page.status_code == 200]
        assert "already recorded" in result
        assert Receipt.objects.filter(payment__order=order).count() == 1
        assert Notification.objects.filter(recipient=user.email, kind="payment_received").count() == 1


def test_concurrent_approval_requests_are_executed_once(caller, buyers, shop: Shop):
    """Four request the same operation above the limit at once, then all others approve it at once."""
    StoreRules.objects.update(second_person_above_minor=1)
    bowl = ProductFactory.create(stock=20)
    people = [money_staff() for _ in range(4)]
    staff_clients = {user.pk: Visitor(shop.url, user) for user in people}
    for user in buyers(5):
        order = order_in(caller(user).post("/orders/", order_body((bowl, 1))))
        path, form = receipt_path(order), receipt_form(order)
        pages = together([partial(staff_client.post, path, form) for staff_client in staff_clients.values()])
        assert sorted(page.status_code for page in pages) == [200, 200, 200, 302]
        approval = ApprovalRequest.objects.get(status=ApprovalStatus.PENDING)
        assert Receipt.objects.filter(payment__order=order).count() == 0

        approve = f"/admin/approvals/approvalrequest/{approval.pk}/approve/"
        others = [
            staff_client for pk, staff_client in staff_clients.items() if pk != approval.requested_by_id
        ]
        pages = together([partial(staff_client.post, approve, {}) for staff_client in others])
        assert [page.status_code for page in pages] == [302] * len(others)
        approval.refresh_from_db()
        assert approval.status == ApprovalStatus.APPROVED
        assert Receipt.objects.get(payment__order=order).actor_id == approval.requested_by_id


def test_concurrent_expiry_and_receipt_never_lose_the_order(caller, buyers, shop: Shop):
    """The order expires in the moment in which its money is recorded: it ends paid, its stock taken once."""
    bowl = ProductFactory.create(stock=40)
    staff_client, people = Visitor(shop.url, money_staff()), buyers(30)
    rounds: Counter[int] = Counter()
    start = HeadStart(0.006)
    for round_ in start.rounds(30):
        order = order_in(caller(people[round_]).post("/orders/", order_body((bowl, 1))))
        Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

        expire = partial(order_expire, order_id=order.pk)
        record = partial(staff_client.post, receipt_path(order), receipt_form(order))

        _, page = together([after(start.first, expire), after(start.second, record)])
        assert page.status_code == 302
        order.refresh_from_db()
        assert (order.status, order.payment_status) == (OrderStatus.CONFIRMED, OrderPaymentStatus.PAID)
        start.won(by_first=order.stock_round > 0)
        rounds[order.stock_round] += 1
    assert stock(bowl) == 40 - rounds.total()
    assert min(rounds[0], rounds[1]) > 0, rounds


# ---- mail ------------------------------------------------------------------------------------------------------


def test_mail_enqueued_many_times_is_sent_once(worker, caller, buyers, mail, shop: Shop):
    """Two worker processes, twenty enqueued tasks and the periodic task for one row, and a slow mail server."""
    mail.mood = "slow"
    bowl = ProductFactory.create()
    [user] = buyers(1)
    stop = threading.Event()

    def enqueue_repeatedly() -> None:
        while not stop.is_set():
            for pk in Notification.objects.values_list("pk", flat=True):
                shop.trigger("notifications.send", str(pk))
            time.sleep(0.02)
        connection.close()

    enqueuer = threading.Thread(target=enqueue_repeatedly, daemon=True)
    enqueuer.start()
    try:
        order_in(caller(user).post("/orders/", order_body((bowl, 1), method="cash_on_delivery")))
        wait_for(
            lambda: Notification.objects.exists() and not Notification.objects.exclude(state="sent").exists()
        )
        time.sleep(1)
    finally:
        stop.set()
        enqueuer.join()
    assert Counter(m.to for m in mail.received) == {user.email: 1, bowl.artisan.email: 1}
    assert set(Notification.objects.values_list("tries", flat=True)) == {1}
