"""The pictures of an artisan's product by API."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from artisans.catalog.models import ProductPicture
from artisans.catalog.pictures import picture_prepare
from artisans.catalog.tests.factories import ProductFactory
from artisans.catalog.tests.pictures import png
from artisans.core.models import IdempotencyKey, IdempotencyState
from artisans.workshop.tests.test_stock_api import client_with
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def client(seller):
    return client_with(seller, "read", "products")


@pytest.fixture
def url(bowl):
    return f"/artisan/products/{bowl.pk}/pictures"


def send(client, url, content, *, key="", **fields):
    headers = {"Idempotency-Key": key} if key else {}
    file = SimpleUploadedFile("bowl.png", content)
    return client.post(url, {"file": file} | fields, format="multipart", headers=headers)


def test_pictures_are_uploaded_listed_changed_and_removed(client, url):
    made = send(client, url, png(40, 30), alt="A bowl")
    assert made.status_code == 201
    assert made.json() | {"id": ""} == {
        "id": "",
        "position": 1,
        "state": "uploaded",
        "refusal": "",
        "detail": "",
        "alt": "A bowl",
        "name": "bowl.png",
        "url": None,
        "width": None,
        "height": None,
    }
    second = send(client, url, png()[:60] + b"x" * 60).json()
    for key in ProductPicture.objects.values_list("pk", flat=True):
        picture_prepare(key)
    first, refused = client.get(url).json()["results"]
    assert (first["state"], first["width"], first["height"], first["url"][-7:]) == (
        "ready",
        40,
        30,
        "-40.jpg",
    )
    assert first["url"].startswith("http")
    assert (refused["refusal"], refused["detail"][:20]) == ("damaged", "The file is damaged ")
    one = f"{url}/{second['id']}"
    for _twice in range(2):
        changed = client.patch(one, {"position": 1, "alt": "A jug"}, format="json").json()
        assert (changed["position"], changed["alt"]) == (1, "A jug")
    assert client.patch(one, {}, format="json").json() == changed
    assert client.delete(one).status_code == 204
    problem(client.delete(one), 404, "not_found")
    problem(client.patch(one, {"position": 1}, format="json"), 404, "not_found")
    assert [row["position"] for row in client.get(url).json()["results"]] == [1]


def test_change_is_whole_or_refused(client, url):
    send(client, url, png(9, 9), alt="A bowl")
    one = f"{url}/{send(client, url, png(), alt='A jug').json()['id']}"
    for change in ({"position": 9}, {"position": 0}, {"alt": "x" * 201}, {"url": "x"}, {"alt": None}):
        problem(client.patch(one, change, format="json"), 400, "validation_error")
    stale = {"alt": "A vase", "seen_alt": "A bowl", "position": 1}
    answer = problem(client.patch(one, stale, format="json"), 409, "conflict")
    assert "to “A jug” in the meantime" in answer["detail"]
    assert [row["alt"] for row in client.get(url).json()["results"]] == ["A bowl", "A jug"]
    fresh = client.patch(one, stale | {"seen_alt": "A jug"}, format="json").json()
    assert (fresh["position"], fresh["alt"]) == (1, "A vase")


def test_upload_may_be_repeated(client, url):
    made = send(client, url, png(), key="one")
    again = send(client, url, png(), key="one")
    assert (again.json(), again["Idempotent-Replayed"]) == (made.json(), "true")
    assert send(client, url, png()).json()["id"] == made.json()["id"], "the same file without a key"
    problem(send(client, url, png(9, 9), key="one"), 422, "idempotency_key_reused")
    # the process died after the commit, before the answer was stored
    IdempotencyKey.objects.update(state=IdempotencyState.RUNNING, body="", status_code=None)
    assert IdempotencyKey.objects.get().effect == f"picture:{made.json()['id']}"
    replayed = send(client, url, png(), key="one")
    assert (replayed.status_code, replayed.json()) == (201, made.json())
    assert ProductPicture.objects.count() == 1


def test_refusals_have_codes(client, url):
    problem(send(client, url, b"<html>"), 400, "picture_refused")
    problem(send(client, url, b""), 400, "picture_refused")
    problem(send(client, url, png(), alt="4242 4242 4242 4242"), 400, "raw_card_data_not_accepted")
    problem(send(client, url, png(), alt=["one", "two"]), 400, "validation_error")
    problem(send(client, url, png(), position="1"), 400, "validation_error")
    for fields in ({"alt": "x"}, {"file": "x"}, {"file": [SimpleUploadedFile("a", png())] * 2}):
        problem(client.post(url, fields, format="multipart"), 400, "validation_error")
    problem(client.post(url, {"file": "x"}, format="json"), 415, "unsupported_media_type")
    broken = client.generic("POST", url, b"--x\r\n", content_type="multipart/form-data")
    problem(broken, 400, "parse_error")
    assert not ProductPicture.objects.exists()
    for number in range(8):
        send(client, url, png(10 + number, 9))
    problem(send(client, url, png(30, 9)), 409, "too_many_pictures")


def test_pictures_of_others_and_of_variants_are_not_found(client, url, bowl, seller, other_seller):
    theirs = ProductFactory.create(artisan=other_seller.artisan)
    variant = ProductFactory.create(artisan=seller.artisan, parent=bowl, option_1="L")
    picture = send(client, url, png()).json()["id"]
    for product in (theirs, variant):
        address = f"/artisan/products/{product.pk}/pictures"
        one = f"{address}/{picture}"
        answers = [client.get(address), send(client, address, png()), client.delete(one)]
        for answer in (*answers, client.patch(one, {"position": 1}, format="json")):
            problem(answer, 404, "not_found")
    other = client_with(other_seller, "read", "products")
    problem(other.delete(f"{url}/{picture}"), 404, "not_found")
    buyer = client_with(seller, "read", "write")
    problem(send(buyer, url, png()), 403, "insufficient_scope")
    assert ProductPicture.objects.get().product == bowl
