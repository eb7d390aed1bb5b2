"""Adding commission rates: previewed, with notice, by a second person where the store asks."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan, CommissionRate, Product
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.core.errors import Conflict, Forbidden, InvalidInput
from artisans.notifications.models import Notification
from orders.errors import OwnMoney
from orders.models import StoreRules
from orders.services import rates
from orders.services.rates import NewRate, rate_add, rate_changes
from orders.tests.factories import place, store_of
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ADD = "/admin/catalog/commissionrate/new/"
LIST = "/admin/catalog/commissionrate/"


def in_days(days: int) -> str:
    return (timezone.now() + timedelta(days=days)).isoformat()


@pytest.fixture
def second(db) -> User:
    return User.objects.create_superuser("second@example.test", "correct-horse-1")


def mailed() -> list[str]:
    rows = Notification.objects.filter(kind="commission_raised").order_by("recipient")
    return list(rows.values_list("recipient", flat=True))


# ---- service -------------------------------------------------------------------------------------------------


def test_rise_is_added_with_notice_audited_and_mailed_to_whom_it_touches(bowl, scarf, admin_user):
    rate_add(NewRate("USD", str(scarf.artisan_id), rate_ppm=90_000, is_agreed=True), actor=admin_user)
    Notification.objects.all().delete()

    rate = rate_add(NewRate("USD", rate_ppm=100_000, valid_from=in_days(31)), actor=admin_user)

    assert (rate.rate_ppm, rate.made_by, rate.artisan, rate.category) == (100_000, admin_user, None, None)
    assert mailed() == [bowl.artisan.email], "the weaver has a rate of their own"
    mail = Notification.objects.get(kind="commission_raised")
    assert mail.context["artisan_name"] == bowl.artisan.name
    entry = AuditEntry.objects.filter(action="setting.change").latest("pk")
    assert "All artisans: 10.00% of the goods" in entry.data["changes"][0]["new"]


def test_a_lower_rate_starts_at_once_without_an_email(bowl, admin_user):
    Artisan.objects.update(commission_ppm=80_000)
    artisan = bowl.artisan

    rate_add(NewRate("USD", str(artisan.pk), rate_ppm=50_000), actor=admin_user)

    assert mailed() == []
    assert place({bowl: 1}).order.parcels.get().commission_ppm == 50_000


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"rate_ppm": 1}, InvalidInput, "This is an increase for Harbour Pottery, so it cannot start before"),
        ({"minimum_minor": 1}, InvalidInput, "This is an increase"),
        ({"fixed_minor": 1, "valid_from": in_days(29)}, InvalidInput, "This is an increase"),
        ({"valid_from": in_days(-1)}, InvalidInput, "cannot start in the past"),
        ({"is_end": True}, InvalidInput, "The store’s own rate cannot end"),
    ],
)
def test_refusals_name_the_remedy_and_add_nothing(bowl, admin_user, changes, error, words):
    with pytest.raises(error, match=words):
        rate_add(NewRate(**{"currency": "USD"} | changes), actor=admin_user)

    assert not CommissionRate.objects.exists()
    assert mailed() == []


def test_two_rates_of_one_kind_cannot_start_at_the_same_time(bowl, scarf, admin_user, monkeypatch):
    start = in_days(40)
    first = rate_add(NewRate("USD", rate_ppm=100_000, valid_from=start), actor=admin_user)
    rate_add(NewRate("USD", str(bowl.artisan_id), rate_ppm=100_000, valid_from=start), actor=admin_user)

    with pytest.raises(Conflict, match="a minute later"):
        rate_add(NewRate("USD", rate_ppm=50_000, valid_from=start), actor=admin_user)
    monkeypatch.setattr(rates, "rate_check", lambda *args, **options: None)  # both had checked before
    with pytest.raises(Conflict, match="a minute later"):
        rate_add(NewRate("USD", rate_ppm=50_000, valid_from=start), actor=admin_user)

    assert CommissionRate.objects.filter(artisan=None).get() == first


def test_service_needs_the_permission(staff):
    with pytest.raises(Forbidden):
        rate_add(NewRate("USD", rate_ppm=1, is_agreed=True), actor=staff)


def test_rates_are_never_changed_or_deleted(admin_user):
    rate = rate_add(NewRate("USD", rate_ppm=1, is_agreed=True), actor=admin_user)
    for write in (lambda: CommissionRate.objects.update(rate_ppm=2), rate.delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            write()


def test_second_person_approves_where_the_store_asks(bowl, admin_user, second):
    StoreRules.objects.update(second_person_for_settings=True)
    new = NewRate("USD", str(bowl.artisan_id), rate_ppm=100_000, is_agreed=True)

    assert rate_add(new, actor=admin_user) is None
    assert not CommissionRate.objects.exists()
    approval = ApprovalRequest.objects.get()
    assert approval.title == "Commission rate: Harbour Pottery"

    assert approval_approve(approval_id=approval.pk, actor=second).status == "APPROVED"

    rate = CommissionRate.objects.get()
    assert (rate.artisan, rate.rate_ppm, rate.made_by) == (bowl.artisan, 100_000, admin_user)
    assert rate.valid_from <= timezone.now()
    assert mailed() == [bowl.artisan.email]


def test_approver_reads_what_changes_for_whom(bowl, scarf, admin_user, second):
    rate_add(NewRate("USD", str(scarf.artisan_id), rate_ppm=120_000, is_agreed=True), actor=admin_user)
    StoreRules.objects.update(second_person_for_settings=True)

    rate_add(NewRate("USD", rate_ppm=100_000, is_agreed=True), actor=admin_user)
    rate_add(NewRate("USD", str(scarf.artisan_id), rate_ppm=90_000), actor=admin_user)

    of_store, of_weaver = (
        dict(json.loads(row.details)) for row in ApprovalRequest.objects.order_by("created_at")
    )
    assert of_store["Artisans whose commission changes"] == "1"
    assert of_store["Harbour Pottery"] == "0.00% of the goods → 10.00% of the goods (an increase)"
    assert of_store["Notice"] == "The artisans concerned have agreed to this start"
    assert of_weaver[scarf.artisan.name] == "12.00% of the goods → 9.00% of the goods"
    assert "Notice" not in of_weaver


def test_notice_counts_from_the_approval(bowl, admin_user, second, time_machine):
    StoreRules.objects.update(second_person_for_settings=True)
    time_machine.move_to(timezone.now(), tick=False)
    with pytest.raises(InvalidInput, match="This is an increase"):
        rate_add(NewRate("USD", rate_ppm=100_000, valid_from=in_days(32)), actor=admin_user)

    rate_add(NewRate("USD", rate_ppm=100_000, valid_from=in_days(33)), actor=admin_user)
    time_machine.shift(timedelta(days=3, seconds=-1))

    assert approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second).status == "APPROVED"
    assert CommissionRate.objects.get().valid_from >= timezone.now() + timedelta(days=30)


def test_request_fails_if_it_has_become_a_rise_without_notice(bowl, admin_user, second):
    rate_add(NewRate("USD", rate_ppm=100_000, is_agreed=True), actor=admin_user)
    StoreRules.objects.update(second_person_for_settings=True)
    rate_add(NewRate("USD", rate_ppm=80_000, valid_from=in_days(1)), actor=admin_user)
    StoreRules.objects.update(second_person_for_settings=False)
    rate_add(NewRate("USD", rate_ppm=50_000), actor=admin_user)

    approval = approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)

    assert (approval.status, CommissionRate.objects.count()) == ("FAILED", 2)
    assert approval.note.startswith("This is an increase for")


@pytest.mark.parametrize("has_changed", [True, False])
def test_request_fails_if_what_the_approver_read_as_before_has_changed(bowl, admin_user, second, has_changed):
    rate_add(NewRate("USD", rate_ppm=100_000, is_agreed=True), actor=admin_user)
    StoreRules.objects.update(second_person_for_settings=True)
    rate_add(NewRate("USD", rate_ppm=80_000), actor=admin_user)
    ProductFactory.create()  # of an artisan who came since, which changes nothing for the others
    if has_changed:
        StoreRules.objects.update(second_person_for_settings=False)
        rate_add(NewRate("USD", str(bowl.artisan_id), rate_ppm=90_000), actor=admin_user)
        rate_add(NewRate("USD", str(bowl.artisan_id), is_end=True, valid_from=in_days(40)), actor=admin_user)

    approval = approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)

    if has_changed:
        assert (approval.status, CommissionRate.objects.count()) == ("FAILED", 3)
        assert approval.note.startswith(f"What applies to {bowl.artisan.name} without this rate has changed")
    else:
        assert (approval.status, CommissionRate.objects.count()) == ("APPROVED", 2)


def test_artisans_who_are_not_active_are_told_of_a_rise_too(bowl, scarf, admin_user):
    Artisan.objects.filter(pk=scarf.artisan_id).update(is_active=False)
    erased = ArtisanFactory.create(email="0a@erased.invalid", is_active=False)

    rate_add(NewRate("USD", rate_ppm=100_000, is_agreed=True), actor=admin_user)

    assert mailed() == sorted([bowl.artisan.email, scarf.artisan.email])
    assert erased.email not in mailed()


def test_lower_rate_whose_start_has_passed_starts_with_its_approval(bowl, admin_user, second, time_machine):
    time_machine.move_to(timezone.now())
    rate_add(NewRate("USD", rate_ppm=100_000, is_agreed=True), actor=admin_user)
    StoreRules.objects.update(second_person_for_settings=True)
    rate_add(NewRate("USD", rate_ppm=80_000, valid_from=in_days(1)), actor=admin_user)
    time_machine.shift(timedelta(days=2))

    assert approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second).status == "APPROVED"
    assert CommissionRate.objects.first().valid_from <= timezone.now()


def test_nobody_decides_about_the_rate_of_their_own_workshop(bowl, scarf, admin_user, second):
    Artisan.objects.filter(pk=bowl.artisan_id).update(user=second)
    own = NewRate("USD", str(bowl.artisan_id), rate_ppm=50_000, is_agreed=True)
    only_seller = NewRate("USD", category_id=bowl.category_id, rate_ppm=50_000, is_agreed=True)
    Product.objects.exclude(pk=bowl.pk).filter(category=bowl.category_id).update(category=None)
    for new in (own, only_seller):
        with pytest.raises(OwnMoney):
            rate_add(new, actor=second)
    StoreRules.objects.update(second_person_for_settings=True)
    rate_add(own, actor=admin_user)
    with pytest.raises(OwnMoney):
        approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)
    assert not CommissionRate.objects.exists()

    StoreRules.objects.update(second_person_for_settings=False)
    assert rate_add(NewRate("USD", rate_ppm=70_000, is_agreed=True), actor=second), "it concerns others too"


def test_changes_are_listed_by_artisan_and_by_category_where_these_differ(bowl, scarf, admin_user):
    cup = ProductFactory.create(artisan=bowl.artisan, price_minor=1000)
    rate_add(NewRate("USD", category_id=cup.category_id, rate_ppm=50_000, is_agreed=True), actor=admin_user)

    found = rate_changes(NewRate("USD", rate_ppm=80_000))

    assert [(change.artisan, change.categories) for change in found] == [
        (bowl.artisan, (bowl.category.name,)),
        (scarf.artisan, ()),
    ]
    assert all(change.is_rise for change in found)
    assert rate_changes(NewRate("USD", str(bowl.artisan_id), cup.category_id, rate_ppm=50_000)) == []


def test_rise_that_begins_when_a_special_rate_ends_is_named_and_mailed_for_that_day(
    bowl, scarf, admin_user, second
):
    weaver, end = scarf.artisan, in_days(40)
    for new in (
        NewRate("USD", rate_ppm=100_000),
        NewRate("USD", str(weaver.pk), rate_ppm=50_000),
        NewRate("USD", str(weaver.pk), is_end=True, valid_from=end),
    ):
        rate_add(replace(new, is_agreed=True), actor=admin_user)
    Notification.objects.all().delete()
    StoreRules.objects.update(second_person_for_settings=True)
    general = NewRate("USD", rate_ppm=200_000, valid_from=in_days(39))

    at_once, late = rate_changes(general)
    rate_add(general, actor=admin_user)
    approval = ApprovalRequest.objects.get()
    approval_approve(approval_id=approval.pk, actor=second)

    assert (at_once.artisan, at_once.later, late.artisan) == (bowl.artisan, None, weaver)
    assert (late.before.rate_ppm, late.after.rate_ppm) == (100_000, 200_000)
    assert late.later == datetime.fromisoformat(end)
    labels = dict(json.loads(approval.details))
    assert bowl.artisan.name in labels
    assert any(label.startswith(f"{weaver.name}: from ") for label in labels)
    assert mailed() == sorted([bowl.artisan.email, weaver.email])
    starts = [mail.context["starts"] for mail in Notification.objects.filter(kind="commission_raised")]
    assert starts[0] != starts[1]


@pytest.mark.parametrize(("days", "is_refused"), [(20, True), (40, False)])
def test_notice_counts_to_the_day_on_which_it_becomes_a_rise(scarf, admin_user, days, is_refused):
    weaver = str(scarf.artisan_id)
    Artisan.objects.exclude(pk=weaver).update(is_active=False)
    for new in (
        NewRate("USD", rate_ppm=100_000),
        NewRate("USD", weaver, rate_ppm=50_000),
        NewRate("USD", weaver, is_end=True, valid_from=in_days(days)),
        NewRate("USD", weaver, rate_ppm=10_000, valid_from=in_days(60)),
    ):
        rate_add(replace(new, is_agreed=True), actor=admin_user)
    assert rate_changes(NewRate("USD", rate_ppm=150_000, valid_from=in_days(61))) == []
    soon = NewRate("USD", rate_ppm=150_000, valid_from=in_days(1))

    if is_refused:
        with pytest.raises(InvalidInput, match=f"This is an increase for {scarf.artisan.name}"):
            rate_add(soon, actor=admin_user)
    else:
        assert rate_add(soon, actor=admin_user) is not None


# ---- pages ---------------------------------------------------------------------------------------------------


def typed(**values: str) -> dict[str, str]:
    return {"currency": "USD", "rate": "10", "is_agreed": "on"} | values


def test_rate_is_previewed_before_it_is_added(browser, admin_user, bowl, scarf):
    client = browser(admin_user)
    store_of(commission_tax_ppm=200_000)

    shown = page(client.post(ADD, typed(minimum="40")))

    assert not CommissionRate.objects.exists()
    assert "It changes the commission of 2 artisans" in shown.text
    assert "10.00% of the goods, at least $40.00 per parcel" in shown.text
    assert "A parcel with Tide scarf for $33.33 would leave its artisan nothing of the goods." in shown.text
    assert "2 artisans get an email about the increase." in shown.text

    again = shown.one("main").one("form").fields()
    answer = client.post(ADD, again, follow=True)

    assert "The rate was added." in page(answer).text
    rate = CommissionRate.objects.get()
    assert (rate.rate_ppm, rate.minimum_minor, rate.currency) == (100_000, 4000, "USD")
    assert "10.00% of the goods, at least $40.00 per parcel" in page(answer).text


def test_rate_in_a_currency_that_is_not_sold_in_yet(browser, admin_user, bowl):
    client = browser(admin_user)
    assert 'value="USD"' in client.get(ADD).content.decode()

    shown = page(client.post(ADD, typed(currency="JPY", fixed="30")))
    client.post(ADD, shown.one("main").one("form").fields())

    assert "10.00% of the goods, plus ¥30 per parcel (JPY)" in shown.text
    rate = CommissionRate.objects.get()
    assert (rate.currency, rate.fixed_minor) == ("JPY", 30)
    assert place({bowl: 1}).order.parcels.get().commission_minor == 0
    assert "JPY" in page(client.get(LIST)).one("table", id="result_list").text


def test_what_was_changed_after_the_preview_is_previewed_again(browser, admin_user, bowl):
    client = browser(admin_user)
    form = page(client.post(ADD, typed())).one("main").one("form").fields()

    shown = page(client.post(ADD, form | {"rate": "20"}))

    assert "20.00% of the goods" in shown.text
    assert not CommissionRate.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"currency": "EUX"},
        {"currency": "JPY", "fixed": "1.50"},
        {"rate": ""},
        {"rate": "101"},
        {"rate": "1.234"},
        {"minimum": "-1"},
        {"minimum": "5", "cap": "4"},
        {"is_end": "on"},
        {"artisan": "nobody"},
        {"category": "999999"},
        {"valid_from": "yesterday"},
        {"valid_from": "2020-01-01T00:00"},
        {"is_agreed": ""},
        {"previewed": "x", "is_agreed": ""},
    ],
)
def test_wrong_input_is_explained_and_adds_nothing(browser, admin_user, bowl, wrong):
    answer = browser(admin_user).post(ADD, typed(**wrong))

    shown = page(answer)
    assert answer.status_code == 200
    assert shown.all("p", **{"class": "aa-error"}) or shown.all("div", role="alert")
    assert "Preview: nothing saved yet" not in shown.text
    assert not CommissionRate.objects.exists()


def test_list_shows_what_applies_and_what_is_planned(browser, admin_user, bowl):
    for new in (
        NewRate("USD", rate_ppm=100_000),
        NewRate("USD", rate_ppm=80_000),
        NewRate("USD", str(bowl.artisan_id), rate_ppm=50_000),
        NewRate("USD", str(bowl.artisan_id), is_end=True, valid_from=in_days(60)),
    ):
        rate_add(replace(new, is_agreed=True), actor=admin_user)
    client = browser(admin_user)

    now = page(client.get(f"{LIST}?state=now")).one("table", id="result_list").text
    planned = page(client.get(f"{LIST}?state=planned")).one("table", id="result_list").text
    everything = page(client.get(LIST)).one("table", id="result_list").text

    percents = re.compile(r"[0-9]+\.00%")
    assert percents.findall(now) == ["5.00%", "8.00%"]
    assert "no rate of its own" in planned
    assert percents.findall(everything) == ["5.00%", "8.00%", "10.00%"]
    assert "Former" in everything
    rate = CommissionRate.objects.first()
    assert client.get(f"{LIST}{rate.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{rate.pk}/change/", {"rate_ppm": "1"}).status_code == 403
    assert client.post(f"{LIST}{rate.pk}/delete/", {"post": "yes"}).status_code == 403


def test_pages_need_the_permission(browser, staff, bowl):
    client = browser(staff)

    assert client.get(ADD).status_code == 403
    assert client.post(ADD, typed()).status_code == 403
    assert client.get(LIST).status_code == 403
