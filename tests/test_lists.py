"""Every list of the API: pages that neither miss nor repeat, filters, and refusal of what they do not know."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.utils import timezone

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.core.api.fields import utc
from artisans.site.docs.document import document
from orders.models import Order
from orders.services.settlement import order_release
from orders.tests.factories import place
from payments.methods import PaymentMethod
from payments.tests.factories import record, start
from payments.webhooks import schema
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

LISTS = ["/products/", "/artisans/", "/orders/", "/payments/", "/parcels/"]
OPERATIONS = [
    (method, path)
    for path, methods in document()["paths"].items()
    for method in methods
    if method != "delete" and path != schema.PATH
]


@pytest.fixture
def add(shopper, bowl, seller):
    """`add()`: one more row in every list of LISTS, for the shopper or the seller."""
    Product.objects.filter(pk=bowl.pk).update(stock=500)

    def one_more() -> None:
        order = start(items={bowl: 1}, user=shopper).order
        order_release(place({bowl: 1}, user=shopper), cause="test", collect_cash=True)
        ProductFactory.create(artisan=ArtisanFactory.create())
        assert order

    return one_more


@pytest.fixture
def client(api, shopper, seller):
    return lambda address: api(seller if address == "/parcels/" else shopper)


def walked(client, address: str, *, between=lambda: None, way: str = "next") -> list[str]:
    """The ids of all pages from here on."""
    seen: list[str] = []
    url: str | None = address
    while url:
        body = client.get(url).json()
        seen += [row["id"] for row in body["results"]]
        url = body[way]
        between()
    return seen


@pytest.mark.parametrize("address", LISTS)
def test_pages_skip_and_repeat_nothing_while_rows_are_added(client, add, address, subtests):
    for _ in range(5):
        add()
    reader = client(address)
    for ordering in ("", "&ordering=created", "&ordering=-created"):
        old = walked(reader, f"{address}?limit=100{ordering}")
        left = iter(range(3))  # a list that is read oldest first goes on as long as it grows

        seen = walked(
            reader,
            f"{address}?limit=3{ordering}",
            between=lambda left=left: add() if next(left, None) is not None else None,
        )

        with subtests.test(ordering):
            assert len(seen) == len(set(seen))
            assert [key for key in seen if key in set(old)] == old
            if ordering == "&ordering=created":
                assert len(seen) > len(old)


@pytest.mark.parametrize("address", LISTS)
def test_previous_links_lead_back_through_the_same_pages(client, add, address):
    for _ in range(4):
        add()
    reader = client(address)
    first = reader.get(f"{address}?limit=2").json()
    second = reader.get(first["next"]).json()

    assert reader.get(second["previous"]).json()["results"] == first["results"]
    assert first["previous"] is None


@pytest.mark.parametrize("address", LISTS)
def test_next_keeps_filters_and_limit(client, add, address):
    for _ in range(3):
        add()
    name = "released__gte" if address == "/parcels/" else "created__gte"

    body = client(address).get(f"{address}?limit=1&{name}=2020-01-01T00:00:00Z").json()

    asked = parse_qs(urlsplit(body["next"]).query)
    assert (asked["limit"], asked[name]) == (["1"], ["2020-01-01T00:00:00Z"])


@pytest.mark.parametrize("address", [address for address in LISTS if address != "/parcels/"])
def test_time_filters_take_both_ends(client, add, address):
    add()
    reader = client(address)
    middle = quote(timezone.now().isoformat().replace("+00:00", "Z"))
    before = set(walked(reader, address))
    add()

    assert set(walked(reader, f"{address}?created__lte={middle}")) == before
    assert not before & set(walked(reader, f"{address}?created__gte={middle}"))
    assert walked(reader, f"{address}?created__gte={middle}")


TIMES = [
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-01-01 00:00:00Z",
    "yesterday",
    "2026-13-01T00:00:00Z",
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:59-14:00",
    "２０２６-01-01T00:00:00Z",
    "1e9",
    "%00",
]


@pytest.mark.parametrize("moment", TIMES)
@pytest.mark.parametrize("address", ["/orders/", "/products/"])
def test_invalid_time_is_refused(client, address, moment):
    body = problem(client(address).get(f"{address}?created__gte={moment}"), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == ["/created__gte"]


def test_orders_are_filtered(api, shopper, seller, other_seller, bowl, scarf, staff):
    paid = start(items={bowl: 1}, user=shopper)
    record(paid, "99.99", actor=staff)
    open_one = start(items={scarf: 1}, user=shopper).order
    client = api(shopper)

    def ids(query: str) -> list[str]:
        return walked(client, f"/orders/?{query}")

    assert ids("status=CONFIRMED") == [str(paid.order_id)]
    assert ids("payment_status=UNPAID") == [str(open_one.pk)]
    assert ids(f"order_number={open_one.order_number}") == [str(open_one.pk)]
    assert ids(f"artisan={seller.artisan.pk}") == [str(paid.order_id)]
    assert ids(f"artisan={seller.artisan.pk}&status=PENDING") == []
    assert ids(f"created__gte={utc(timezone.now() + timedelta(days=1))}") == []


def test_payments_are_filtered(api, shopper, bowl):
    check = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    transfer = start(items={bowl: 1}, user=shopper)
    client = api(shopper)

    def ids(query: str) -> list[str]:
        return walked(client, f"/payments/?{query}")

    assert ids(f"order={check.order_id}") == [str(check.pk)]
    assert ids("payment_method=bank_transfer") == [str(transfer.pk)]
    assert ids("payment_provider=stripe") == []
    assert len(ids("status=PENDING")) == 2
    assert ids("status=FAILED") == []


def test_filter_by_another_users_order_finds_nothing(api, stranger, shopper, bowl):
    foreign = start(items={bowl: 1}, user=shopper)

    assert walked(api(stranger), f"/payments/?order={foreign.order_id}") == []


def test_products_are_filtered(api, bowl, scarf):
    Product.objects.filter(pk=scarf.pk).update(stock=0)

    def ids(query: str) -> list[str]:
        return walked(api(), f"/products/?{query}")

    assert ids(f"artisan={bowl.artisan_id}") == [str(bowl.pk)]
    assert ids("in_stock=true") == [str(bowl.pk)]
    assert ids("in_stock=false") == [str(scarf.pk)]
    assert ids(f"category={bowl.category.slug}&artisan={scarf.artisan_id}") in ([], [str(scarf.pk)])
    assert walked(api(), f"/artisans/?town={bowl.artisan.town.upper()}")
    assert walked(api(), "/artisans/?craft=none") == []


@pytest.mark.parametrize(
    "query",
    [
        "status=",
        "artisan=",
        "status=LOST",
        "status=pending",
        "payment_status=x",
        "artisan=1",
        "artisan=%00",
        "order_number=%00",
    ],
)
def test_invalid_filter_value_is_refused(api, shopper, query):
    body = problem(api(shopper).get(f"/orders/?{query}"), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == [f"/{query.partition('=')[0]}"]


@pytest.mark.parametrize("value", ["AAA", "True", "1", "yes", ""])
def test_flag_is_true_or_false(api, value):
    body = problem(api().get(f"/products/?in_stock={value}"), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == ["/in_stock"]


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize(
    "ordering", ["user__password", "-user__password", "price", "?", "created,id", "", "created_at", "%00"]
)
def test_ordering_is_one_of_two(client, address, ordering):
    body = problem(client(address).get(f"{address}?ordering={ordering}"), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == ["/ordering"]


@pytest.mark.parametrize("limit", [10**9, 10**18, 101])
def test_limit_is_capped_at_a_hundred(api, limit, bowl):
    for _ in range(100):
        ProductFactory.create(artisan=bowl.artisan)

    assert len(api().get(f"/products/?limit={limit}").json()["results"]) == 100


# ---- unknown parameters (A19) --------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{m} {p}" for m, p in OPERATIONS])
def test_unknown_parameters_are_refused_and_named(api, admin_user, method, path):
    address = re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", path)

    answer = getattr(api(admin_user), method)(f"{address}?page_size=5&zebra=1")

    body = problem(answer, 400, "validation_error")
    assert [(error["pointer"], error["code"]) for error in body["errors"]] == [
        ("/page_size", "unknown"),
        ("/zebra", "unknown"),
    ]


def test_duplicate_parameter_is_refused(api):
    body = problem(api().get("/products/?limit=1&limit=2"), 400, "validation_error")

    assert [(error["pointer"], error["code"]) for error in body["errors"]] == [("/limit", "repeated")]


@pytest.mark.parametrize(
    "address", ["/orders", "/orders/", "/payments", "/parcels", "/products", "/artisans"]
)
def test_list_works_with_and_without_a_slash(api, shopper, address):
    assert api(shopper).get(address).status_code == 200


def test_order_placed_by_another_user_is_in_no_list(api, stranger, shopper, bowl):
    start(items={bowl: 1}, user=shopper)

    assert walked(api(stranger), "/orders/?limit=100") == []
    assert Order.objects.count() == 1
