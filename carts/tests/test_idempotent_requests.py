"""Requests that are repeated with their Idempotency-Key: one effect, the same answer."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError
from django.utils import timezone

from artisans.accounts.models import AuthToken, User
from artisans.accounts.tests.factories import PASSWORD
from artisans.catalog.models import Product
from artisans.core.api import views
from artisans.core.idempotency import api as idempotency_api
from artisans.core.idempotency.keys import LEASE, LIFE
from artisans.core.models import IdempotencyKey
from carts import api as carts_api
from carts.api import created_order, order_create
from carts.checkout import place
from carts.models import Cart
from carts.services import OpenedCart
from carts.tests.test_queries import counted
from orders.models import Order
from orders.services.closing import order_links_revoke
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.tests.factories import start
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ADDRESS = "123 Test St, Test City, TC 12345"
CHECKOUT = {"shipping_address": ADDRESS, "payment_method": "bank_transfer"}
REPLAYED = "Idempotent-Replayed"


@pytest.fixture(autouse=True, scope="module")
def shared_rows() -> None:
    """No rows for all tests: some tests register the shopper themselves."""


@pytest.fixture(autouse=True)
def enough(settings):
    settings.MAX_OPEN_ORDERS = 20


@pytest.fixture
def client(api, shopper):
    return api(shopper)


def send(client, path, body=None, key="key-1"):
    return client.post(path, body if body is not None else {}, HTTP_IDEMPOTENCY_KEY=key)


def order_body(product, quantity=1, **changes):
    items = [{"product_id": str(product.pk), "quantity": quantity}]
    return {"order_items": items, "shipping_address": ADDRESS} | changes


def effects():
    """Every row except the keys themselves."""
    return {name: rows for name, rows in dump().items() if name != "core.IdempotencyKey"}


ROUTES = ("orders", "orders with payment", "checkout", "intents", "carts", "carts with items", "items")


@pytest.fixture(params=ROUTES)
def build_call_request(request, client, shopper, bowl):
    """Path and body of a POST with an effect; the objects it needs are created first."""
    row = {"product_id": str(bowl.pk), "quantity": 2}

    def cart(*items):
        return client.post("/carts/", {"items": list(items)}).json()["id"]

    make = {
        "orders": lambda: ("/orders/", order_body(bowl)),
        "orders with payment": lambda: ("/orders/", order_body(bowl, payment_method="check")),
        "checkout": lambda: (f"/carts/{cart(row)}/checkout", CHECKOUT),
        "intents": lambda: (
            "/payments/intents",
            {"order_id": str(start(user=shopper).order_id), "payment_method": "check"},
        ),
        "carts": lambda: ("/carts/", {}),
        "carts with items": lambda: ("/carts/", {"items": [row]}),
        "items": lambda: (f"/carts/{cart()}/items", row),
    }
    return make[request.param]()


# ---- the same request ------------------------------------------------------------------------------------------


def test_retry_gets_the_same_answer_and_changes_nothing(client, build_call_request):
    first = send(client, *build_call_request)
    before = effects()

    again = send(client, *build_call_request)

    assert first.status_code == 201, first.json()
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (again[REPLAYED], REPLAYED in first) == ("true", False)
    assert again["Cache-Control"] == first["Cache-Control"]
    assert effects() == before


def test_same_request_with_another_key_is_another_request(client, bowl):
    one, other = (send(client, "/orders/", order_body(bowl), key) for key in ("key-1", "key-2"))

    assert one.json()["id"] != other.json()["id"]
    assert Order.objects.count() == 2


def test_request_without_a_key_is_always_a_new_one(client, bowl):
    for _ in range(2):
        assert REPLAYED not in client.post("/orders/", order_body(bowl))

    assert Order.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize(
    "spelling",
    [
        lambda body: dict(reversed(body.items())),
        lambda body: body | {"amount": "99.99"},
    ],
    ids=["order of fields", "figure as text"],
)
def test_differently_formatted_body_is_the_same_body(client, bowl, spelling):
    body = order_body(bowl, amount=99.99)
    first = send(client, "/orders/", body)

    assert send(client, "/orders", spelling(body)).content == first.content


def test_answer_is_stored_for_a_day(client, bowl, time_machine):
    first = send(client, "/orders/", order_body(bowl))
    made = Order.objects.get().created_at

    time_machine.move_to(made + timedelta(hours=1))
    after_an_hour = send(client, "/orders/", order_body(bowl))
    time_machine.move_to(made + LIFE + timedelta(minutes=1))
    next_day = send(client, "/orders/", order_body(bowl))

    assert after_an_hour.content == first.content
    assert next_day.status_code == 201
    assert REPLAYED not in next_day
    assert Order.objects.count() == 2
    assert IdempotencyKey.objects.count() == 1


def test_stored_answer_does_not_follow_later_changes(client, shopper, bowl):
    first = send(client, "/orders/", order_body(bowl))
    order_cancel(order_id=Order.objects.get().pk, reason="", actor=shopper)

    assert send(client, "/orders/", order_body(bowl)).content == first.content


def test_repeated_cancellation_gets_the_same_answer(client, shopper, bowl):
    order = start(user=shopper).order
    first = send(client, f"/orders/{order.pk}/cancel", {"reason": "x"})
    before = effects()

    again = send(client, f"/orders/{order.pk}/cancel", {"reason": "x"})

    assert (first.status_code, again.content) == (200, first.content)
    assert effects() == before


# ---- another request -------------------------------------------------------------------------------------------


def test_key_with_another_body_is_refused(client, bowl):
    send(client, "/orders/", order_body(bowl))
    before = dump()

    body = problem(send(client, "/orders/", order_body(bowl, 2)), 422, "idempotency_key_reused")

    assert not body["retryable"]
    assert dump() == before


def test_same_key_for_another_cart_is_another_request(client, api, stranger, bowl):
    carts = [client.post("/carts/", {}).json()["id"], api(stranger).post("/carts/", {}).json()["id"]]
    row = {"product_id": str(bowl.pk)}
    assert send(client, f"/carts/{carts[0]}/items", row).status_code == 201

    problem(send(client, f"/carts/{carts[1]}/items", row), 422, "idempotency_key_reused")


def test_same_key_on_another_route_is_another_request(client, bowl):
    assert send(client, "/carts/", {}).status_code == 201
    assert send(client, "/orders/", order_body(bowl)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a b", "a\tb", " ", "\x7f", "ключ"])
def test_invalid_key_is_refused(client, bowl, key):
    before = dump()

    problem(send(client, "/orders/", order_body(bowl), key), 400, "idempotency_key_invalid")

    assert dump() == before


@pytest.mark.parametrize("key", ["x", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_key_of_printable_characters_is_accepted(client, bowl, key):
    assert send(client, "/orders/", order_body(bowl), key).status_code == 201
    assert send(client, "/orders/", order_body(bowl), key)[REPLAYED] == "true"


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_ignore_the_key(client, method):
    answer = getattr(client, method)("/carts/", HTTP_IDEMPOTENCY_KEY="")

    problem(answer, 405)
    assert problem(send(client, "/auth/me"), 405)
    assert not IdempotencyKey.objects.exists()


# ---- whose key -------------------------------------------------------------------------------------------------


def test_keys_of_two_users_are_independent(client, api, stranger, bowl):
    mine = send(client, "/orders/", order_body(bowl)).json()

    theirs = send(api(stranger), "/orders/", order_body(bowl))

    assert theirs.json()["id"] != mine["id"]
    assert theirs.json()["customer_email"] == stranger.email
    assert REPLAYED not in theirs


def test_keys_of_two_guests_are_independent(api, bowl):
    carts = [api().post("/carts/", {}).json() for _ in range(2)]
    row = {"product_id": str(bowl.pk)}
    guests = [api(cart=cart["token"]) for cart in carts]

    for guest, cart in zip(guests, carts, strict=True):
        first, again = (send(guest, f"/carts/{cart['id']}/items", row) for _ in range(2))
        assert (first.status_code, first.json()["id"], REPLAYED in first) == (201, cart["id"], False)
        assert again.content == first.content
    problem(send(guests[0], f"/carts/{carts[1]['id']}/items", row), 422)


def test_key_of_a_guest_without_a_token_is_scoped_to_the_network(api, bowl):
    body = order_body(bowl, customer_email="guest@example.test")
    near, same, far = api(), api(), api()
    near.defaults["REMOTE_ADDR"], same.defaults["REMOTE_ADDR"] = "192.0.2.7", "192.0.2.8"
    far.defaults["REMOTE_ADDR"] = "198.51.100.7"

    first = send(near, "/orders/", body)

    assert send(same, "/orders/", body).content == first.content
    assert send(far, "/orders/", body).json()["id"] != first.json()["id"]
    far.credentials(HTTP_X_FORWARDED_FOR="192.0.2.7")
    assert send(far, "/orders/", body).json()["id"] != first.json()["id"]


def test_replay_without_the_token_of_the_request_is_refused(client, api, bowl):
    send(client, "/payments/intents", {"order_id": str(start().order_id), "payment_method": "check"})

    problem(send(api(), "/payments/intents", {"order_id": "x"}), 401)


def test_forged_link_token_gets_no_separate_scope(api, bowl):
    body = order_body(bowl, customer_email="guest@example.test")

    answers = [send(api(order=made_up), "/orders/", body) for made_up in ("x.1", "x.2")]

    assert answers[0].content == answers[1].content


# ---- what is not stored ----------------------------------------------------------------------------------------


def test_refusal_is_not_stored(client, bowl):
    Product.objects.update(stock=0)
    before = dump()
    problem(send(client, "/orders/", order_body(bowl)), 409, "checkout_problems")
    problem(send(client, "/orders/", order_body(bowl, payment_method="cowries")), 400, "method_not_offered")
    problem(send(client, "/orders/", {}), 400, "validation_error")
    assert dump() == before
    Product.objects.update(stock=5)

    assert send(client, "/orders/", order_body(bowl)).status_code == 201


def test_rate_limit_refusal_is_not_stored(client, bowl, settings):
    settings.MAX_OPEN_ORDERS = 0
    problem(send(client, "/orders/", order_body(bowl)), 429)
    settings.MAX_OPEN_ORDERS = 2

    assert send(client, "/orders/", order_body(bowl)).status_code == 201


@pytest.mark.parametrize(("error", "status"), [(OperationalError("gone"), 503), (RuntimeError("bug"), 500)])
def test_server_error_is_not_stored(client, bowl, monkeypatch, error, status):
    def fail(**asked):
        raise error

    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("carts.api.order_create", fail)
        problem(send(client, "/orders/", order_body(bowl)), status)
    assert not IdempotencyKey.objects.exists()

    assert send(client, "/orders/", order_body(bowl)).status_code == 201


# ---- at the same time ------------------------------------------------------------------------------------------


def test_concurrent_retry_is_refused_while_the_first_request_runs(client, bowl, monkeypatch):
    """The second request arrives while the first one is in the view, before anything is written."""
    beside = []

    def slow(**asked):
        if not beside:
            beside.append(send(client, "/orders/", order_body(bowl)))
            beside.append(send(client, "/orders/", order_body(bowl, 2)))
        return order_create(**asked)

    monkeypatch.setattr("carts.api.order_create", slow)

    first = send(client, "/orders/", order_body(bowl))

    body = problem(beside[0], 409, "idempotency_key_in_use")
    assert (body["retryable"], int(beside[0]["Retry-After"])) == (True, 1)
    problem(beside[1], 422, "idempotency_key_reused")
    assert first.status_code == 201
    assert Order.objects.count() == 1


def test_concurrent_retry_is_answered_once_the_effect_is_committed(client, bowl, monkeypatch):
    beside = []

    def slow(done, store):
        if not beside:
            beside.append(None)
            beside[0] = send(client, "/orders/", order_body(bowl))
        return created_order(done, store)

    monkeypatch.setattr("carts.api.created_order", slow)

    first = send(client, "/orders/", order_body(bowl))

    assert (beside[0].status_code, beside[0].content) == (201, first.content)
    assert beside[0][REPLAYED] == "true"
    assert send(client, "/orders/", order_body(bowl)).content == first.content
    assert Order.objects.count() == 1


# ---- a process that crashes ------------------------------------------------------------------------------------


@pytest.fixture
def dying(monkeypatch):
    """`with dying():` the process ends when the effect is committed and the answer is not stored."""

    @contextmanager
    def die():
        with monkeypatch.context() as patch:
            patch.setattr(views, "store_response", lambda *args: None)
            yield

    return die


@pytest.mark.parametrize("build_call_request", [name for name in ROUTES if name != "carts"], indirect=True)
def test_retry_after_a_crash_is_answered_from_the_effect(client, build_call_request, dying, time_machine):
    with dying():
        first = send(client, *build_call_request)
    before = effects()

    at_once = send(client, *build_call_request)
    time_machine.move_to(timezone.now() + LEASE * 2)
    after_the_lease = send(client, *build_call_request)
    later = send(client, *build_call_request)

    for again in (at_once, after_the_lease, later):
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again[REPLAYED] == "true"
    assert IdempotencyKey.objects.get().state == "done"
    assert effects() == before


def test_retry_after_a_crash_without_effect_waits_for_the_lease(
    client, bowl, dying, time_machine, monkeypatch
):
    with dying(), monkeypatch.context() as patch:
        patch.setattr("carts.api.order_create", lambda **asked: raise_(SystemExit))
        with pytest.raises(SystemExit):
            send(client, "/orders/", order_body(bowl))
    problem(send(client, "/orders/", order_body(bowl)), 409, "idempotency_key_in_use")
    time_machine.move_to(timezone.now() + LEASE + timedelta(seconds=1))

    answer = send(client, "/orders/", order_body(bowl))

    assert answer.status_code == 201
    assert REPLAYED not in answer
    assert Order.objects.count() == 1


def raise_(error):
    raise error


def test_process_that_lost_its_lease_does_not_commit(client, bowl, monkeypatch):
    """It slept so long that another attempt has taken over: none of its work may be committed."""

    def sleepy(*args, **asked):
        placed = place(*args, **asked)
        IdempotencyKey.objects.update(lease_until=timezone.now() + LEASE * 2)
        return placed

    before = effects()
    monkeypatch.setattr("carts.checkout.place", sleepy)

    problem(send(client, "/orders/", order_body(bowl)), 409, "idempotency_key_in_use")

    assert effects() == before


def test_failure_after_the_effect_is_answered_from_the_effect(client, bowl, monkeypatch):
    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("carts.api.created_order", lambda done, store: raise_(RuntimeError("bug")))
        problem(send(client, "/orders/", order_body(bowl)), 500)

    again = send(client, "/orders/", order_body(bowl))

    assert (again.status_code, again.json()["id"]) == (201, str(Order.objects.get().pk))
    assert Product.objects.get().stock == 9


def test_answer_is_sent_even_if_it_cannot_be_stored(client, bowl, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(idempotency_api, "key_store", lambda row, **answer: raise_(DatabaseError))
        first = send(client, "/orders/", order_body(bowl))

    assert first.status_code == 201
    assert send(client, "/orders/", order_body(bowl)).content == first.content
    assert Order.objects.count() == 1


# ---- credentials -----------------------------------------------------------------------------------------------


def stored() -> str:
    return str(list(IdempotencyKey.objects.values()))


@pytest.mark.parametrize("method", [None, "check"])
def test_order_token_is_not_stored_and_is_created_again(client, bowl, method):
    body = order_body(bowl, **({"payment_method": method} if method else {}))
    first = send(client, "/orders/", body).json()

    again = send(client, "/orders/", body).json()

    assert again["access_token"] == first["access_token"] == Order.objects.get().access_token
    assert first["access_token"] not in stored()
    assert first["order_number"] in stored()


@pytest.mark.parametrize("method", [None, "bank_transfer"])
def test_revoked_link_gets_no_stored_answer(api, staff, bowl, method):
    body = order_body(bowl, customer_email="a@example.test", **({"payment_method": method} if method else {}))
    guest = api()
    made = send(guest, "/orders/", body).json()
    order_links_revoke(order_id=made["id"], actor=staff)

    answer = send(guest, "/orders/", body)

    problem(answer, 410, "gone")
    assert Order.objects.count() == 1


def test_revoked_link_gets_no_stored_answer_about_a_payment(api, staff, bowl):
    made = api().post("/orders/", order_body(bowl, customer_email="a@example.test")).json()
    holder = api()
    holder.credentials(HTTP_X_ORDER_TOKEN=made["access_token"])
    body = {"order_id": made["id"], "payment_method": "bank_transfer"}
    assert send(holder, "/payments/intents", body).status_code == 201
    order_links_revoke(order_id=made["id"], actor=staff)

    problem(send(holder, "/payments/intents", body), 404, "not_found")


@pytest.mark.parametrize("filled", [False, True])
def test_new_guest_gets_another_cart_since_the_token_is_not_stored(api, bowl, filled):
    body = {"items": [{"product_id": str(bowl.pk)}]} if filled else {}

    one, other = (send(api(), "/carts/", body).json() for _ in range(2))

    assert one["id"] != other["id"]
    assert other["token"]
    assert one["token"] not in stored()
    assert api(cart=one["token"]).get(f"/carts/{one['id']}").status_code == 200


def test_access_token_is_issued_anew_and_not_stored(api, shopper):
    right = {"email": shopper.email, "password": PASSWORD}

    one, other = (send(api(), "/auth/token", right) for _ in range(2))

    assert one.status_code == other.status_code == 200
    assert one.json()["token"] != other.json()["token"]
    assert AuthToken.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


def test_repeated_registration_is_answered_only_with_the_right_password(api, dying):
    body = {"email": "new@example.test", "password": "tall-giraffe-9", "name": "Noor"}
    with dying():
        first = send(api(), "/auth/register", body)

    again = send(api(), "/auth/register", body)

    assert (first.status_code, again.content) == (201, first.content)
    problem(send(api(), "/auth/register", body | {"password": "tall-giraffe-8"}), 422)
    assert User.objects.count() == 1
    assert "tall-giraffe" not in stored()


# ---- cost ------------------------------------------------------------------------------------------------------


def test_key_costs_three_statements(client, build_call_request):
    path, body = build_call_request
    assert not IdempotencyKey.objects.exists()

    answer, sql = counted(lambda: send(client, path, body))

    ours = [statement for statement in sql if "core_idempotencykey" in statement]
    assert answer.status_code == 201
    assert len(ours) <= 3, ours
    _, sql = counted(lambda: send(client, path, body))
    assert len([statement for statement in sql if "core_idempotencykey" in statement]) == 2
    _, sql = counted(lambda: client.post(path, body))
    assert not [statement for statement in sql if "core_idempotencykey" in statement]


def test_cart_that_is_ordered_in_this_moment_is_replaced_by_a_new_one(client, bowl, monkeypatch):
    old = client.post("/carts/").json()["id"]
    Cart.objects.filter(pk=old).update(status="MERGED")
    opened = carts_api.cart_open

    def open_too_early(principal):
        monkeypatch.setattr(carts_api, "cart_open", opened)
        return OpenedCart(Cart.objects.get(pk=old), "", is_new=False)

    monkeypatch.setattr(carts_api, "cart_open", open_too_early)

    answer = client.post("/carts/", {"items": [{"product_id": str(bowl.pk)}]})

    assert answer.status_code == 201
    assert answer.json()["id"] != old
    assert len(answer.json()["items"]) == 1
