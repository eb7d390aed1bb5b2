"""Filters of the shop's list and of the API's, and the tree of categories."""

from contextlib import nullcontext
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from artisans.catalog.models import Category
from artisans.catalog.selectors import materials_offered, narrowed, products_found, products_listed
from artisans.catalog.tests.factories import CategoryFactory, ProductFactory
from tests.html import page

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> dict[str, Category]:
    """Home / Lamps / Lanterns, and Paper."""
    home = CategoryFactory.create(slug="home", name="Home")
    lamps = CategoryFactory.create(slug="lamps", name="Lamps", parent=home)
    lanterns = CategoryFactory.create(slug="lanterns", name="Lanterns", parent=lamps)
    return {
        "home": home,
        "lamps": lamps,
        "lanterns": lanterns,
        "paper": CategoryFactory.create(slug="paper", name="Paper"),
    }


def found(**filters) -> set[str]:
    return {product.name for product in narrowed(products_listed(), **filters)}


def titles(client, **query) -> list[str]:
    return [heading.text for heading in page(client.get("/", query)).one("main").all("h3")]


def test_filters_apply_together_and_to_one_variant():
    ProductFactory.create(name="Board", price_minor=2500, materials="Walnut, linseed oil")
    ProductFactory.create(name="Sold out", price_minor=2500, stock=0)
    ProductFactory.create(name="Bowl", price_minor=250, currency="JPY", materials="Stoneware")
    ProductFactory.create(
        name="On holiday", price_minor=2500, artisan__back_on=timezone.localdate().replace(year=9999)
    )
    mug = ProductFactory.create(name="Mug", price_minor=1000, stock=0, option_1="Size")
    common = {"parent": mug, "artisan": mug.artisan}
    ProductFactory.create(name="Mug (S)", option_1="S", price_minor=1000, stock=0, **common)
    ProductFactory.create(name="Mug (L)", option_1="L", price_minor=4000, stock=1, **common)
    ProductFactory.create(name="Mug (XL)", option_1="XL", price_minor=2500, is_active=False, **common)
    low, high = Decimal(20), Decimal("25.00")

    assert found(price_min=low, price_max=high) == {"Board", "Sold out", "On holiday"}
    assert found(price_min=low, price_max=high, only_in_stock=True) == {"Board"}
    assert found(price_max=Decimal(10)) == {"Mug"}
    assert found(price_max=Decimal(10), only_in_stock=True) == set()
    assert found(price_min=Decimal(40)) == {"Mug", "Bowl"}
    assert found(price_min=Decimal("249.5"), price_max=Decimal("250.5")) == {"Bowl"}
    assert found(material="WALNUT oil") == {"Board"}
    assert found(material="walnut, stoneware") == found(material="%") == set()
    assert found(price_min=Decimal(10**12), price_max=Decimal(10**13)) == set()


def test_category_shows_what_is_in_its_parts_with_breadcrumbs_and_counts(client, tree):
    ProductFactory.create(name="Lantern", category=tree["lanterns"])
    ProductFactory.create(name="Rug", category=tree["home"], price_minor=100)
    ProductFactory.create(name="Card", category=tree["paper"])

    shown = {slug: page(client.get("/", {"category": slug})) for slug in tree}

    def texts(slug, label):
        nav = next(nav for nav in shown[slug].all("nav") if nav.attrs.get("aria-label") == label)
        return [link.text for link in nav.all("a")]

    assert titles(client, category="home") == ["Rug", "Lantern"]
    assert titles(client, category="lamps") == titles(client, category="lanterns") == ["Lantern"]
    assert texts("lanterns", "Breadcrumb") == ["Shop", "Home", "Lamps"]
    assert texts("home", "Categories") == ["All of Home", "Lamps 1 item"]
    assert texts("lanterns", "Categories") == ["All of Lamps", "Lanterns 1 item"]
    narrow = page(client.get("/", {"category": "home", "price_max": "5"}))
    assert "1 item found." in narrow.text
    assert "Lamps 0 items" in narrow.text
    product = page(client.get(reverse("catalog:product", args=[tree["lanterns"].products.get().slug])))
    assert "Shop / Home / Lamps / Lanterns" in " ".join(product.text.split())


