"""Hostile clients: always a refusal in the common shape, and nothing changed (catalogue C)."""

import json

import pytest
from django.db import OperationalError, connection

from artisans.accounts.tests.sign_in import api_client
from artisans.core.api.parsers import MAX_BODY
from orders.tests.factories import place
from tests import rows
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cart")]


@pytest.fixture
def client(api, shopper):
    return api(shopper)


@pytest.fixture(scope="module")
def cart(module_db):
    bowl, client = rows.bowl(), api_client(rows.shopper())
    return client.post("/carts/", {"items": [{"product_id": str(bowl.pk), "quantity": 1}]}).json()


@pytest.fixture
def refuses(client):
    """Send a request; it must be refused in the common shape and leave every row unchanged."""

    def send(method: str, address: str, body: object = None, status: int = 400, **kwargs):
        before = dump()
        answer = getattr(client, method)(address, body, **kwargs)
        assert dump() == before
        return problem(answer, status)

    return send


QUANTITIES = [
    0,
    -1,
    100,
    10**9,
    2**63,
    "-1",
    "+1",
    " 1",
    "1 ",
    "1.0",
    1.5,
    "1e1",
    "0x1",
    "１",
    "",
    None,
    True,
    [1],
    {"a": 1},
    "1_0",
    "٣",
]


@pytest.mark.parametrize("quantity", QUANTITIES, ids=repr)
def test_quantity_is_a_whole_number_from_1_to_99(refuses, cart, bowl, quantity):
    body = refuses(
        "post", f"/carts/{cart['id']}/items", {"product_id": str(bowl.pk), "quantity": quantity}, 400
    )

    assert [error["pointer"] for error in body["errors"]] == ["/quantity"]


@pytest.mark.parametrize("quantity", [q for q in QUANTITIES if q != 0], ids=repr)
def test_quantity_of_an_item_is_validated_the_same_way(refuses, cart, quantity):
    refuses("patch", f"/carts/{cart['id']}/items/{cart['items'][0]['id']}", {"quantity": quantity}, 400)


@pytest.mark.parametrize("quantity", [1, "1", "01"])
def test_quantity_as_a_string_of_digits_is_accepted(client, cart, bowl, quantity):
    answer = client.post(f"/carts/{cart['id']}/items", {"product_id": str(bowl.pk), "quantity": quantity})

    assert answer.json()["items"][0]["quantity"] == 2


@pytest.mark.parametrize(
    "product",
    [
        None,
        1,
        "",
        "x",
        "' OR 1=1 --",
        "00000000-0000-0000-0000-000000000000",
        "../../x",
        "\x00",
        [],
        {},
        "9" * 5000,
    ],
)
def test_invalid_product_is_refused(refuses, cart, product):
    refuses("post", f"/carts/{cart['id']}/items", {"product_id": product, "quantity": 1}, 400)


@pytest.mark.parametrize(
    "body", [[], {}, None, 1, "x", [1], [[]], [None], [{}] * 101, {"items": []}], ids=lambda b: repr(b)[:20]
)
def test_body_of_the_wrong_shape_is_refused(refuses, cart, body):
    refuses("post", f"/carts/{cart['id']}/items", json.dumps(body), 400, content_type="application/json")


RAW = {
    "key twice": '{"product_id":"%s","quantity":1,"quantity":99}',
    "NaN": '{"product_id":"%s","quantity":NaN}',
    "5000 digits": '{"product_id":"%s","quantity":' + "9" * 5000 + "}",
    "exponent": '{"product_id":"%s","quantity":1e0}',
    "surrogate": '{"product_id":"%s","quantity":"\\ud800"}',
    "deep": '{"product_id":"%s","quantity":' + "[" * 5000 + "]" * 5000 + "}",
    "10 000 keys": '{"product_id":"%s",' + ",".join(f'"k{i}":1' for i in range(4000)) + "}",
    "half": '{"product_id":"%s","quantity":',
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
def test_malformed_json_is_refused(refuses, cart, bowl, raw):
    refuses(
        "post", f"/carts/{cart['id']}/items", raw.replace("%s", str(bowl.pk)), content_type="application/json"
    )


@pytest.mark.parametrize("size", [MAX_BODY + 1, 1_000_000, 10_000_000])
def test_large_body_is_refused(refuses, cart, size):
    body = refuses(
        "post", f"/carts/{cart['id']}/items", b'"' + b"a" * size + b'"', 413, content_type="application/json"
    )

    assert body["code"] == "body_too_large"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/xml",
        "text/html",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "x",
    ],
)
def test_other_media_types_are_refused(refuses, cart, bowl, kind):
    raw = json.dumps({"product_id": str(bowl.pk), "quantity": 1})

    refuses("post", f"/carts/{cart['id']}/items", raw, 415, content_type=kind)


def test_empty_body_is_refused_with_pointers(refuses, cart):
    for address in (
        f"/carts/{cart['id']}/items",
        f"/carts/{cart['id']}/checkout",
        "/orders/",
        "/payments/intents",
    ):
        body = refuses("post", address, "", 400, content_type="application/json")
        assert body["errors"], address


def test_fields_in_the_query_string_are_refused(refuses, cart, bowl):
    """A field in the query string neither replaces nor repeats one in the body: it is refused."""
    address = f"/carts/{cart['id']}/items?quantity=5&product_id={bowl.pk}"

    body = refuses("post", address, {"product_id": str(bowl.pk), "quantity": 1}, 400)

    assert [error["pointer"] for error in body["errors"]] == ["/product_id", "/quantity"]


