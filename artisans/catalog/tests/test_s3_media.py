"""Pictures on storage that understands S3, played by moto's server, and by one that never answers."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import override_settings
from django.urls import reverse

from artisans import settings as configured
from artisans.accounts.models import User
from artisans.catalog.models import Product, ProductPicture
from artisans.catalog.pictures import files_delete_orphaned, picture_add, picture_prepare, picture_remove
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.catalog.tests.pictures import png
from artisans.core.admin.pages import admin_page_url
from artisans.core.doctor.media import check_media
from artisans.core.doctor.registry import State
from tests.html import page

pytest.importorskip("storages", reason="pip install -r requirements-s3.txt")
boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server", reason="pip install -r requirements-dev.txt")

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]
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
LARGE = png(960, 720)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a service with two buckets, of which anyone may read one."""
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


def add_picture(product: Product, actor: User) -> ProductPicture:
    picture = picture_add(product_id=product.pk, content=LARGE, name="moss.png", actor=actor)
    picture_prepare(picture.pk)
    picture.refresh_from_db()
    product.refresh_from_db()
    return picture


def upload(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("bowl.png", content, "image/png")


def test_pictures_and_their_copies_are_stored_shown_and_removed(
    client, s3, media, staff, monkeypatch, django_capture_on_commit_callbacks
):
    product = ProductFactory.create()
    with media(MEDIA_S3_ENDPOINT=s3) as address:
        with django_capture_on_commit_callbacks(execute=True):
            picture = add_picture(product, staff)
        image = page(client.get(reverse("catalog:product", args=[product.slug]))).one("main").one("img")
        shown = client.get(f"/products/{product.pk}").json()["picture"]
        assert [result.state for result in check_media()] == [State.OK]
        monkeypatch.setattr("artisans.catalog.pictures.UNNAMED_FOR", timedelta(0))
        files_delete_orphaned()  # what other tests left in the bucket
        default_storage.save(f"private/{'0' * 32}", ContentFile(b"x"))
        assert files_delete_orphaned() == 1

        names = [entry.split()[0] for entry in image.attrs["srcset"].split(", ")]
        stem = f"{address}{picture.file.removesuffix('-960.jpg')}"
        assert names == [f"{stem}-{width}.jpg" for width in (320, 640, 960)]
        assert image.attrs["src"] == shown == names[-1]
        for name in names:
            answer = requests.get(name, timeout=10)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
            assert "max-age" in answer.headers["Cache-Control"]
        with django_capture_on_commit_callbacks(execute=True):
            picture_remove(product_id=picture.product_id, picture_id=picture.pk, actor=staff)
        assert {requests.get(name, timeout=10).status_code for name in names} <= {403, 404}


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


def test_picture_of_a_private_bucket_has_a_signed_address(s3, media, staff):
    product = ProductFactory.create()
    with media(PRIVATE, MEDIA_S3_ENDPOINT=s3, MEDIA_S3_PRIVATE="true") as address:
        picture = add_picture(product, staff)
        url = picture.shown.url
    assert url.startswith(f"{address}{picture.file}?X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert requests.get(url, timeout=10).status_code == 200
    assert requests.get(url.partition("?")[0], timeout=10).status_code == 403


def test_staff_add_a_portrait(browser, admin_user, s3, media):
    artisan = ArtisanFactory.create()
    with media(MEDIA_S3_ENDPOINT=s3) as address:
        browser(admin_user).post(admin_page_url(artisan, "portrait"), {"portrait": upload(LARGE)})
    artisan.refresh_from_db()
    answer = requests.get(f"{address}{artisan.portrait.name}", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")


def test_storage_that_never_answers_delays_only_the_upload(
    client, browser, admin_user, silent_server, media, monkeypatch, caplog
):
    product = ProductFactory.create(picture="products/moss.webp")
    monkeypatch.setattr("artisans.core.media.READ_SECONDS", 0.2)
    locked: list[bool] = []
    monkeypatch.setattr("artisans.catalog.pictures.product_locked", lambda key: locked.append(True))
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
    address = reverse("admin:catalog_product_pictures", args=[product.pk])
    return client.post(address, {"picture": upload(content), "alt": ""}, follow=True)
