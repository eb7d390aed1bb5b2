"""Several people act for one workshop: inviting, joining, what helpers may, removing and leaving."""

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.models import Role, Scope, User
from artisans.accounts.services import token_create
from artisans.audit.models import AuditEntry
from artisans.catalog.access import artisan_of, membership_of, owned_artisan_of, workshops_of
from artisans.catalog.artisan_states import OwnersOnly
from artisans.catalog.members import (
    MOST,
    AlreadyInTeam,
    InvitationGone,
    LastOwner,
    TeamFull,
    invitation_accept,
    invitation_read,
    invitation_resend,
    invitation_withdraw,
    member_invite,
    member_leave,
    member_remove,
)
from artisans.catalog.models import Artisan, ArtisanInvitation, ArtisanMember, MemberRole
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.errors import Forbidden, NotFound, TooManyRequests
from artisans.core.security.tokens import invitation_token
from artisans.earnings.holds import check_not_own
from artisans.notifications.models import Notification
from orders.errors import OwnMoney
from payments.methods import PaymentMethod
from payments.tests.factories import start
from tests import rows
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

TEAM = reverse("workshop:team")


def token(invitation):
    invitation.refresh_from_db()
    return invitation_token(invitation.pk, invitation.version)


@pytest.fixture
def workshop(seller):
    return seller.artisan


@pytest.fixture
def join(workshop, seller):
    """`join(user, role)`"""

    def joined(user, role=MemberRole.HELPER):
        invited = member_invite(artisan=workshop, actor=seller, email=user.email, role=role)
        invitation_accept(token=token(invited), user=user)
        user.refresh_from_db()
        return user.artisan_member

    return joined


def links_sent():
    mails = Notification.objects.filter(kind="team_invitation").order_by("created_at", "pk")
    return [tuple(mail.context["invitation"]) for mail in mails]


def test_helper_is_invited_on_a_page_and_joins_with_a_button(browser, seller, stranger):
    owner, invited = browser(seller), {"email": "New.Person@Example.test", "role": "helper"}

    for _time in range(2):
        owner.post(TEAM, invited)

    invitation = ArtisanInvitation.objects.get()
    assert (invitation.email, links_sent()) == ("new.person@example.test", [(str(invitation.pk), 1)])
    address = reverse("workshop:invitation", args=[token(invitation)])
    seen = page(browser().get(address))
    assert "Invitation to the team of Harbour Pottery" in seen.text
    for link in ("account_login", "account_signup"):
        assert seen.one("main").one("a", href=f"{reverse(link)}?next={address}")
    assert browser().post(address).status_code == 200
    client = browser(stranger)
    answer = client.get(address)
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store")
    assert artisan_of(stranger) is None, "GET shows it only"

    answers = [client.post(address).url for _time in range(2)]

    assert answers == [reverse("orders:parcel_list")] * 2
    stranger.refresh_from_db()
    assert membership_of(stranger).role == MemberRole.HELPER
    assert not ArtisanInvitation.objects.exists()
    assert browser().get(address).status_code == 404
    entries = AuditEntry.objects.filter(action__startswith="team").order_by("pk")
    assert [entry.action for entry in entries] == ["team.invite", "team.join"]
    emails = Notification.objects.filter(kind="artisan_access_changed", recipient=seller.artisan.email)
    assert re.match(r"s•••@", emails.get().context["changes"][0]["new"])


def test_helper_works_with_parcels_and_products_but_sees_no_money(api, browser, bowl, join, stranger):
    join(stranger)
    client, program = browser(stranger), api(stranger)
    program.credentials(
        HTTP_AUTHORIZATION=f"Bearer {token_create(user=stranger, name='', scopes=list(Scope))[1]}"
    )
    parcel = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=rows.shopper()).order.parcels.get()
    own = f"/artisan/products/{bowl.pk}/"

    shown = program.get(f"/parcels/{parcel.pk}/").json()
    money = ("commission", "commission_tax", "remitted_tax", "share")
    assert ({shown[name] for name in money}, shown["order_number"]) == ({None}, parcel.order.order_number)
    assert program.post(f"/parcels/{parcel.pk}/ship", {"carrier": "x"}).status_code == 200
    version = program.get(own).json()["version"]
    assert program.patch(own, {"version": version, "care": "By hand"}).status_code == 200
    for name in ("balance", "lines", ""):
        assert program.get(f"/earnings/{name}").json()["results"] == []
    problem(program.get("/artisan/profile/"), 404)
    texts = [
        client.get(reverse("orders:parcel_list") + "?filter=all"),
        client.get(reverse("orders:parcel", args=[parcel.pk])),
    ]
    for text in texts:
        assert "Your share" not in page(text).text
        assert reverse("earnings:earning_list") not in text.content.decode()
    for name in ("earnings:earning_list", "earnings:line_list", "workshop:profile"):
        assert client.get(reverse(name)).status_code == 404
    team = page(client.get(TEAM))
    assert "stranger@example.test (you)" in team.text
    assert not team.one("main").all("form")
    assert client.post(TEAM, {"email": "a@example.test", "role": "owner"}).status_code == 404


