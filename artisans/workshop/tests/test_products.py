"""Pages where an artisan manages the own products."""

import pytest
from django.urls import reverse

from artisans.catalog.models import Product, ProductState
from artisans.catalog.product_versions import version_of
from artisans.catalog.products import product_change, product_publish
from artisans.catalog.services import stock_adjust
from artisans.catalog.tests.factories import CategoryFactory, ProductFactory
from artisans.catalog.variants import VariantInput, variants_change
from artisans.regions.models import ShopCurrency
from orders.tests.factories import place
from tests.html import page

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

LIST, NEW = reverse("workshop:product_list"), reverse("workshop:product_new")


@pytest.fixture
def client(browser, seller):
    return browser(seller)


@pytest.fixture
def jug(seller):
    jug = ProductFactory.create(artisan=seller.artisan, name="Jug", slug="jug", stock=0, is_active=False)
    rows = [VariantInput(("Small",), 2000, sku="J-S", counted=3), VariantInput(("Large",), 3000)]
    return variants_change(
        artisan=seller.artisan, product_id=jug.pk, actor=seller, option_names=["Size"], variants=rows
    )


def address(name, product):
    return reverse(f"workshop:{name}", args=[product.pk])


def form_of(client, url, place=0):
    """The fields of a form of the page, after those of the header."""
    found = [
        form for form in page(client.get(url)).one("main").all("form") if form.attrs.get("method") == "post"
    ]
    return found[place].fields()


def test_product_is_written_published_and_archived(client, shopper, browser):
    category = CategoryFactory.create()
    typed = form_of(client, NEW) | {
        "name": "إبريق 🏺",
        "category": category.pk,
        "price": "12.50",
        "lead_days": "10",
        "stock": "2",
        "description": "Thrown by hand.",
    }

    client.post(NEW, typed)
    again = client.post(NEW, typed)

    product = Product.objects.get()
    assert again.url == address("product", product)
    assert (product.name, product.price_minor, product.stock, product.state) == ("إبريق 🏺", 1250, 2, "draft")
    assert browser(shopper).get(reverse("catalog:product", args=[product.slug])).status_code == 404
    preview = page(client.get(address("product_preview", product)))
    assert "Preview. Buyers do not see this page." in preview.text
    assert "Made to order, ready in 10 days" in preview.text
    assert not preview.all("input", name="product_id")

    client.post(address("product_publish", product))
    assert browser(shopper).get(reverse("catalog:product", args=[product.slug])).status_code == 200
    client.post(address("product_archive", product))
    product.refresh_from_db()
    assert product.state == ProductState.ARCHIVED


def test_form_of_a_saved_product_makes_another_one_or_says_that_it_did_not(client):
    """Such as after the browser's Back."""
    typed = form_of(client, NEW) | {"name": "One", "category": CategoryFactory.create().pk, "price": "5.00"}
    client.post(NEW, typed)

    for change in ({"name": "Two"}, {"price": "9.00"}, {"stock": "3"}):
        refused = page(client.post(NEW, typed | change))

        assert "This form was already saved as “One”." in refused.one(class_="error-summary").text
        again = refused.one("form", class_="narrow").fields()
        assert again | change == again
        before = Product.objects.count()
        for _ in range(2):
            assert client.post(NEW, again).status_code == 302
        assert Product.objects.count() == before + 1
    assert sorted(Product.objects.values_list("name", "price_minor", "stock")) == [
        ("One", 500, 0),
        ("One", 500, 3),
        ("One", 900, 0),
        ("Two", 500, 0),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", "0"), ("price", "1e3"), ("price", "-1"), ("name", ""), ("name", "x" * 200),
     ("lead_days", "366"), ("category", "999"), ("description", "a\x00b"), ("stock", "-1")],
)  # fmt: skip
def test_wrong_input_is_shown_again_with_what_is_wrong(client, field, value):
    valid = {"name": "Mug", "category": CategoryFactory.create().pk, "price": "1.00"}

    shown = page(client.post(NEW, form_of(client, NEW) | valid | {field: value}))

    assert shown.one(class_="error-summary").all("li")
    assert shown.one("input", name="materials")
    assert not Product.objects.exists()