@pytest.mark.parametrize(
    "extra",
    ["price", "unit_price", "user", "total", "status", "id", "__proto__", "constructor", "\x00", "a" * 9999],
)
def test_unknown_fields_are_refused(refuses, cart, bowl, extra):
    refuses("post", f"/carts/{cart['id']}/items", {"product_id": str(bowl.pk), "quantity": 1, extra: 1}, 400)
    refuses(
        "post",
        "/orders/",
        {"shipping_address": "x", "order_items": [{"product_id": str(bowl.pk), extra: 1}]},
        400,
    )


IDS = [
    "1",
    "0",
    "-1",
    "x",
    "%00",
    "..%2f..",
    "' OR 1=1 --",
    "{id}",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "null",
    "a" * 3000,
    "％",
]


@pytest.mark.parametrize(
    "address", ["/orders/{}", "/carts/{}", "/payments/{}", "/carts/{}/checkout/validate", "/products/{}"]
)
@pytest.mark.parametrize("key", IDS)
def test_malformed_id_is_a_json_404(refuses, address, key):
    refuses("get", address.format(key), status=404)


@pytest.mark.parametrize(
    "address",
    [
        "/orders/x/y",
        "/payments/webhooks/none",
        "/carts/1/2/3",
        "/auth/",
        "/auth/none",
        "/artisans/x/y",
        "/products/%00",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_unknown_path_below_the_api_is_a_json_404(refuses, address, method):
    refuses(method, address, status=404)


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", "/carts/"),
        ("delete", "/orders/"),
        ("put", "/payments/intents"),
        ("get", "/auth/token"),
        ("post", "/products/"),
        ("delete", "/auth/me"),
        ("trace", "/orders/"),
    ],
)
def test_wrong_method_is_a_405_with_an_allow_header(client, method, address):
    answer = getattr(client, method)(address)

    problem(answer, 405, "method_not_allowed")
    assert answer["Allow"]


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_method_cannot_be_overridden(client, cart, header):
    before = dump()

    client.post(f"/carts/{cart['id']}/items/{cart['items'][0]['id']}", {}, headers={header: "DELETE"})

    assert dump() == before


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/json; q=0", 200),
        ("text/html", 406),
        ("application/xml", 406),
        ("", 406),
        ("x", 406),
    ],
)
def test_answers_are_json_whatever_the_accept_header(client, cart, accept, status):
    answer = client.get(f"/carts/{cart['id']}", headers={"Accept": accept})

    assert answer.status_code == status
    assert "json" in answer["Content-Type"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("ordering=user__password", 400),
        ("user=1", 400),
        ("expand=user.user", 400),
        ("status=x' OR 1=1", 400),
        ("limit=%00", 400),
        ("format=xml", 404),
        ("cursor=%00", 400),
    ],
)
def test_meaningless_query_is_refused(client, query, status, shopper):
    place(user=shopper)

    answer = client.get(f"/orders/?{query}")

    assert answer.status_code == status
    assert "json" in answer["Content-Type"]


TEXTS = [
    "<script>alert(1)</script>",
    "{{7*7}}",
    "{% debug %}",
    "${7*7}",
    "%s%n%d",
    "=1+1",
    "'; DROP TABLE x; --",
    "🫖 ＡＢＣ",
    "\u202eevil",  # the direction mark could disguise the text and is dropped
]


@pytest.mark.parametrize("text", TEXTS)
def test_unusual_text_is_stored_as_text(client, bowl, text):
    wanted = {"shipping_address": text, "note": text, "order_items": [{"product_id": str(bowl.pk)}]}

    body = client.post("/orders/", wanted).json()

    assert body["shipping_address"] == text.removeprefix("\u202e")


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[31m", "a\x08", "\x7f", "x" * 601, "\ud800"])
def test_unprintable_text_is_refused(refuses, bowl, text):
    raw = json.dumps({"shipping_address": text, "order_items": [{"product_id": str(bowl.pk)}]})

    refuses("post", "/orders/", raw, 400, content_type="application/json")


def test_text_is_normalized_before_storing(client, bowl):
    wanted = {"shipping_address": "Cafe\u0301 Road", "order_items": [{"product_id": str(bowl.pk)}]}

    assert client.post("/orders/", wanted).json()["shipping_address"] == "Café Road"


@pytest.mark.parametrize("given", ["abc-DEF_123.x", "x" * 64])
def test_request_id_of_the_client_is_kept(client, given):
    assert client.get("/orders/", headers={"X-Request-Id": given})["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "a b c d e f", "abc\tdefghi", "ééééééééé", "<script>alert"]
)
def test_invalid_request_id_is_replaced(client, given):
    made = client.get("/orders/", headers={"X-Request-Id": given})["X-Request-Id"]

    assert made != given
    assert len(made) == 32


def test_database_failure_is_a_503_that_can_be_retried(client, cart, monkeypatch):
    def broken(*args: object, **kwargs: object):
        raise OperationalError("could not connect to server: secret-host")

    monkeypatch.setattr(connection, "cursor", broken)

    answer = client.get(f"/carts/{cart['id']}")
    monkeypatch.undo()

    body = problem(answer, 503)
    assert answer["Retry-After"]
    assert "secret-host" not in json.dumps(body)


def test_crash_of_an_api_view_is_a_500_without_internals(client, cart, monkeypatch):
    def crash(*args: object):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("carts.api.CartViewSet.retrieve", crash)
    client.raise_request_exception = False

    answer = client.get(f"/carts/{cart['id']}")

    assert problem(answer, 500)["code"] == "server_error"
    assert b"secret" not in answer.content