def test_filters_stay_in_the_address_and_each_can_be_removed(client, tree):
    ProductFactory.create(name="Lantern", category=tree["lanterns"], price_minor=900, materials="Kozo paper")
    query = {
        "category": "home",
        "price_min": "5",
        "price_max": "10.50",
        "material": "paper",
        "in_stock": "on",
    }

    shown = page(client.get("/", query | {"sort": "name"}))

    assert titles(client, **query) == ["Lantern"]
    form = shown.one("form", **{"class": "filters"})
    sent = {field.attrs["name"]: field.attrs.get("value", "on") for field in form.all("input")}
    assert sent == query
    assert "checked" in form.one("input", name="in_stock").attrs
    links = [link.attrs["href"] for link in shown.one("ul", **{"aria-label": "Filters in use"}).all("a")]
    assert len(links) == 5
    for link in links:
        assert page(client.get("/" + link)).one("main").all("h3")
    assert "price_" not in links[-1]
    empty = page(client.get("/", query | {"material": "gold"}))
    assert "No items match all of these filters. Remove one of them to see more." in empty.text
    assert [heading.text for heading in empty.one("main").all("h3")] == ["Lantern"]  # what is new


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("price_min", "cheap", "Enter a price such as 25 or 25.50."),
        ("price_max", "1,000", "Enter a price such as 25 or 25.50."),
        ("price_max", "-1", "Enter a price such as 25 or 25.50."),
        ("price_max", "٣", "Enter a price such as 25 or 25.50."),
        ("price_max", "1.00", "This is less than the lowest price."),
        ("material", "x" * 61, "at most 60 characters"),
    ],
)
def test_wrong_filter_is_named_and_kept_and_the_others_apply(client, field, text, words):
    ProductFactory.create(name="Dear", price_minor=9000)
    ProductFactory.create(name="Cheap", price_minor=400)
    query = {"price_min": "5", "price_max": "100", "sort": "name"} | {field: text}

    shown = page(client.get("/", query))

    assert words in shown.text
    assert shown.one("input", name=field).attrs["value"] == text
    assert [heading.text for heading in shown.one("main").all("h3")] == (
        ["Cheap", "Dear"] if field == "price_min" else ["Dear"]
    )


def test_api_lists_with_the_same_filters(api, tree):
    ProductFactory.create(name="Lantern", category=tree["lanterns"], price_minor=2500, materials="Kozo paper")
    ProductFactory.create(name="Rug", category=tree["home"], price_minor=9000, stock=0)
    ProductFactory.create(name="Card", category=tree["paper"], price_minor=300)

    def names(query):
        return [row["name"] for row in api().get(f"/products/?{query}").json()["results"]]

    assert names("category=home") == ["Rug", "Lantern"]
    assert names("category=home&price__lte=25.00") == names("material=KOZO") == ["Lantern"]
    assert names("category=home&in_stock=false") == names("price__gte=25.01") == ["Rug"]
    assert names("category=none") == []
    for wrong in ("price__gte=x", "price__gte=1e3", "price__lte=-1", f"material={'x' * 61}"):
        assert api().get(f"/products/?{wrong}").status_code == 400, wrong


def test_materials_of_the_newest_products_are_offered():
    ProductFactory.create(materials="Walnut, linseed oil")
    ProductFactory.create(materials="walnut,Brass")
    ProductFactory.create(materials="")

    assert materials_offered(products_listed()) == ["Brass", "Linseed oil", "Walnut"]


