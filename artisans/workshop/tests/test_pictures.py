"""Pages where artisans manage the pictures of their products."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from artisans.catalog.models import PictureState, ProductPicture
from artisans.catalog.pictures import picture_prepare
from artisans.catalog.tests.factories import ProductFactory
from artisans.catalog.tests.pictures import png
from artisans.core.errors import ServiceUnavailable
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def client(browser, seller):
    return browser(seller)


@pytest.fixture
def product(seller):
    """A draft: nobody else sees it."""
    return ProductFactory.create(artisan=seller.artisan, is_active=False)


def address(product, picture=None, action=""):
    if picture is None:
        return reverse("workshop:picture_list", args=[product.pk])
    return reverse(f"workshop:picture_{action}", args=[product.pk, picture.pk])


def send(client, product, *contents, names=()):
    names = [*names, *["bowl.png"] * (len(contents) - len(names))]
    files = [SimpleUploadedFile(name, content) for name, content in zip(names, contents, strict=True)]
    return page(client.post(address(product), {"pictures": files}, follow=True))


def order(product):
    return list(product.pictures.order_by("position").values_list("pk", flat=True))


def test_several_files_are_uploaded_and_each_refusal_is_named(client, product):
    answer = send(
        client, product, png(9, 9), b"<html>", b"", png(8, 8), names=["a.png", "fake.jpg", "empty.jpg"]
    )
    assert "2 pictures were uploaded" in answer.text
    assert "fake.jpg: The file is not a JPEG" in answer.text
    assert "empty.jpg: The file is empty." in answer.text
    assert [picture.original_name for picture in product.pictures.all()] == ["a.png", "bowl.png"]
    assert answer.text.count("Being prepared") >= 2
    send(client, product, png(9, 9), png(8, 8))  # sent twice
    assert product.pictures.count() == 2
    assert "Choose one or more files" in send(client, product).text
    send(client, product, *(png(10 + n, 9) for n in range(6)))
    answer = send(client, product, png(99, 9))
    assert "at most 8 pictures" in answer.text
    assert not answer.all("input", name="pictures")


def test_storage_that_fails_is_asked_once(client, product, monkeypatch):
    asked = []

    def fail(content):
        asked.append(content)
        raise ServiceUnavailable("No storage.")

    monkeypatch.setattr("artisans.catalog.pictures.original_store", fail)
    assert "No storage." in send(client, product, png(), png(9, 9)).text
    assert len(asked) == 1


def test_pictures_are_described_moved_and_removed_without_scripts(client, product):
    send(client, product, png(8, 8), png(9, 9), png(10, 10))
    first, second, third = product.pictures.order_by("position")
    picture_prepare(first.pk)
    answer = page(client.get(address(product)))
    assert "Describe this picture" in answer.text
    assert [button.text for button in answer.one("li", id=f"picture-{second.pk}").all("button")] == [
        "Save text of picture 2",
        "Move forward picture 2",
        "Move back picture 2",
        "Remove picture 2",
    ]
    client.post(address(product, first, "text"), {"alt": " A bowl ", "seen": ""})
    client.post(address(product, third, "place"), {"position": "1"})
    client.post(address(product, third, "place"), {"position": "1"})
    assert order(product) == [third.pk, first.pk, second.pk]
    answer = page(client.post(address(product, third, "place"), {"position": "9"}, follow=True))
    assert "numbers from 1 to 8" in answer.text
    client.post(address(product, second, "delete"))
    answer = page(client.post(address(product, second, "delete"), follow=True))
    assert "removed in the meantime" in answer.text
    first.refresh_from_db()
    assert (order(product), first.alt) == ([third.pk, first.pk], "A bowl")


def test_text_that_somebody_else_changed_is_kept_and_so_is_what_was_typed(client, product):
    send(client, product, png())
    picture = product.pictures.get()
    ProductPicture.objects.update(alt="A jug")
    answer = page(client.post(address(product, picture, "text"), {"alt": "A vase", "seen": "A bowl"}))
    assert "changed this text to “A jug”" in answer.text
    fields = next(form.fields() for form in answer.all("form") if "alt" in form.fields())
    assert (fields["alt"], fields["seen"]) == ("A vase", "A jug")
    client.post(address(product, picture, "text"), fields)
    picture.refresh_from_db()
    assert picture.alt == "A vase"
    answer = page(client.post(address(product, picture, "text"), {"alt": "x" * 201, "seen": "A bowl"}))
    assert "at most 200" in answer.text
    fields = next(form.fields() for form in answer.all("form") if "alt" in form.fields())
    assert fields["seen"] == "A bowl"  # the page has not said that it is “A vase” now


def test_pictures_of_others_and_of_variants_are_not_found(client, product, other_seller):
    theirs = ProductFactory.create(artisan=other_seller.artisan)
    vase = ProductFactory.create(artisan=product.artisan, option_1="Size")
    small = ProductFactory.create(
        artisan=product.artisan, parent=vase, option_1="Small", category=vase.category
    )
    send(client, product, png())
    picture = product.pictures.get()
    for other in (theirs, small):
        assert client.get(address(other)).status_code == 404
        assert client.post(address(other), {"pictures": SimpleUploadedFile("a", png())}).status_code == 404
        assert client.post(address(other, picture, "delete")).status_code == 404
    client.post(address(vase, picture, "delete"))
    assert ProductPicture.objects.get().state == PictureState.UPLOADED


def test_variants_show_the_pictures_of_their_product(client, product):
    product.option_1 = "Size"
    product.save(update_fields=["option_1"])
    small = ProductFactory.create(
        artisan=product.artisan, parent=product, option_1="Small", category=product.category, is_active=False
    )
    send(client, product, png())
    picture_prepare(product.pictures.get().pk)
    small.refresh_from_db()
    assert str(small.picture) == product.pictures.get().file
    client.post(address(product, product.pictures.get(), "delete"))
    small.refresh_from_db()
    assert not small.picture
