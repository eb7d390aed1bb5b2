"""Every request body of every operation, corrupted in each known way, is refused and changes nothing (case C).

Made from the API's description, so that a new operation is covered the day it is described.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings

from artisans.accounts.models import Role, Scope, User
from artisans.accounts.tests.factories import UserFactory
from artisans.accounts.tests.sign_in import api_client
from artisans.catalog import profile
from artisans.catalog.models import Artisan, ProductPrice
from artisans.catalog.product_versions import version_of
from artisans.catalog.schemas import PRODUCT_ID, VARIANT_ID
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.catalog.tests.pictures import ready_picture
from artisans.core.api.parsers import MAX_BODY
from artisans.regions.models import ShopCurrency
from artisans.shipping.models import ShippingMethod, ShippingZone
from artisans.shipping.tests.factories import shipping_method
from artisans.site.docs.document import document
from artisans.site.docs.reference import resolved
from artisans.workshop.schemas_products import PRICES_VERSION, VERSION
from artisans.workshop.schemas_profile import PROFILE_VERSION
from artisans.workshop.schemas_shipping import ZONE_ID
from orders.schemas import ORDER_ID
from payments.api.schemas import PAYMENT_ID
from payments.gateway.payments import payment_ensure_at_provider
from payments.methods import PaymentMethod
from payments.tests.factories import paid_by_card, start
from payments.webhooks import schema
from tests import rows
from tests.dump import counts
from tests.problems import problem

pytestmark = pytest.mark.django_db

SIGNED = {
    schema.PATH
}  # signed messages are stored, and unusual ones wait for staff: payments/tests/test_webhook_endpoint.py
WITH_BODY = [
    (method, path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {}) and path not in SIGNED
]
NAMES = [operation["operationId"] for _, _, operation in WITH_BODY]
every_body = pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY, ids=NAMES)
before_the_database = pytest.mark.once  # the parser or the serializer refuses it by its form
Send = Callable[..., Any]
FIGURES = {
    "amount",
    "price",
    "tax_rate",
    "shipping_cost",
    "received_amount",
    "min_goods",
}  # may be JSON numbers


def example_of(operation: dict[str, Any]) -> Any:
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    return copy.deepcopy(resolved(next(iter(examples.values())))["value"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """All leaves of a body."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))
    else:
        yield path, value


def with_value(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    spoilt = copy.deepcopy(body)
    target = spoilt
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return spoilt


@pytest.fixture(scope="module")
def send(module_db, module_stripe) -> Iterator[Send]:
    """`send(method, path, raw)`: by a user with every permission, about existing objects."""
    with override_settings(RATE_LIMIT_FACTOR=10_000, MAX_OPEN_ORDERS=10_000, MAX_HELD_OF_PRODUCT=10_000):
        yield sender(module_stripe)


def method_of_artisan(artisan: Artisan) -> ShippingMethod:
    """It costs what the shop's own method costs, so that the totals in examples stay true."""
    return shipping_method(ShippingZone.objects.get(), "Bike", (0, 0, 599), artisan=artisan)


def sender(stripe: Any) -> Send:
    rows.store()
    admin_user, shopper = rows.superuser(), rows.shopper()
    User.objects.filter(pk=admin_user.pk).update(role=Role.ARTISAN)  # a superuser, too
    admin_user.refresh_from_db()
    account("sam@example.com")
    own = ProductFactory.create(artisan=ArtisanFactory.create(user=admin_user), stock=50)
    draft = ProductFactory.create(artisan=own.artisan, category__slug="ceramics", stock=0, is_active=False)
    ShopCurrency.objects.create(code="JPY")
    ProductPrice.objects.create(product=own, currency="JPY", price_minor=12_800)
    payment = start(PaymentMethod.CHECK, {own: 1}, user=shopper)
    parcel = start(PaymentMethod.CASH_ON_DELIVERY, {own: 1}, user=shopper).order.parcels.get()
    client = api_client(admin_user)
    cart = client.post("/carts/", {"items": [{"product_id": str(own.pk)}]}).json()
    order = start(items={own: 1}, user=admin_user).order
    paid = paid_by_card(stripe, {own: 1}, user=shopper)
    unpaid = payment_ensure_at_provider(start(PaymentMethod.CREDIT_CARD, {own: 1}, user=admin_user)).payment
    named = {
        str(ZONE_ID): ShippingZone.objects.get().pk,
        PRODUCT_ID: own.pk,
        VERSION: version_of(draft),
        PRICES_VERSION: "",  # it has no prices yet
        VARIANT_ID: draft.pk,
        PROFILE_VERSION: profile.version_of(own.artisan),
        ORDER_ID: order.pk,
        PAYMENT_ID: paid.pk,
        "pi_1234567890": unpaid.provider_payment_id,
        "pm_1234567890": "pm_card_visa",
    }
    saved = client.post(
        "/payments/methods", {"provider": "stripe", "provider_method_id": "pm_card_mastercard"}
    ).json()
    keys = {
        "carts": cart["id"],
        "orders": str(order.pk),
        "payments": str(payment.pk),
        "parcels": str(parcel.pk),
        "artisan": str(own.pk),
        "products": str(draft.pk),
        "pictures": str(ready_picture(draft).pk),
        "product_id": str(draft.pk),
        "methods": saved["id"],
        "item_id": cart["items"][0]["id"],
        "number": "1",
        "method_id": str(method_of_artisan(own.artisan).pk),
    }
    applying = api_client(rows.applying().artisan.user)
    assert set(client.get("/auth/tokens").json()["results"][0]["scopes"]) == set(Scope)

    def call(method: str, path: str, raw: bytes, kind: str = "application/json") -> Any:
        sections = {
            "/payments/methods/": "methods",
            "/artisan/products/{product_id}/pictures/": "pictures",
            "/artisan/products/": "products",
        }
        found = [section for start, section in sections.items() if path.startswith(start)]
        section = found[0] if found else path.split("/")[1]
        address = path.replace("{id}", keys.get(section, keys["orders"]))
        for name in ("item_id", "number", "product_id", "method_id"):
            address = address.replace(f"{{{name}}}", keys[name])
        for known, real in named.items():
            raw = raw.replace(known.encode(), str(real).encode())
        is_applying = path.startswith(("/artisan/application", "/artisan/terms"))
        sends = applying if is_applying else client
        return sends.generic(method.upper(), address, raw, content_type=kind)

    return call


@pytest.fixture
def refuses(send) -> Callable[..., None]:
    def check(
        method: str,
        path: str,
        raw: bytes,
        status: int | tuple[int, ...] = 400,
        kind: str = "application/json",
    ) -> None:
        before = counts()
        answer = send(method, path, raw, kind)
        problem(answer, status)
        assert counts() == before

    return check


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode()


def account(email: str) -> None:
    """With the password of the examples."""
    UserFactory.create(email=email, password="clay-and-kiln-7")


@every_body
def test_example_body_is_accepted(send, method, path, operation):
    """So that the others of this module are refused for what is wrong with them, not for something else."""
    body = example_of(operation)
    if path == "/auth/register":
        body["email"] = "new@example.com"
    if path.rpartition("/")[2] in {"deliver", "returned", "{number}"}:
        assert send("post", "/parcels/{id}/ship", b'{"carrier": "x"}').status_code == 200

    answer = send(method, path, dumped(body))

    assert 200 <= answer.status_code < 300, answer.content


@before_the_database
@every_body
def test_body_that_is_not_json_is_refused(refuses, method, path, operation):
    body = example_of(operation)
    text = dumped(body)
    for raw in (
        b"{",
        b'{"a":1,}',
        b"\xff\xfe",
        text[:-1],
        text.replace(b'"', b"'") if b'"' in text else b"'",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e5}',
        b'{"a": "\xc3\x28"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1, "a": 1}',
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b"[" * MAX_BODY,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ):
        refuses(method, path, raw)