def test_removed_helper_is_out_at_once_in_session_and_api(api, browser, bowl, join, seller, stranger):
    member, owner, client = join(stranger), browser(seller), browser(stranger)
    program = api(stranger)
    program.credentials(
        HTTP_AUTHORIZATION=f"Bearer {token_create(user=stranger, name='', scopes=list(Scope))[1]}"
    )
    own, address = f"/artisan/products/{bowl.pk}/", reverse("workshop:team_remove", args=[member.pk])
    assert (client.get(reverse("workshop:product_list")).status_code, program.get(own).status_code) == (
        200,
        200,
    )

    assert "stranger@example.test loses access to" in page(owner.get(address)).text
    assert owner.post(address).url == TEAM

    assert client.get(reverse("workshop:product_list")).status_code == 404
    assert client.get(reverse("orders:parcel_list")).status_code == 404
    problem(program.get(own), 404)
    problem(program.patch(own, {"version": "x", "care": "x"}), 403, "insufficient_scope")
    stranger.refresh_from_db()
    assert (stranger.role, stranger.scopes) == ("shopper", (Scope.READ, Scope.WRITE))
    assert client.get("/shop/account/orders/").status_code == 200, "the session stays"


def test_link_works_once_until_it_expires_and_only_the_newest(
    workshop, seller, stranger, shopper, time_machine
):
    begin = timezone.now()
    time_machine.move_to(begin, tick=False)
    invited = member_invite(artisan=workshop, actor=seller, email="x@example.test", role=MemberRole.HELPER)
    first, act = token(invited), {"artisan": workshop, "invitation_id": invited.pk, "actor": seller}
    invitation_resend(**act)
    assert len(links_sent()) == 1, "at once means the same request"
    time_machine.move_to(begin + timedelta(minutes=2), tick=False)
    invitation_resend(**act)

    assert [version for _key, version in links_sent()] == [1, 2]
    for wrong in (first, "x", "", f"{token(invited)}x"):
        with pytest.raises(InvitationGone):
            invitation_accept(token=wrong, user=stranger)
    time_machine.move_to(begin + timedelta(days=7, minutes=3), tick=False)
    with pytest.raises(InvitationGone):
        invitation_accept(token=token(invited), user=stranger)
    assert (
        member_invite(artisan=workshop, actor=seller, email="X@example.test", role=MemberRole.OWNER)
        == invited
    )
    newest = token(invited)
    invitation_accept(token=newest, user=stranger)
    with pytest.raises(InvitationGone):
        invitation_accept(token=newest, user=shopper)
    stranger.refresh_from_db()
    assert owned_artisan_of(stranger) == workshop
    with pytest.raises(AlreadyInTeam):
        member_invite(artisan=workshop, actor=stranger, email=seller.email, role=MemberRole.HELPER)