def test_second_of_two_people_reads_what_the_first_changed_and_loses_nothing(client, seller):
    mug = ProductFactory.create(artisan=seller.artisan, name="Mug", price_minor=2000)
    typed = form_of(client, address("product", mug)) | {"price": "30.00", "care": "By hand"}
    product_change(
        artisan=seller.artisan,
        product_id=mug.pk,
        actor=seller,
        values={"price_minor": 2500},
        version=version_of(mug),
    )

    shown = page(client.post(address("product", mug), typed))
    form = shown.one("form", class_="narrow").fields()
    mug.refresh_from_db()
    assert "The price of Mug is now “$25.00”." in shown.one(class_="error-summary").text
    assert (mug.price_minor, mug.care) == (2500, "")
    assert (form["price"], form["care"]) == ("30.00", "By hand")

    client.post(address("product", mug), form)
    mug.refresh_from_db()
    assert (mug.price_minor, mug.care) == (3000, "By hand")


def test_variants_are_added_changed_counted_and_archived(client, seller):
    mug = ProductFactory.create(artisan=seller.artisan, name="Mug", stock=0)
    url = address("product_variants", mug)
    typed = form_of(client, url + "?options=2") | {
        "option_1": "Size",
        "option_2": "Color",
        "variant-0-option_1": "Small",
        "variant-0-option_2": "Blue",
        "variant-0-price": "10.00",
        "variant-0-stock": "4",
        "variant-1-option_1": "Large",
        "variant-1-option_2": "Blue",
        "variant-1-price": "12.00",
        "variant-1-sku": "M-L",
    }
    for _ in range(2):
        assert client.post(url + "?options=2", typed).status_code == 302
    small, large = Product.objects.get(pk=mug.pk).choices
    assert [(v.name, v.price_minor, v.stock, v.sku) for v in (small, large)] == [
        ("Mug (Small, Blue)", 1000, 4, ""),
        ("Mug (Large, Blue)", 1200, 0, "M-L"),
    ]

    typed = form_of(client, url) | {
        "variant-0-price": "11.00",
        "variant-0-stock": "1",
        "variant-1-is_archived": "on",
    }
    for _ in range(2):
        assert client.post(url, typed).status_code == 302

    [small] = Product.objects.get(pk=mug.pk).choices
    assert (small.price_minor, small.stock) == (1100, 1)
    assert "Archived: Large, Blue." in page(client.get(url)).text
    assert client.post(url, form_of(client, url) | {"variant-0-is_archived": "on"}).status_code == 302
    client.post(address("product_publish", mug))
    assert "cannot buy it: it has no variants" in page(client.get(address("product", mug))).text


def test_variants_of_a_page_from_before_a_colleague_added_one_are_saved(client, seller, jug):
    url = address("product_variants", jug)
    typed = form_of(client, url) | {"variant-0-price": "21.00"}
    own = {"artisan": seller.artisan, "product_id": jug.pk, "actor": seller, "option_names": ["Size"]}
    variants_change(variants=[VariantInput(("XL",), 4000, counted=2)], **own)

    assert client.post(url, typed).status_code == 302

    small, large, huge = Product.objects.get(pk=jug.pk).choices
    assert [v.price_minor for v in (small, large, huge)] == [2100, 3000, 4000]
    same = {"variant-2-option_1": "XL", "variant-2-price": "40.00", "variant-2-stock": "2"}
    assert client.post(url, typed | same).status_code == 302  # both added it
    for other in ({"variant-2-price": "41.00"}, {"variant-2-stock": "3"}, {"variant-2-sku": "J-XL"}):
        refused = page(client.post(url, typed | same | other))
        assert "There is already a variant “XL”." in refused.text, other
    assert Product.objects.get(pk=huge.pk).stock == 2