@before_the_database
@every_body
def test_body_of_another_media_type_is_refused(refuses, method, path, operation):
    text = dumped(example_of(operation))
    for kind in (
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "x",
    ):
        refuses(method, path, text, 415, kind)
    for raw in (b"1", b'"x"', b"null", b"true", b"[1]", b"[[]]", b"[null]"):
        refuses(method, path, raw)


@before_the_database
@every_body
def test_too_large_body_is_refused(refuses, method, path, operation):
    body = example_of(operation)
    for size in (MAX_BODY + 1, 10 * 1024 * 1024):
        padding = b" " * size
        refuses(method, path, dumped(body) + padding, 413)
        refuses(method, path, b'{"' + b"x" * size + b'": 1}', 413)


@before_the_database
@every_body
def test_unknown_or_duplicate_field_is_refused(refuses, method, path, operation):
    body = example_of(operation)
    for name in ("zebra", "id", "user", "total", "status", "__proto__", "a" * 9000, "\x00"):
        if not isinstance(body, dict) or name not in body:
            target = body[0] if isinstance(body, list) else body
            refuses(method, path, dumped({**target, name: 1}))
    if body:
        key, value = next(iter(body.items()))
        twice = f"{json.dumps(key)}: {json.dumps(value)}".encode()
        refuses(method, path, b"{" + twice + b"," + twice + b"," + dumped(body)[1:])


@every_body
def test_control_characters_and_wrong_types_are_refused_in_every_field(refuses, method, path, operation):
    body = example_of(operation)
    if path == "/auth/register":
        body["email"] = "new@example.com"
    for place, value in places(body):
        spoilt: list[Any] = [{}, [[]], {"a": 1}]
        if isinstance(value, str):
            spoilt += [f"{value}\x00", f"\x1b[31m{value}", "\x7f", True, 1.5]
        elif isinstance(value, bool):
            spoilt += ["true", "yes", 1, 0, None]
        elif isinstance(value, int):
            spoilt += ["１", " 1", "1_0", "+1", "0x1", "", "1e1", 1.5, True, 2**63, -1, None]
        for wrong in spoilt:
            if takes(operation, place, wrong):
                continue
            refuses(method, path, dumped(with_value(body, place, wrong)))


def takes(operation: dict[str, Any], place: tuple[Any, ...], value: Any) -> bool:
    """Whether this strange value is fine here: figures may be JSON numbers, and what is in stock has no lead time."""
    name = re.sub(r"\W", "", str(place[-1]))
    if name in FIGURES:
        return isinstance(value, float) or (value is None and removes_price(operation))
    if name == "lead_days":
        return value is None
    return False


def removes_price(operation: dict[str, Any]) -> bool:
    """Whether a price of null says that the product is not sold in that currency."""
    return operation["operationId"] == "own_prices_change"


@every_body
def test_numbers_in_other_formats_are_refused(refuses, method, path, operation):
    body = example_of(operation)
    for place, _ in places(body):
        if place[-1] not in FIGURES:
            continue
        for wrong in (
            "",
            "-1",
            "+1",
            "1,5",
            "1e2",
            "１.５",
            " 1",
            "0x1",
            "1_0",
            "9" * 20,
            "1.123456789",
            "NaN",
            *([] if removes_price(operation) else [None]),
            True,
        ):
            refuses(method, path, dumped(with_value(body, place, wrong)))
        raw = dumped(with_value(body, place, "FIGURE"))
        for literal in (b"1e2", b"-1", b"NaN", b"1E+400", b"0.1e1"):
            refuses(method, path, raw.replace(b'"FIGURE"', literal))
