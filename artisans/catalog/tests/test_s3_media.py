"""Pictures on storage that understands S3, played by moto's server, and by one that never answers."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import override_settings
from django.urls import reverse
from PIL import Image

from artisans import settings as configured
from artisans.catalog.models import Product
from artisans.catalog.pictures import encode, picture_save
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.doctor.media import check_media
from artisans.core.doctor.registry import State
from tests.html import page

pytest.importorskip("storages", reason="pip install -r requirements-s3.txt")
boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server", reason="pip install -r requirements-dev.txt")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
BUCKET, PRIVATE = "pictures-of-the-shop", "private-pictures"
PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
    ],
}
LARGE = encode(Image.new("RGB", (960, 720)))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a service with two buckets, of which anybody may read one."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=address, **keys)
    for bucket in (BUCKET, PRIVATE):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(PUBLIC))
    yield address
    server.stop()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """It accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def media(monkeypatch) -> Callable[..., Any]:
    """`with media(MEDIA_S3_ENDPOINT=…):` as the variables of the environment say."""

    @contextmanager
    def configure(bucket: str = BUCKET, **environment: str) -> Iterator[str]:
        keys = {"MEDIA_S3_ACCESS_KEY": "key", "MEDIA_S3_SECRET_KEY": "secret"}
        for name, value in (keys | environment).items():
            monkeypatch.setenv(name, value)
        storage, address = configured.s3_storage(bucket)
        with override_settings(
            STORAGES=settings.STORAGES | {"default": storage}, MEDIA_URL=address, MEDIA_S3_BUCKET=bucket
        ):
            yield address

    return configure


def upload(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("bowl.webp", content, "image/webp")


def test_pictures_and_their_copies_are_stored_and_shown(client, s3, media):
    product = ProductFactory.create()
    with media(MEDIA_S3_ENDPOINT=s3) as address:
        picture_save(product, "moss.webp", LARGE)
        picture_save(ProductFactory.create(), "moss.webp", LARGE)
        [image] = page(client.get(reverse("catalog:product", args=[product.slug]))).one("main").all("img")
        shown = client.get(f"/products/{product.pk}").json()["picture"]
        assert [result.state for result in check_media()] == [State.OK]

    names = [entry.split()[0] for entry in image.attrs["srcset"].split(", ")]
    assert names == [f"{address}products/moss{suffix}.webp" for suffix in ("-320", "-640", "")]
    assert image.attrs["src"] == shown == names[-1]
    answers = [requests.get(name, timeout=10) for name in names]
    assert answers[-1].content == LARGE
    assert {(answer.status_code, answer.headers["Content-Type"]) for answer in answers} == {
        (200, "image/webp")
    }
    assert "max-age" in answers[0].headers["Cache-Control"]
    assert Product.objects.filter(picture="products/moss.webp").count() == 1, "a name is used once"


def test_address_is_the_buckets_or_that_of_a_domain_or_signed(media):
    for environment, address in (
        ({"MEDIA_S3_REGION": "eu-central-1"}, f"https://{BUCKET}.s3.eu-central-1.amazonaws.com/a%20b.webp"),
        ({"MEDIA_S3_ENDPOINT": "https://s3.example.net/"}, f"https://s3.example.net/{BUCKET}/a%20b.webp"),
        ({"MEDIA_S3_DOMAIN": "media.your.shop"}, "https://media.your.shop/a%20b.webp"),
    ):
        with media(**environment):
            assert Product(picture="a b.webp").picture.url == address
        assert configured.origin_of(address) == "/".join(address.split("/")[:3])
    with pytest.raises(ImproperlyConfigured, match="unset MEDIA_S3_DOMAIN"), media(MEDIA_S3_PRIVATE="true"):
        pass


def test_content_security_policy_allows_the_signed_addresses_of_amazon(media):
    for region in ("us-east-1", "eu-central-1"):
        with media(MEDIA_S3_REGION=region, MEDIA_S3_PRIVATE="true") as address:
            signed = Product(picture="a b.webp").picture.url
        assert configured.origin_of(signed) == configured.origin_of(address), region


def test_picture_of_a_private_bucket_has_a_signed_address(s3, media):
    product = ProductFactory.create()
    with media(PRIVATE, MEDIA_S3_ENDPOINT=s3, MEDIA_S3_PRIVATE="true") as address:
        picture_save(product, "birch.webp", LARGE)
        url = product.picture.url
    assert url.startswith(f"{address}products/birch.webp?X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert requests.get(url, timeout=10).content == LARGE
    assert requests.get(url.partition("?")[0], timeout=10).status_code == 403


def test_staff_add_a_picture(browser, admin_user, s3, media):
    product = ProductFactory.create()
    with media(MEDIA_S3_ENDPOINT=s3) as address:
        send_picture(browser(admin_user), product, LARGE)
    product.refresh_from_db()
    assert product.picture.name.startswith("products/bowl")
    assert requests.get(f"{address}{product.picture.name}", timeout=10).content == LARGE


def test_storage_that_never_answers_delays_only_the_upload(
    client, browser, admin_user, silent_server, media, monkeypatch, caplog
):
    product = ProductFactory.create(picture="products/moss.webp")
    monkeypatch.setattr("artisans.core.media.READ_SECONDS", 0.2)
    locked: list[bool] = []
    monkeypatch.setattr("artisans.catalog.admin.products_lock", lambda keys: locked.append(True))
    caplog.set_level(logging.WARNING)
    with media(MEDIA_S3_ENDPOINT=silent_server) as address:
        shown = client.get(reverse("catalog:product", args=[product.slug]))
        assert f"{address}products/moss.webp" in shown.content.decode()
        response = send_picture(browser(admin_user), product, LARGE)
        [result] = check_media()

    assert "Nothing was saved" in response.content.decode()
    assert locked == [], "buyers would wait for the product"
    product.refresh_from_db()
    assert product.picture.name == "products/moss.webp"
    assert caplog.messages.count("media_unavailable") == 2
    assert (result.state, "Read timeout" in result.value) == (State.PROBLEM, True)
    assert connection.is_usable()


def send_picture(client: Any, product: Product, content: bytes) -> Any:
    address = reverse("admin:catalog_product_change", args=[product.pk])
    form = page(client.get(address)).one("form", id="product_form").fields()
    return client.post(address, form | {"picture": upload(content)}, follow=True)
