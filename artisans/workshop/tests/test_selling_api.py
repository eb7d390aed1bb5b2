"""Becoming an artisan by API; tests/test_guides.py runs the whole way."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from artisans.catalog.applications import application_decide
from artisans.catalog.models import Artisan
from artisans.catalog.statuses import ApplicationStatus
from artisans.catalog.terms import terms_publish
from artisans.catalog.tests.factories import CategoryFactory
from artisans.catalog.tests.pictures import png
from artisans.workshop.tests.test_stock_api import client_with
from tests import rows
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
URL = "/artisan/application"
WORKSHOP = {"name": "Fern & Ash", "craft": "Basket maker", "town": "Astoria"}


@pytest.fixture
def helper(store):
    return rows.helper()


def test_application_needs_its_steps_and_an_answer_to_each_question(api, admin_user, stranger):
    client = api(stranger)
    problem(client.get(URL), 404)
    problem(client.post(URL, WORKSHOP), 409)  # the shop has no terms yet
    terms_publish(text="Be kind.", changes="", actor=admin_user, seen=0)
    begun = client.post(URL, WORKSHOP)
    assert (begun.status_code, begun.json()["status"]) == (201, "draft")
    assert begun.json() == client.post(URL, WORKSHOP).json()
    assert begun.json()["checklist"] == {"profile": False, "products": False, "terms": False}
    problem(client.post(f"{URL}/submit", {}), 400)
    assert Artisan.objects.get(user=stranger).products.count() == 0


def test_question_is_answered_with_words(api, admin_user):
    application = rows.applying()
    client = api(application.artisan.user)
    client.post(f"{URL}/submit", {})
    application_decide(
        application_id=application.pk, to=ApplicationStatus.ASKED, actor=admin_user, text="Where?", seen=2
    )
    shown = client.get(URL).json()
    assert (shown["status"], shown["messages"][-1]["by"], shown["messages"][-1]["text"]) == (
        "asked",
        "shop",
        "Where?",
    )
    problem(client.post(f"{URL}/submit", {"message": ""}), 400)
    assert client.post(f"{URL}/submit", {"message": "In Astoria."}).json()["status"] == "submitted"
    for _ in range(2):
        assert client.post(f"{URL}/withdraw").json()["status"] == "withdrawn"
    problem(client.post(f"{URL}/submit", {"message": "After all."}), 409)


def test_only_owners_accept_the_version_that_holds(api, seller, helper, stranger, admin_user):
    for number in (0, 1):
        terms_publish(text=f"Version {number + 1}.", changes="", actor=admin_user, seen=number)
    assert api(stranger).get("/artisan/terms").json()["number"] == 2
    problem(api(helper).post("/artisan/terms/accept", {"number": 2}), 404)
    problem(api(stranger).post("/artisan/terms/accept", {"number": 2}), 404)
    problem(api(seller).post("/artisan/terms/accept", {"number": 1}), 409, "terms_changed")
    problem(api(seller).post("/artisan/terms/accept", {"number": 3}), 404)
    accepted = api(seller).post("/artisan/terms/accept", {"number": 2}).json()
    assert accepted["accepted_at"] == api(seller).get("/artisan/terms").json()["accepted_at"] is not None


def test_portrait_is_uploaded_and_removed(seller, helper):
    client = client_with(seller, "read", "products")

    def upload(client, content):
        file = SimpleUploadedFile("me.png", content)
        return client.post("/artisan/profile/portrait", {"file": file}, format="multipart")

    shown = upload(client, png(40, 30)).json()["portrait"]
    assert shown.startswith("http")
    assert client.get("/artisan/profile").json()["portrait"] == shown
    problem(upload(client, b"<html>"), 400, "picture_refused")
    problem(upload(client_with(seller, "read", "write"), png()), 403)
    problem(upload(client_with(helper, "read", "products"), png()), 404)
    for _ in range(2):
        assert client.delete("/artisan/profile/portrait").status_code == 204
    assert client.get("/artisan/profile").json()["portrait"] is None


def test_categories_are_listed_with_what_they_are_part_of(api):
    tableware = CategoryFactory.create(slug="tableware", name="Tableware")
    CategoryFactory.create(slug="bowls", name="Bowls", parent=tableware)
    assert api().get("/products/categories").json() == [
        {"slug": "tableware", "name": "Tableware", "parent_slug": None},
        {"slug": "bowls", "name": "Bowls", "parent_slug": "tableware"},
    ]
