"""Pages offer a product's picture in several sizes, and say which before it is loaded."""

import re

import pytest
from django.urls import reverse
from PIL import Image, UnidentifiedImageError

from artisans.catalog.models import Product
from artisans.catalog.pictures import encode, picture_save
from artisans.catalog.tests.factories import ProductFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def images_of(page) -> list[dict[str, str]]:
    images = re.findall(r"<img ([^>]*/media/[^>]*)>", page.content.decode())
    return [dict(re.findall(r'([\w-]+)="([^"]*)"', image)) for image in images]


def test_smaller_copies_are_stored_and_offered(client, subtests):
    product = ProductFactory.create()
    picture_save(product, "large.webp", encode(Image.new("RGB", (960, 720))))
    product = Product.objects.get()
    assert sorted(product.picture_sizes.values()) == [[320, 240], [640, 480], [960, 720]]
    for name, size in product.picture_sizes.items():
        with Image.open(product.picture.storage.open(name)) as stored:
            assert (list(stored.size), stored.format) == (size, "WEBP")
    widths = "/media/products/large-320.webp 320w, /media/products/large-640.webp 640w, /media/products/large.webp 960w"
    client.post(reverse("carts:item_add"), {"product_id": product.pk, "quantity": 1})
    for address in (
        reverse("catalog:product_list"),
        reverse("catalog:product", args=[product.slug]),
        reverse("carts:cart"),
    ):
        with subtests.test(address):
            [image] = images_of(client.get(address))
            assert image["src"] == "/media/products/large.webp"
            assert (image["srcset"], image["width"], image["height"]) == (widths, "960", "720")
            assert image["sizes"]


def test_small_picture_has_no_copies_and_another_file_is_refused():
    product = ProductFactory.create()
    picture_save(product, "small.webp", encode(Image.new("RGB", (200, 100))))
    assert product.picture_sizes == {"products/small.webp": [200, 100]}
    with pytest.raises(UnidentifiedImageError):
        picture_save(product, "bowl.webp", b"text")


def test_sizes_of_a_replaced_picture_are_not_offered(client):
    product = ProductFactory.create()
    picture_save(product, "bowl.webp", encode(Image.new("RGB", (960, 720))))
    Product.objects.update(picture="products/other.webp")
    [image] = images_of(client.get(reverse("catalog:product_list")))
    assert image["src"] == "/media/products/other.webp"
    assert not image.keys() & {"srcset", "sizes", "width", "height"}
