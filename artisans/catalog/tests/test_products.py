"""What artisans do with their products: each rule of the services."""

import pytest
from django.db import transaction

from artisans.audit.models import AuditEntry
from artisans.catalog.models import Product, ProductState
from artisans.catalog.product_rows import SkuTaken
from artisans.catalog.product_versions import ProductChanged, version_of
from artisans.catalog.products import (
    NoVariants,
    TakenOffSale,
    product_allow_sale,
    product_archive,
    product_change,
    product_create,
    product_duplicate,
    product_publish,
    product_take_off_sale,
)
from artisans.catalog.services import StockSnapshot, stock_snapshot
from artisans.catalog.tests.factories import CategoryFactory, ProductFactory
from artisans.catalog.variants import MAX_VARIANTS, InvalidVariant, VariantInput, variants_change
from artisans.core.errors import Conflict, InvalidInput, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def act(seller):
    """`act(service, …)` as the seller, for their workshop."""
    return lambda service, **arguments: service(artisan=seller.artisan, actor=seller, **arguments)


@pytest.fixture
def mug(act):
    values = {"name": "Mug", "category": CategoryFactory.create(), "price_minor": 2000, "sku": "M-1"}
    return act(product_create, currency="USD", values=values, stock=4)


def rename(act, product, *variants, names=("Size",)):
    return act(variants_change, product_id=product.pk, option_names=list(names), variants=list(variants))


def shown(variant, **changes):
    """The row of a form that shows this variant."""
    values = {
        "options": variant.options,
        "price_minor": variant.price_minor,
        "sku": variant.sku,
        "variant_id": variant.pk,
        "version": version_of(variant),
    }
    return VariantInput(**values | changes)


def test_product_begins_as_a_draft_with_its_first_stock(act, mug, seller):
    assert (mug.state, mug.stock, mug.artisan) == (ProductState.DRAFT, 4, seller.artisan)
    assert mug.slug.startswith("mug-")
    assert [entry.action for entry in AuditEntry.objects.order_by("at")] == ["product.create", "stock.adjust"]


@pytest.mark.parametrize("name", ["🏺", "إبريق", "x" * 120])
def test_every_name_has_an_address(act, name):
    values = {"name": name, "category": CategoryFactory.create(), "price_minor": 1}

    first, second = (act(product_create, currency="USD", values=values) for _ in range(2))

    assert first.slug != second.slug
    assert len(first.slug) <= 50