def test_nobody_is_emailed_invitations_more_than_once_a_minute(workshop, seller, stranger, time_machine):
    begin, act = timezone.now(), {"artisan": workshop, "actor": seller, "email": "x@example.test"}
    time_machine.move_to(begin, tick=False)
    for role in (MemberRole.HELPER, MemberRole.OWNER, MemberRole.HELPER, MemberRole.OWNER):
        invited = member_invite(**act, role=role)
        assert invitation_read(token(invited)).role == role, "the link that was sent gives the new role"
    assert len(links_sent()) == 1
    entries = AuditEntry.objects.filter(action="team.invite").order_by("pk")
    assert [entry.data["role"] for entry in entries] == ["helper", "owner"] * 2

    invitation_withdraw(artisan=workshop, invitation_id=invited.pk, actor=seller)
    with pytest.raises(TooManyRequests):
        member_invite(**act, role=MemberRole.OWNER)
    assert len(links_sent()) == 1
    time_machine.move_to(begin + timedelta(minutes=2), tick=False)
    invited = member_invite(**act, role=MemberRole.OWNER)
    time_machine.move_to(begin + timedelta(minutes=4), tick=False)
    member_invite(**act, role=MemberRole.HELPER)

    assert links_sent()[1:] == [(str(invited.pk), version) for version in (1, 2)]


def test_nobody_acts_for_two_workshops_and_staff_for_none(workshop, seller, other_seller, staff):
    invited = member_invite(artisan=workshop, actor=seller, email="x@example.test", role=MemberRole.OWNER)

    with pytest.raises(AlreadyInTeam):
        invitation_accept(token=token(invited), user=other_seller)
    with pytest.raises(Forbidden):
        invitation_accept(token=token(invited), user=staff)

    assert invitation_read(token(invited)) == invited
    assert not ArtisanMember.objects.exists()


def test_only_owners_change_the_team_and_it_has_a_bound(join, workshop, seller, stranger, other_seller):
    join(stranger)
    for person in (stranger, other_seller):
        with pytest.raises(OwnersOnly):
            member_invite(artisan=workshop, actor=person, email="y@example.test", role=MemberRole.HELPER)
    for number in range(MOST - 2):
        email = f"{number}@example.test"
        member_invite(artisan=workshop, actor=seller, email=email, role=MemberRole.HELPER)
    with pytest.raises(TeamFull):
        member_invite(artisan=workshop, actor=seller, email="y@example.test", role=MemberRole.HELPER)


def test_workshop_always_has_an_owner(join, workshop, seller, stranger, shopper):
    with pytest.raises(LastOwner):
        member_leave(artisan=workshop, user=seller)
    helper, owner = join(stranger), join(shopper, MemberRole.OWNER)
    with pytest.raises(NotFound):
        member_remove(artisan=workshop, member_id=workshop.pk, actor=shopper)

    member_leave(artisan=workshop, user=seller)

    workshop.refresh_from_db()
    assert (workshop.user, artisan_of(seller)) == (shopper, None)
    assert list(ArtisanMember.objects.all()) == [helper]
    with pytest.raises(NotFound):
        member_remove(artisan=workshop, member_id=owner.pk, actor=shopper)
    with pytest.raises(LastOwner):
        member_leave(artisan=workshop, user=shopper)
    member_leave(artisan=workshop, user=stranger)
    with pytest.raises(NotFound):
        member_leave(artisan=workshop, user=stranger)


@pytest.mark.parametrize("has_left", [True, False])
def test_orders_are_no_longer_emailed_to_who_left_or_was_removed(join, workshop, seller, shopper, has_left):
    member = join(shopper, MemberRole.OWNER)
    leaver, owner = (seller, shopper) if has_left else (shopper, seller)
    EmailAddress.objects.create(user=leaver, email="Old@Home.test", verified=True)
    EmailAddress.objects.filter(user=owner).delete()
    Artisan.objects.filter(pk=workshop.pk).update(email="old@home.test")
    EmailAddress.objects.create(user=owner, email="claimed@example.test", verified=False)
    EmailAddress.objects.create(user=owner, email="owner@example.test", verified=True, primary=True)

    if has_left:
        member_leave(artisan=workshop, user=seller)
    else:
        member_remove(artisan=workshop, member_id=member.pk, actor=seller)

    workshop.refresh_from_db()
    assert (workshop.user, workshop.email) == (owner, "owner@example.test")
    emails = Notification.objects.filter(
        kind="artisan_access_changed", context__about__endswith=workshop.name
    )
    moved = emails.filter(context__changes__0__field="email").values_list("recipient", flat=True)
    assert sorted(moved) == ["old@home.test", "owner@example.test"]
    assert AuditEntry.objects.filter(action="setting.change", target_id=str(workshop.pk)).count() == 1