def test_stale_variants_are_shown_again_with_what_was_typed(client, seller, jug):
    url, [small, _large] = address("product_variants", jug), jug.choices
    typed = form_of(client, url) | {"variant-0-price": "21.00", "variant-1-sku": "J-L"}
    row = VariantInput(("Small",), 2500, "J-S", small.pk, version_of(small))
    variants_change(
        artisan=seller.artisan, product_id=jug.pk, actor=seller, option_names=["Size"], variants=[row]
    )

    shown = page(client.post(url, typed))
    again = shown.one("main").all("form")[0].fields()

    assert "The price of Jug (Small) is now “$25.00”." in shown.one(class_="error-summary").text
    assert (again["variant-0-price"], again["variant-1-sku"]) == ("21.00", "J-L")
    client.post(url, again)
    assert [(v.price_minor, v.sku) for v in Product.objects.get(pk=jug.pk).choices] == [
        (2100, "J-S"),
        (3000, "J-L"),
    ]


def test_refused_product_form_shows_and_keeps_what_others_changed_meanwhile(client, seller):
    """Only what the person changed is theirs, whatever the refusal was about."""
    ProductFactory.create(artisan=seller.artisan, sku="TAKEN")
    mug = ProductFactory.create(artisan=seller.artisan, name="Mug", price_minor=1000)
    url = address("product", mug)
    other = CategoryFactory.create()
    for field, refused, corrected in (("name", "Beaker", "Beaker"), ("sku", "TAKEN", "FREE")):
        typed = form_of(client, url) | {field: refused}
        values = {"price_minor": mug.price_minor + 200, "category": other, "care": f"By hand, {field}"}
        values |= {"name": "Cup"} if field == "name" else {}
        mug = product_change(
            artisan=seller.artisan, product_id=mug.pk, actor=seller, values=values, version=version_of(mug)
        )

        shown = page(client.post(url, typed))

        again = shown.one("form", class_="narrow").fields()
        assert (again[field], again["price"], again["care"]) == (refused, mug.price.amount, values["care"])
        assert again["category"] == str(other.pk)
        assert client.post(url, again | {field: corrected}).status_code == 302
        mug = Product.objects.get(pk=mug.pk)
        assert (getattr(mug, field), mug.price_minor) == (corrected, values["price_minor"])
        assert (mug.care, mug.category) == (values["care"], other)


def test_price_typed_while_the_product_got_variants_is_refused_and_not_lost_silently(client, seller):
    mug = ProductFactory.create(artisan=seller.artisan, name="Mug", price_minor=1000, stock=0)
    url = address("product", mug)
    typed = form_of(client, url)
    variants_change(
        artisan=seller.artisan,
        product_id=mug.pk,
        actor=seller,
        option_names=["Size"],
        variants=[VariantInput(("Small",), 2000)],
    )

    shown = page(client.post(url, typed | {"price": "12.00", "care": "By hand"}))

    assert "The price of Mug is now “$20.00”." in shown.one(class_="error-summary").text
    again = shown.one("form", class_="narrow").fields()
    assert ("price" in again, again["care"]) == (False, "By hand")
    assert client.post(url, again).status_code == 302
    mug.refresh_from_db()
    assert (mug.price_minor, mug.care) == (2000, "By hand")


def test_refused_variants_show_and_keep_what_was_sold_and_changed_meanwhile(client, seller, jug):
    own = {"artisan": seller.artisan, "product_id": jug.pk, "actor": seller}
    ProductFactory.create(artisan=seller.artisan, sku="TAKEN")
    small, large = product_publish(**own).choices
    stock_adjust(product_id=large.pk, counted=5, reason="made", actor=seller)
    url = address("product_variants", jug)
    typed = form_of(client, url) | {"variant-0-sku": "TAKEN", "variant-1-stock": "4"}  # one of five broke
    place({small: 2, large: 2})
    rows = [VariantInput(("Tiny",), 2500, "J-S", small.pk, version_of(small))]
    variants_change(option_names=["How large"], variants=rows, **own)

    shown = page(client.post(url, typed))

    again = shown.one("main").all("form")[0].fields()
    assert "TAKEN belongs to" in shown.text
    assert (again["option_1"], again["variant-0-option_1"]) == ("How large", "Tiny")
    assert (again["variant-0-stock"], again["variant-0-price"]) == ("1", "25.00")
    assert again["variant-1-stock"] == "4"
    assert client.post(url, again | {"variant-0-sku": "FREE"}).status_code == 302
    jug = Product.objects.get(pk=jug.pk)
    assert jug.options == ("How large",)
    assert [(v.options, v.stock, v.price_minor, v.sku) for v in jug.choices] == [
        (("Tiny",), 1, 2500, "FREE"),
        (("Large",), 2, 3000, ""),  # five, less two sold and one broken
    ]


