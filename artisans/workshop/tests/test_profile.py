"""What artisans say about their workshop, in pages and by API."""

from datetime import date, timedelta

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.services import token_create
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan
from artisans.catalog.profile import ProfileChanged, profile_change, version_of
from artisans.catalog.tests.pictures import png
from artisans.core.errors import InvalidInput
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

PAGE, API = reverse("workshop:profile"), "/artisan/profile/"


def form_of(client):
    return page(client.get(PAGE)).one("form", class_="narrow").fields()


def change(user, version=None, **values):
    artisan = Artisan.objects.get(user=user)
    return profile_change(artisan=artisan, actor=user, values=values, version=version or version_of(artisan))


def test_profile_is_changed_on_a_page_and_shown_to_buyers(browser, seller):
    client = browser(seller)
    typed = form_of(client) | {
        "story": "عجلتان\nOne kiln 🏺",
        "town": "Port Ellery",
        "processing_days": "3",
        "contact_email": "hello@harbour.test",
    }

    answers = [client.post(PAGE, typed) for _time in range(2)]

    assert [answer.url for answer in answers] == [PAGE, PAGE]
    shown = page(browser().get(reverse("catalog:artisan", args=[seller.artisan.slug])))
    for text in ("One kiln 🏺", "Port Ellery", "Usually ships within 3 days.", "hello@harbour.test"):
        assert text in shown.text
    assert AuditEntry.objects.get(action="profile.change").data == {
        "fields": "story, town, processing_days, contact_email"
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("town", ""), ("processing_days", "366"), ("contact_email", "x"), ("back_on", "2026-02-30"),
     ("back_on", "2001-01-01"), ("holiday_from", "2031-01-01"), ("story", "a\x00b")],
)  # fmt: skip
def test_wrong_input_is_shown_again_with_what_is_wrong(browser, seller, field, value):
    client = browser(seller)
    before = version_of(Artisan.objects.get(user=seller))

    shown = page(client.post(PAGE, form_of(client) | {"town": "Elsewhere", field: value}))

    assert shown.one(class_="error-summary").all("li")
    assert version_of(Artisan.objects.get(user=seller)) == before


def test_changes_of_two_people_are_kept_or_named(browser, seller):
    client = browser(seller)
    seen = form_of(client)
    change(seller, town="Newhaven", processing_days=5)

    shown = page(client.post(PAGE, seen | {"town": "Oldhaven", "story": "Mine"}))
    assert "The place is now “Newhaven”. Nothing was saved." in shown.text
    assert shown.one("input", name="town").attrs["value"] == "Oldhaven"

    client.post(PAGE, seen | {"story": "Mine"})
    client.post(PAGE, shown.one("form", class_="narrow").fields())
    artisan = Artisan.objects.get(user=seller)
    assert (artisan.town, artisan.story) == ("Oldhaven", "Mine")


def test_holiday_begins_and_ends_by_itself_in_the_shops_time_zone(settings, seller, time_machine):
    settings.TIME_ZONE = "Pacific/Auckland"
    time_machine.move_to("2026-08-01T11:30Z", tick=False)  # half past eleven at night
    artisan = change(seller, holiday_from=date(2026, 8, 2), back_on=date(2026, 8, 12))
    found = [artisan.on_holiday_until]
    for moment in ("2026-08-01T12:00Z", "2026-08-11T11:59Z", "2026-08-11T12:00Z"):
        time_machine.move_to(moment, tick=False)
        found.append(artisan.on_holiday_until)

    assert found == [None, date(2026, 8, 12), date(2026, 8, 12), None]
    assert (change(seller, town="x").back_on, change(seller, back_on=date(2026, 9, 1)).holiday_from) == (
        None,
        None,
    )


def test_holiday_needs_an_end_in_the_future_and_after_its_start(seller):
    today = timezone.localdate()
    for values in (
        {"back_on": today},
        {"holiday_from": today},
        {"holiday_from": today + timedelta(2), "back_on": today + timedelta(2)},
    ):
        with pytest.raises(InvalidInput):
            change(seller, **values)
    change(seller, back_on=today + timedelta(1))
    with pytest.raises(InvalidInput):
        change(seller, holiday_from=today + timedelta(1))
    seen = version_of(Artisan.objects.get(user=seller))
    assert change(seller, back_on=None).on_holiday_until is None
    with pytest.raises(ProfileChanged, match="first day after the holiday is now “”"):
        change(seller, seen, back_on=today + timedelta(3))


def test_api_shows_and_changes_the_profile(api, seller, shopper):
    client = api(seller)
    seen = client.get(API).json()
    until = (timezone.localdate() + timedelta(3)).isoformat()

    changed = client.patch(API, {"version": seen["version"], "town": "Newhaven", "back_on": until}).json()

    assert (changed["town"], changed["back_on"], changed["story"]) == ("Newhaven", until, seen["story"])
    assert client.get(f"/artisans/{seller.artisan.pk}/").json()["back_on"] == until
    stale = problem(
        client.patch(API, {"version": seen["version"], "town": "Oldhaven"}), 409, "profile_changed"
    )
    assert stale["changes"] == [{"field": "town", "now": "Newhaven"}]
    problem(client.patch(API, {"version": changed["version"], "back_on": "2001-01-01"}), 400, "invalid_input")
    problem(api(shopper).get(API), 404)
    token = token_create(user=seller, name="", scopes=["read", "write"])[1]
    reads = api()
    reads.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    problem(reads.patch(API, {"version": seen["version"], "town": "x"}), 403, "insufficient_scope")


def test_portrait_is_uploaded_refused_and_removed_on_the_page(browser, seller, settings, tmp_path):
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.MEDIA_ROOT, settings.STORAGES = str(tmp_path), settings.STORAGES | {"default": files}
    client, address = browser(seller), reverse("workshop:portrait")

    def send(content):
        shown = page(client.post(address, {"portrait": ContentFile(content, "me.png")}, follow=True))
        return shown, Artisan.objects.get(user=seller).portrait

    shown, portrait = send(png())
    assert "The portrait was saved." in shown.text
    assert shown.one("main").all("img", src=portrait.url)
    refused, same = send(b"<html>")
    assert "not a JPEG, PNG, WebP, AVIF or HEIC picture" in refused.text
    assert same == portrait
    assert "Choose a file first." in page(client.post(address, follow=True)).text
    client.post(address, {"remove": "1"})
    assert not Artisan.objects.get(user=seller).portrait