def test_number_of_queries_does_not_grow_with_categories_or_products(client):
    query, numbers = {"category": "one", "in_stock": "on", "price_max": "100"}, []
    for count in (1, 30):
        for n in range(count):
            parent = CategoryFactory.create(slug=f"one-{count}-{n}")
            ProductFactory.create(category=CategoryFactory.create(parent=parent), option_1="")
        with CaptureQueriesContext(connection) as captured:
            client.get("/", query)
        numbers.append(len(captured))
    assert numbers[0] == numbers[1] <= 9


def change(client, category, **form):
    address = reverse("admin:catalog_category_change", args=[category.pk])
    shown = page(client.get(address))
    token = shown.one("input", name="_seen").attrs["value"]
    values = {"name": category.name, "slug": category.slug, "position": "0", "parent": ""} | form
    return page(client.post(address, values | {"_seen": token}, follow=True))


@pytest.mark.parametrize(
    ("moved", "below", "words"),
    [
        ("home", "home", "A category cannot be part of itself."),
        ("home", "lanterns", "Lanterns is part of Home. Move it out of there first."),
        ("lamps", "paper", ""),
        ("paper", "home", ""),
        ("paper", "lanterns", "Categories have at most 3 levels"),
        ("lamps", "cards", "Categories have at most 3 levels"),
    ],
)
def test_category_moves_in_the_admin_but_never_into_itself_or_too_deep(
    catalog_client, tree, moved, below, words
):
    tree["cards"] = CategoryFactory.create(slug="cards", name="Cards", parent=tree["paper"])
    category = tree[moved]
    before = category.parent_id

    shown = change(catalog_client, category, parent=str(tree[below].pk))

    category.refresh_from_db()
    assert category.parent_id == (before if words else tree[below].pk)
    assert words in shown.text


@pytest.mark.parametrize(
    ("moved", "below", "is_refused"),
    [
        ("home", "lamps", True),
        ("home", "lanterns", True),
        ("paper", "lanterns", True),
        ("paper", "lamps", True),
        ("home", "paper", True),
        ("lamps", "paper", False),
        ("cards", "lamps", False),
        ("paper", "home", False),
    ],
)
def test_database_refuses_categories_within_themselves_or_too_deep(tree, moved, below, is_refused):
    """Also from clients that do not ask `parent_refusal`."""
    tree["cards"] = CategoryFactory.create(slug="cards", name="Cards", parent=tree["paper"])
    rows = Category.objects.filter(pk=tree[moved].pk)
    refusal = pytest.raises(IntegrityError, match="at most three levels")
    with refusal if is_refused else nullcontext(), transaction.atomic():
        rows.update(parent=tree[below])
    assert rows.get().parent_id == (tree[moved].parent_id if is_refused else tree[below].pk)
    with pytest.raises(IntegrityError, match="at most three levels"), transaction.atomic():
        CategoryFactory.create(parent=Category.objects.get(slug="lanterns"))


def test_search_finds_a_product_by_the_categories_that_its_own_is_part_of(client, tree):
    ProductFactory.create(name="Kumo", category=tree["lanterns"])

    assert titles(client, q="home") == ["Kumo"]
    tree["lamps"].parent = tree["paper"]
    tree["lamps"].save()
    assert titles(client, q="paper") == ["Kumo"]


def test_admin_lists_categories_in_the_order_of_the_tree(catalog_client, tree):
    Category.objects.filter(pk=tree["paper"].pk).update(position=0)
    Category.objects.filter(pk=tree["home"].pk).update(position=1)

    shown = page(catalog_client.get(reverse("admin:catalog_category_changelist")))

    rows = [row.all("th")[0].text for row in shown.one("table", id="result_list").all("tr")[1:]]
    assert rows == ["Paper", "Home", "Home / Lamps", "Home / Lamps / Lanterns"]


@pytest.mark.postgresql
def test_sorting_by_name_reads_an_index(store):
    with connection.cursor() as cursor:  # which cost less with so few rows
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    found = products_found(sort="name").products
    assert isinstance(found, QuerySet)
    assert "product_by_name" in found[:24].explain()