def test_refused_variants_name_each_conflict_where_it_is(client, seller, jug):
    """The refusal is about the first: nobody overwrites what they were not shown."""
    own = {"artisan": seller.artisan, "product_id": jug.pk, "actor": seller, "option_names": ["Size"]}
    small, large = jug.choices
    url = address("product_variants", jug)
    typed = form_of(client, url) | {
        "variant-0-price": "21.00",
        "variant-0-stock": "7",
        "variant-1-price": "31.00",
    }
    rows = [
        VariantInput(v.options, v.price_minor + 500, v.sku, v.pk, version_of(v), is_archived=v == large)
        for v in (small, large)
    ]
    variants_change(variants=rows, **own)
    stock_adjust(product_id=small.pk, counted=9, reason="made", actor=seller)

    shown = page(client.post(url, typed))

    text, again = shown.text, shown.one("main").all("form")[0].fields()
    for present in ("changed this to “$25.00”", "changed this to “$35.00”", "The stock is now 9."):
        assert present in text
    assert (again["variant-0-stock"], again["variant-1-is_archived"]) == ("7", "on")
    client.post(url, again)
    stored = [Product.objects.get(pk=v.pk) for v in (small, large)]
    assert [(v.price_minor, v.stock, v.archived_at is None) for v in stored] == [
        (2100, 7, True),
        (3100, 0, False),
    ]


def test_names_of_options_that_two_people_change_are_refused_to_the_second(client, seller, jug):
    url = address("product_variants", jug)
    typed = form_of(client, url) | {"option_1": "Volume"}
    own = {"artisan": seller.artisan, "product_id": jug.pk, "actor": seller, "variants": []}
    variants_change(option_names=["How large"], **own)

    shown = page(client.post(url, typed))

    assert "is now “How large”." in shown.one(class_="error-summary").text
    assert Product.objects.get(pk=jug.pk).options == ("How large",)
    client.post(url, shown.one("main").all("form")[0].fields())
    assert Product.objects.get(pk=jug.pk).options == ("Volume",)


def test_incomplete_variants_are_refused_with_their_row(client, jug):
    url = address("product_variants", jug)

    for wrong in (
        {"variant-0-price": ""},
        {"variant-2-option_1": "L"},
        {"option_1": ""},
        {"variant-1-option_1": "small"},
    ):
        answer = client.post(url, form_of(client, url) | wrong)
        assert page(answer).one(class_="error-summary"), wrong
    for broken in ({}, {"variant-TOTAL_FORMS": "x"}, {"variant-TOTAL_FORMS": "9999999"}):
        assert client.post(url, broken).status_code == 200


@pytest.mark.parametrize("stock", ["", "0", "3", "5"])
def test_variant_that_comes_back_has_the_stock_that_was_entered(client, api, seller, jug, stock):
    """It was archived with three."""
    url, small = address("product_variants", jug), jug.choices[0]

    client.post(url, form_of(client, url) | {"variant-0-is_archived": "on"})
    assert Product.objects.get(pk=small.pk).archived_at
    row = {"variant-1-option_1": "Small", "variant-1-price": "20.00", "variant-1-stock": stock}
    client.post(url, form_of(client, url) | row)
    by_page = Product.objects.get(pk=small.pk)

    assert (by_page.archived_at, by_page.stock) == (None, int(stock or 0))
    stock_adjust(product_id=small.pk, counted=3, reason="found", actor=seller)
    small.refresh_from_db()
    variants_change(
        artisan=seller.artisan,
        product_id=jug.pk,
        actor=seller,
        option_names=["Size"],
        variants=[VariantInput(("Small",), 2000, "", small.pk, version_of(small), is_archived=True)],
    )
    row = {"options": ["Small"], "price": "20.00"} | ({"stock": int(stock)} if stock else {})
    jug.refresh_from_db()
    body = {"version": version_of(jug), "options": ["Size"], "variants": [row]}
    api(seller).post(f"/artisan/products/{jug.pk}/variants", body)
    by_api = Product.objects.get(pk=small.pk)
    assert (by_api.archived_at, by_api.stock) == (None, int(stock or 0))


