"""Becoming an artisan: applying, being asked and answering, the decision, and terms that change."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.models import Role, User
from artisans.audit.models import AuditEntry
from artisans.catalog.access import artisan_of
from artisans.catalog.applications import (
    ApplicationChanged,
    application_decide,
    application_of,
    application_start,
    application_submit,
    application_withdraw,
    check_may_apply,
)
from artisans.catalog.artisan_states import OwnWorkshop, WorkshopNotActive
from artisans.catalog.members import AlreadyInTeam, member_invite
from artisans.catalog.models import (
    Application,
    ApplicationEvent,
    Artisan,
    MemberRole,
    Product,
    TermsAcceptance,
)
from artisans.catalog.products import product_create, product_publish
from artisans.catalog.statuses import ApplicationStatus, ArtisanState
from artisans.catalog.terms import TermsChanged, terms_accept, terms_now, terms_publish, terms_to_accept
from artisans.catalog.tests.factories import CategoryFactory
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from artisans.core.retention import RULES, purge
from artisans.core.security.tokens import invitation_token
from artisans.notifications.models import Notification
from artisans.privacy.services import erasure_continue, user_erase
from tests import rows
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

START, APPLICATION = reverse("selling:start"), reverse("selling:application")
A = ApplicationStatus
WORKSHOP = {"name": "Fern & Ash <Studio>", "craft": "Basket maker", "town": "Astoria"}


@pytest.fixture
def terms(admin_user):
    return terms_publish(text="Be kind.\n\nShip in time.", changes="", actor=admin_user, seen=0)


@pytest.fixture
def applying(terms):
    """The application of the stranger, with all steps done."""
    return rows.applying()


def draft(artisan, user):
    values = {"name": "Basket", "category": CategoryFactory.create(), "price_minor": 4500}
    return product_create(artisan=artisan, actor=user, currency="USD", values=values)


def decide(application, to, actor, text="", **changes):
    seen = application.events.count()
    arguments = {"application_id": application.pk, "to": to, "actor": actor, "text": text, "seen": seen}
    return application_decide(**arguments | changes)


def sent(kind):
    return Notification.objects.filter(kind=kind)


def test_somebody_applies_step_by_step(browser, terms, stranger, admin_user):
    client = browser(stranger)
    assert page(browser().get(START)).one("main").one("a", href=f"{reverse('account_login')}?next={START}")
    assert client.post(START, {**WORKSHOP, "craft": ""}).status_code == 200
    assert client.post(START, WORKSHOP).url == client.post(START, WORKSHOP).url == APPLICATION
    stranger.refresh_from_db()
    artisan = artisan_of(stranger)
    assert (artisan.state, artisan.is_active, artisan.email) == (ArtisanState.PENDING, False, stranger.email)
    assert client.get(START).url == APPLICATION
    assert "Complete the steps" in page(client.post(reverse("selling:submit"), {"text": "Hello"})).text
    seen = page(client.get(reverse("selling:details")))
    entered = {
        **WORKSHOP,
        "story": "Willow, by hand.",
        "contact_email": "fern@example.test",
        "version": seen.one("input", name="version").attrs["value"],
    }
    assert client.post(reverse("selling:details"), entered | {"name": "Fern & Ash"}).url == APPLICATION
    assert Artisan.objects.get(pk=artisan.pk).name == "Fern & Ash"
    draft(artisan, stranger)
    assert client.post(reverse("selling:terms"), {"terms": "1"}).url == APPLICATION
    assert page(client.get(APPLICATION)).text.count("Done") == 3
    assert client.post(reverse("selling:submit"), {"text": "Here <I> am."}).url == APPLICATION
    assert sent("application_submitted").get().recipient == admin_user.email


def test_staff_ask_in_words_and_approve_what_they_saw(browser, applying, stranger, admin_user):
    client, staff, application, artisan = browser(stranger), browser(admin_user), applying, applying.artisan
    basket = artisan.products.get()
    application_submit(application_id=application.pk, actor=stranger, text="Here <I> am.")
    shown = page(staff.get(admin_page_url(application)))
    assert "Here <I> am." in shown.text
    assert "Willow, by hand." in shown.text
    asked = {"text": "Where does the willow come from?", "seen": application.events.count()}
    assert staff.post(admin_page_url(application, "question"), asked | {"text": ""}).status_code == 200
    assert staff.post(admin_page_url(application, "question"), asked).url == admin_page_url(application)
    assert "Where does the willow" in page(client.get(APPLICATION)).text
    assert sent("application_asked").get().recipient == stranger.email
    assert "This field is required" in page(client.post(reverse("selling:submit"), {"text": ""})).text
    with pytest.raises(InvalidInput):
        application_submit(application_id=application.pk, actor=stranger)
    client.post(reverse("selling:submit"), {"text": "From the river."})
    stale = staff.post(admin_page_url(application, "approve"), {"text": "", "seen": asked["seen"]})
    assert "was changed after you opened" in page(stale).text
    with pytest.raises(WorkshopNotActive):
        product_publish(artisan=artisan, product_id=basket.pk, actor=stranger)
    assert client.get(reverse("catalog:artisan", args=[artisan.slug])).status_code == 404

    staff.post(admin_page_url(application, "approve"), {"text": "", "seen": application.events.count()})

    artisan.refresh_from_db()
    assert (artisan.state, artisan.is_active) == (ArtisanState.ACTIVE, True)
    assert client.post(reverse("workshop:product_publish", args=[basket.pk])).status_code == 302
    assert "Basket" in page(browser().get(reverse("catalog:artisan", args=[artisan.slug]))).text
    assert sent("application_approved").count() == 1
    moves = AuditEntry.objects.filter(action="application.move").order_by("pk")
    assert [entry.data["status"] for entry in moves] == [
        "draft",
        "submitted",
        "asked",
        "submitted",
        "approved",
    ]


def test_before_approval_only_drafts_are_prepared(api, browser, applying, stranger):
    """Pages and API; there is no team, and nobody is asked to close what is not open."""
    client, program = browser(stranger), api(stranger)
    basket = Product.objects.get(artisan=applying.artisan)
    for name in ("workshop:product_list", "workshop:stock_list", "workshop:profile", "orders:parcel_list"):
        shown = page(client.get(reverse(name)))
        assert shown.one("main").all("a", href=APPLICATION), name
    assert client.get(reverse("workshop:close")).status_code == 404
    assert (
        "has not approved"
        in page(client.post(reverse("workshop:product_publish", args=[basket.pk]), follow=True)).text
    )

    assert program.get("/artisan/profile/").json()["state"] == "pending"
    refused = problem(program.post(f"/artisan/products/{basket.pk}/publish", {}), 409)
    assert refused["code"] == "workshop_not_active"
    with pytest.raises(WorkshopNotActive):
        member_invite(
            artisan=applying.artisan, actor=stranger, email="x@example.test", role=MemberRole.HELPER
        )
    assert not Product.objects.get().is_active


def test_a_refusal_says_why_and_can_be_taken_back_by_asking(browser, applying, stranger, admin_user):
    application_submit(application_id=applying.pk, actor=stranger)
    with pytest.raises(InvalidInput):
        decide(applying, A.REFUSED, admin_user)
    decide(applying, A.REFUSED, admin_user, "We have many basket makers.")

    stranger.refresh_from_db()
    client = browser(stranger)
    assert (stranger.role, artisan_of(stranger)) == (Role.SHOPPER, None)
    assert "many basket makers" in page(client.get(APPLICATION)).text
    assert client.get(reverse("workshop:product_list")).status_code == 404
    with pytest.raises(Conflict):
        application_submit(application_id=applying.pk, actor=stranger, text="Please!")
    with pytest.raises(Conflict):
        application_start(user=stranger, **WORKSHOP)

    decide(applying, A.ASKED, admin_user, "One has left. Do you still want to?")
    stranger.refresh_from_db()
    application_submit(application_id=applying.pk, actor=stranger, text="Yes.")
    decide(applying, A.APPROVED, admin_user)
    assert artisan_of(stranger).state == ArtisanState.ACTIVE


def test_who_withdraws_takes_it_up_again_where_it_was(browser, applying, stranger):
    client = browser(stranger)
    assert (
        client.post(reverse("selling:withdraw")).url == client.post(reverse("selling:withdraw")).url == START
    )
    stranger.refresh_from_db()
    assert (stranger.role, artisan_of(stranger)) == (Role.SHOPPER, None)

    assert client.post(START, WORKSHOP).url == APPLICATION
    assert application_of(stranger).status == A.DRAFT
    assert application_submit(application_id=applying.pk, actor=stranger).status == A.SUBMITTED


def test_only_people_with_a_confirmed_address_and_without_a_workshop_apply(
    browser, terms, shopper, seller, stranger, admin_user
):
    EmailAddress.objects.create(user=stranger, email=stranger.email, verified=False)
    for user, error in ((stranger, Forbidden), (admin_user, Forbidden), (seller, AlreadyInTeam)):
        with pytest.raises(error):
            application_start(user=user, **WORKSHOP)
    assert "Confirm your email address" in page(browser(stranger).get(START)).text
    other = application_start(user=shopper, **WORKSHOP)
    for act in (application_submit, application_withdraw):
        with pytest.raises(NotFound):
            act(application_id=other.pk, actor=stranger)
    assert Artisan.objects.filter(stored_state=ArtisanState.PENDING).count() == 1


def test_without_terms_the_shop_takes_no_applications(browser, stranger):
    with pytest.raises(Conflict):
        check_may_apply(stranger)
    assert "does not take applications" in page(browser(stranger).post(START, WORKSHOP)).text
    assert browser(stranger).get(reverse("selling:terms")).status_code == 404


def test_only_other_staff_with_the_permission_decide_and_two_do_not_decide_at_once(
    applying, stranger, admin_user
):
    application_submit(application_id=applying.pk, actor=stranger)
    for nobody in (rows.powerless_staff(), rows.seller(), stranger):
        with pytest.raises(Forbidden):
            decide(applying, A.APPROVED, nobody)
    shown = applying.events.count()
    decide(applying, A.ASKED, admin_user, "Which wood?")
    with pytest.raises(ApplicationChanged):
        decide(applying, A.REFUSED, admin_user, "No.", seen=shown)
    type(stranger).objects.filter(pk=stranger.pk).update(role=Role.STAFF, is_superuser=True)
    stranger.refresh_from_db()
    with pytest.raises(OwnWorkshop):
        decide(applying, A.APPROVED, stranger)


def test_new_terms_are_asked_for_and_accepted_by_owners_with_version_and_time(
    browser, terms, seller, admin_user
):
    workshop = seller.artisan
    helper = rows.helper()
    with pytest.raises(Forbidden):
        terms_accept(artisan=workshop, terms_id=terms.pk, actor=helper)
    terms_accept(artisan=workshop, terms_id=terms.pk, actor=seller)
    staff, address = browser(admin_user), reverse("admin:catalog_terms_publish")
    entered = {"text": "Be kind.\n\nAlways.", "changes": "Always.", "seen": 1}
    assert staff.post(address, entered).status_code == 302
    assert "newer version" in page(staff.post(address, entered)).text, "published twice"

    newest = terms_now()
    assert (newest.number, terms_to_accept(workshop)) == (2, newest)
    assert sent("terms_published").filter(recipient=workshop.email).count() == 1
    asked = "accept version 2"
    parcels = reverse("orders:parcel_list")
    assert asked in page(browser(seller).get(parcels)).text
    assert asked not in page(browser(helper).get(parcels)).text
    with pytest.raises(TermsChanged):
        other = rows.other_seller()
        terms_accept(artisan=other.artisan, terms_id=terms.pk, actor=other)
    client = browser(seller)
    client.post(reverse("selling:terms"), {"terms": "2"})
    client.post(reverse("selling:terms"), {"terms": "2"})
    assert asked not in page(client.get(parcels)).text
    assert [(a.terms.number, a.user) for a in TermsAcceptance.objects.order_by("created_at")] == [
        (1, seller),
        (2, seller),
    ]
    assert "no longer in force" in page(browser().get(reverse("selling:terms") + "?version=1")).text
    for unknown in ("3", "0", "x", "١", "9" * 400):
        assert browser().get(reverse("selling:terms"), {"version": unknown}).status_code == 404


def test_details_changed_in_another_tab_are_not_lost(browser, applying, stranger):
    client, address = browser(stranger), reverse("selling:details")
    version = page(client.get(address)).one("input", name="version").attrs["value"]
    first = {**WORKSHOP, "story": "New.", "contact_email": "fern@example.test", "version": version}
    client.post(address, first)

    again = page(client.post(address, first | {"story": "Other."}))

    assert "Someone else changed this" in again.text
    assert "Other." in again.one("textarea", name="story").text
    assert Artisan.objects.get(pk=applying.artisan_id).story == "New."


def test_nobody_waits_for_a_decision_about_an_erased_person(applying, stranger, admin_user):
    application_submit(application_id=applying.pk, actor=stranger, text="I am Fern.")
    erasure_continue(user_erase(stranger).pk)

    applying.refresh_from_db()
    assert (applying.status, applying.artisan.name) == (A.WITHDRAWN, "Former artisan")
    assert {event.text for event in applying.events.all()} <= {"[erased]", ""}


@pytest.mark.parametrize("ended", [A.WITHDRAWN, A.REFUSED])
def test_whose_application_has_ended_joins_another_workshop_by_invitation(
    browser, applying, stranger, seller, admin_user, ended
):
    """The invitation says that the own application goes; it goes with what was said, and the person can apply anew."""
    invitation = member_invite(
        artisan=seller.artisan, actor=seller, email=stranger.email, role=MemberRole.HELPER
    )
    link = reverse("workshop:invitation", args=[invitation_token(invitation.pk, invitation.version)])
    client, own = browser(stranger), applying.artisan
    client.post(link)
    assert artisan_of(User.objects.get(pk=stranger.pk)) == own  # not withdrawn, so nothing happens

    if ended == A.WITHDRAWN:
        application_withdraw(application_id=applying.pk, actor=stranger)
    else:
        application_submit(application_id=applying.pk, actor=stranger)
        decide(applying, A.REFUSED, admin_user, "We have many basket makers.")
    assert "application to sell was withdrawn or refused" in page(client.get(link)).text
    client.post(link)

    assert artisan_of(User.objects.get(pk=stranger.pk)) == seller.artisan
    assert application_of(stranger) is None
    own.refresh_from_db()
    assert (own.user, own.story, own.contact_email, own.state) == (None, "", "", ArtisanState.PENDING)


@pytest.mark.parametrize("to", [A.WITHDRAWN, A.REFUSED])
def test_applications_that_ended_are_purged(applying, stranger, admin_user, settings, to):
    application_submit(application_id=applying.pk, actor=stranger, text="Here I am.")
    if to == A.WITHDRAWN:
        application_withdraw(application_id=applying.pk, actor=stranger)
    else:
        decide(applying, to, admin_user, "We have many basket makers.")
    rule, days = RULES["applications"], settings.RETENTION_DAYS["applications"]
    for age, removed in ((days - 1, 0), (days + 1, 1)):
        Application.objects.update(updated_at=timezone.now() - timedelta(days=age))
        assert purge(rule).removed == removed
    assert (application_of(stranger), ApplicationEvent.objects.count()) == (None, 0)
    assert "Fern" not in str(list(Artisan.objects.filter(user=None).values()))
    assert application_start(user=User.objects.get(pk=stranger.pk), **WORKSHOP).status == A.DRAFT