@pytest.mark.parametrize("email", ["orders@pottery.test", "seller@example.test"])
def test_orders_stay_with_an_address_that_is_not_the_leavers_or_has_no_successor(
    join, workshop, seller, shopper, email
):
    """The successor has confirmed no address."""
    join(shopper, MemberRole.OWNER)
    EmailAddress.objects.filter(user=shopper).update(verified=False)
    if email != seller.email:
        EmailAddress.objects.update_or_create(
            user=shopper, email=shopper.email, defaults={"verified": True, "primary": True}
        )
    Artisan.objects.filter(pk=workshop.pk).update(email=email)

    member_leave(artisan=workshop, user=seller)

    workshop.refresh_from_db()
    assert (workshop.user, workshop.email) == (shopper, email)


UNABLE = [{"is_active": False}, {"role": Role.SHOPPER}, {"role": Role.STAFF}]


@pytest.mark.parametrize("unable", UNABLE)
def test_owners_who_cannot_act_do_not_count(join, workshop, seller, stranger, shopper, unable):
    join(stranger, MemberRole.OWNER)
    User.objects.filter(pk=stranger.pk).update(**unable)
    with pytest.raises(LastOwner):
        member_leave(artisan=workshop, user=seller)
    join(shopper, MemberRole.OWNER)

    member_leave(artisan=workshop, user=seller)

    workshop.refresh_from_db()
    assert workshop.user == shopper, "not the one who joined before"


@pytest.mark.parametrize("unable", UNABLE)
def test_owner_beside_a_first_owner_who_cannot_act_stays(join, workshop, seller, stranger, shopper, unable):
    join(stranger, MemberRole.OWNER)
    join(shopper)
    User.objects.filter(pk=seller.pk).update(**unable)

    with pytest.raises(LastOwner):
        member_leave(artisan=workshop, user=stranger)
    with pytest.raises(LastOwner):
        member_remove(artisan=workshop, member_id=stranger.artisan_member.pk, actor=stranger)
    member_leave(artisan=workshop, user=shopper)

    assert owned_artisan_of(stranger) == workshop


def test_people_leave_on_a_page(browser, join, stranger, seller):
    join(stranger)
    client, address = browser(stranger), reverse("workshop:team_leave")

    assert page(client.get(address)).one("main").all("form")
    assert client.post(address).url == reverse("catalog:product_list")
    assert client.get(TEAM).status_code == 404
    assert "You are the only owner" in page(browser(seller).post(address, follow=True)).text


def test_staff_who_were_helpers_do_not_decide_about_their_workshops_money(join, stranger, seller):
    member = join(stranger)
    assert workshops_of(stranger) == workshops_of(seller) == {member.artisan_id}

    for person in (stranger, seller):
        with pytest.raises(OwnMoney):
            check_not_own(person, member.artisan_id)
    check_not_own(rows.staff(), member.artisan_id)


@pytest.mark.parametrize("role", [Role.SHOPPER, Role.STAFF])
def test_nobody_acts_for_a_workshop_without_the_role_of_an_artisan(api, bowl, join, stranger, seller, role):
    """API and services, as the pages; a superuser whose role is staff acts for none."""
    join(stranger)
    programs = [api(person) for person in (seller, stranger)]
    User.objects.filter(pk__in=[seller.pk, stranger.pk]).update(role=role, is_superuser=role == Role.STAFF)

    for person, program in zip((seller, stranger), programs, strict=True):
        person.refresh_from_db()
        assert (membership_of(person), artisan_of(person), owned_artisan_of(person)) == (None, None, None)
        for path in ("/parcels/", "/artisan/products/", "/artisan/stock/", "/earnings/balance"):
            assert not program.get(path).json().get("results"), path
        with pytest.raises(OwnersOnly):
            member_invite(artisan=bowl.artisan, actor=person, email="x@example.test", role=MemberRole.HELPER)
    assert workshops_of(seller) == workshops_of(stranger) == {bowl.artisan_id}, "their own money all the same"


def test_queries_of_the_team_page_are_flat(browser, join, seller, django_assert_max_num_queries):
    client = browser(seller)
    client.get(TEAM)
    for number in range(6):
        join(rows.user(f"p{number}@example.test"))
    ProductFactory.create(artisan=seller.artisan)

    with django_assert_max_num_queries(14):
        client.get(TEAM)