def test_preview_chooses_variants_of_a_draft(client, jug):
    large = jug.choices[1]

    shown = page(client.get(address("product_preview", jug), {"variant": large.slug}))

    assert [link.attrs["href"] for link in shown.one("nav", aria_label="Size").all("a")] == [
        f"?variant={variant.slug}" for variant in jug.choices
    ]
    assert "$30.00" in shown.text


def test_duplicate_sent_twice_makes_one(client, jug):
    typed = next(
        form.fields()
        for form in page(client.get(address("product", jug))).all("form")
        if "copy_id" in form.fields()
    )

    for _ in range(2):
        answer = client.post(address("product_duplicate", jug), typed)

    copy = Product.objects.get(name="Jug (copy)")
    assert answer.url == address("product", copy)
    assert len(copy.choices) == 2


def test_list_finds_by_state_name_and_sku_with_few_queries(
    client, jug, seller, other_seller, django_assert_max_num_queries
):
    for n in range(15):
        ProductFactory.create(artisan=seller.artisan, name=f"Mug {n}")
    ProductFactory.create(artisan=other_seller.artisan, name="Jug of others")

    def names(query):
        return [
            row.one("a").text
            for row in page(client.get(LIST + query)).one("main").all("li")
            if row.all("small")
        ]

    with django_assert_max_num_queries(11):
        assert len(names("")) == 16
    assert names("?state=draft") == names("?q=jug") == names("?q=J-S") == ["Jug"]
    assert len(names("?state=published")) == 15
    assert names("?state=archived&q=x") == []


def test_product_with_options_is_not_published_without_variants(client, seller):
    vase = ProductFactory.create(artisan=seller.artisan, option_1="Size", stock=0, is_active=False)

    shown = page(client.post(address("product_publish", vase), follow=True))

    assert "Add at least one variant before you publish this product." in shown.text


@pytest.mark.parametrize("name", ["product", "product_variants", "product_preview"])
def test_products_of_other_workshops_are_not_found(client, other_seller, name):
    others = ProductFactory.create(artisan=other_seller.artisan)

    assert client.get(address(name, others)).status_code == 404
    for action in ("product_publish", "product_archive", "product_duplicate"):
        assert client.post(address(action, others)).status_code == 404


def test_price_that_is_no_multiple_of_the_step_is_refused(client, seller, jug):
    ShopCurrency.objects.update_or_create(code="USD", defaults={"step_minor": 5, "price_step_minor": 5})
    mug = ProductFactory.create(artisan=seller.artisan, name="Mug", price_minor=2000)
    small = jug.variants.get(option_1="Small")
    new = {"name": "Mug", "category": CategoryFactory.create().pk, "price": "5.01"}

    refusals = [
        client.post(NEW, form_of(client, NEW) | new),
        client.post(address("product", mug), form_of(client, address("product", mug)) | {"price": "5.01"}),
        client.post(
            address("product_variants", jug),
            form_of(client, address("product_variants", jug)) | {"variant-0-price": "5.01"},
        ),
    ]

    for refused in refusals:
        assert "$5.01: enter a multiple of $0.05." in page(refused).text
    small.refresh_from_db()
    mug.refresh_from_db()
    assert (mug.price_minor, small.price_minor, Product.objects.count()) == (2000, 2000, 4)