def test_composed_names_fit_their_column_whatever_signs_they_have(act, seller):
    """Vowel signs count too: databases count code points."""
    long = Product._meta.get_field("name").max_length
    for name in ("x" * long, "\u0628\u064e" * (long // 2), "🏺" * long):
        product = ProductFactory.create(artisan=seller.artisan, name=name, stock=0)

        [variant] = rename(act, product, VariantInput(("Large",), 1000)).choices
        copy = act(product_duplicate, product_id=product.pk)

        assert (len(variant.name), variant.name[-9:]) == (long, "… (Large)")
        assert (len(copy.name) <= long, copy.name[-8:]) == (True, "… (copy)")


def test_forms_sent_twice_make_one_product(act, mug):
    copy = act(product_duplicate, product_id=mug.pk)

    again = act(product_create, currency="USD", values={"name": "Mug"}, stock=4, product_id=mug.pk)
    copied_again = act(product_duplicate, product_id=mug.pk, copy_id=copy.pk)

    assert (again, copied_again) == (mug, copy)
    assert Product.objects.count() == 2


def test_product_that_the_shop_took_off_sale_is_not_duplicated(act, mug):
    """The copy could be published at once."""
    act(product_take_off_sale, product_id=mug.pk, reason="The glaze holds lead.")

    with pytest.raises(TakenOffSale, match="The glaze holds lead"), transaction.atomic():
        act(product_duplicate, product_id=mug.pk)

    act(product_allow_sale, product_id=mug.pk)
    assert act(product_duplicate, product_id=mug.pk).state == ProductState.DRAFT


def test_second_price_of_two_people_is_refused_with_the_first(act, mug):
    seen = version_of(mug)
    act(product_change, product_id=mug.pk, values={"price_minor": 2500}, version=seen)
    act(
        product_change, product_id=mug.pk, values={"price_minor": 2500}, version=seen
    )  # the same form, sent twice

    with pytest.raises(ProductChanged) as refused:
        act(product_change, product_id=mug.pk, values={"price_minor": 3000, "name": "Cup"}, version=seen)
    other = act(product_change, product_id=mug.pk, values={"price_minor": 2000, "name": "Cup"}, version=seen)

    assert "The price of Mug is now “$25.00”." in refused.value.detail
    assert refused.value.extra == {"changes": [{"field": "price", "now": "$25.00"}]}
    assert (other.name, other.price_minor) == ("Cup", 2500)  # what the second person left as it was is kept
    [first, second] = AuditEntry.objects.filter(action="product.change").order_by("at")
    assert first.data == {"price_minor": "2500", "old_price_minor": "2000"}
    assert second.data == {"name": "Cup", "old_name": "Mug"}


def test_products_of_others_are_not_found(act, mug, other_seller):
    others = ProductFactory.create(artisan=other_seller.artisan)

    for service, more in (
        (product_change, {"values": {}, "version": ""}),
        (product_publish, {}),
        (product_archive, {}),
        (product_duplicate, {}),
        (variants_change, {"option_names": ["Size"], "variants": []}),
    ):
        with pytest.raises(NotFound):
            act(service, product_id=others.pk, **more)
    with pytest.raises(NotFound):
        act(product_create, currency="USD", values={}, product_id=others.pk)


def test_published_product_is_archived_and_published_again(act, mug):
    for service, state in (
        (product_publish, ProductState.PUBLISHED),
        (product_publish, ProductState.PUBLISHED),
        (product_archive, ProductState.ARCHIVED),
        (product_archive, ProductState.ARCHIVED),
        (product_publish, ProductState.PUBLISHED),
    ):
        assert act(service, product_id=mug.pk).state == state
    actions = (
        AuditEntry.objects.filter(action__startswith="product.")
        .order_by("at")
        .values_list("action", flat=True)
    )
    assert list(actions)[1:] == ["product.publish", "product.archive", "product.publish"]


def test_variants_have_from_their_product_what_it_decides(act, mug):
    product = rename(
        act,
        mug,
        VariantInput(("Large", "Blue"), 3000, "M-L", counted=5),
        VariantInput(("Small", "Red"), 1500),
        names=("Size", "Color"),
    )
    act(product_publish, product_id=mug.pk)
    values = {"name": "Cup", "lead_days": 7, "category": CategoryFactory.create()}
    changed = act(product_change, product_id=mug.pk, values=values, version=version_of(product))

    large, small = Product.objects.get(pk=mug.pk).choices
    assert (large.name, small.name) == ("Cup (Large, Blue)", "Cup (Small, Red)")
    assert (large.stock, small.stock) == (5, 0)
    assert {v.category for v in (large, small)} == {changed.category}
    assert {(v.lead_days, v.is_active, v.artisan_id) for v in (large, small)} == {(7, True, mug.artisan_id)}
    mug.refresh_from_db()
    assert (mug.stock, mug.price_minor) == (0, 1500)  # its own stock was counted down

    act(product_archive, product_id=mug.pk)
    assert not Product.objects.filter(is_active=True).exists()
    with pytest.raises(InvalidInput):
        act(product_change, product_id=mug.pk, values={"price_minor": 1}, version=version_of(mug))


def test_variants_are_changed_together_or_not_at_all(act, mug):
    product = rename(act, mug, VariantInput(("S",), 1000, "A"), VariantInput(("M",), 1100, "B"))
    s, m = product.choices

    rename(act, mug, shown(s, options=("M",), sku="B", price_minor=900), shown(m, options=("S",), sku="A"))
    m.refresh_from_db()
    s.refresh_from_db()
    assert (s.options, s.sku, m.options, m.sku) == (("M",), "B", ("S",), "A")  # exchanged

    for wrong, error in (
        ([shown(s, price_minor=1), VariantInput(("s",), 1)], InvalidVariant),  # there is an S
        ([shown(s, price_minor=1), VariantInput(("L", "Blue"), 1)], InvalidVariant),
        ([shown(s, price_minor=1), shown(m, variant_id=mug.pk)], InvalidVariant),
        ([shown(s, price_minor=1), shown(m, sku="B")], SkuTaken),
        ([shown(s, price_minor=1), VariantInput(("L",), 1, sku="M-1")], SkuTaken),
        ([shown(s, price_minor=1), shown(m, counted=9, seen=StockSnapshot(0, 99))], Conflict),
        ([VariantInput((str(n),), 1) for n in range(MAX_VARIANTS)], InvalidVariant),
    ):
        with pytest.raises(error):
            rename(act, mug, *wrong)
    with pytest.raises(InvalidVariant):
        rename(act, mug, names=("Size", "size"))
    s.refresh_from_db()
    assert (s.price_minor, product.variants.count()) == (900, 2)


def test_variant_that_two_people_change_is_refused_to_the_second(act, mug):
    [small] = rename(act, mug, VariantInput(("S",), 1000)).choices
    first, second = shown(small, price_minor=1200), shown(small, price_minor=1300)
    rename(act, mug, first)

    with pytest.raises(ProductChanged) as refused:
        rename(act, mug, second)

    assert "The price of Mug (S) is now “$12.00”." in refused.value.detail


def test_archived_variant_comes_back_with_its_history(act, mug):
    small, _large = rename(
        act, mug, VariantInput(("S",), 1000, counted=2), VariantInput(("L",), 1000)
    ).choices
    rename(act, mug, shown(small, is_archived=True))
    assert [v.options for v in Product.objects.get(pk=mug.pk).choices] == [("L",)]

    rename(act, mug, VariantInput(("s",), 1400, counted=3, seen=stock_snapshot(small.pk)))

    small.refresh_from_db()
    assert (small.archived_at, small.options, small.price_minor, small.stock) == (None, ("s",), 1400, 3)


def test_product_with_options_is_published_with_a_variant_only(act, mug):
    rename(act, mug)

    with pytest.raises(NoVariants):
        act(product_publish, product_id=mug.pk)


def test_duplicate_is_a_draft_without_skus_and_stock(act, mug):
    rename(act, mug, VariantInput(("S",), 1000, "A", counted=2), VariantInput(("L",), 1100))
    act(product_publish, product_id=mug.pk)

    copy = act(product_duplicate, product_id=mug.pk)

    assert (copy.name, copy.state, copy.sku) == ("Mug (copy)", ProductState.DRAFT, "")
    assert [(v.name, v.price_minor, v.stock, v.sku, v.is_active) for v in copy.choices] == [
        ("Mug (copy) (S)", 1000, 0, "", False),
        ("Mug (copy) (L)", 1100, 0, "", False),
    ]
