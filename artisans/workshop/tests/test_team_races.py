"""People of one workshop at the same moment, with real transactions."""

import pytest

from artisans.accounts.models import Role, User
from artisans.catalog.access import artisan_of, owned_artisan_of
from artisans.catalog.members import (
    InvitationGone,
    invitation_accept,
    member_invite,
    member_leave,
    member_remove,
)
from artisans.catalog.models import Artisan, ArtisanMember, MemberRole
from artisans.core.security.tokens import invitation_token
from artisans.earnings.tests.test_races import together

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


def test_one_of_two_people_with_one_link_joins(seller, shopper, stranger):
    invited = member_invite(
        artisan=seller.artisan, actor=seller, email="x@example.test", role=MemberRole.HELPER
    )
    link = invitation_token(invited.pk, invited.version)

    results = together(
        *(lambda user=user: invitation_accept(token=link, user=user) for user in (shopper, stranger))
    )

    assert [type(result) for result in results if result != seller.artisan] == [InvitationGone]
    joined = {user for user in User.objects.filter(pk__in=[shopper.pk, stranger.pk]) if artisan_of(user)}
    assert {member.user for member in ArtisanMember.objects.all()} == joined
    assert len(joined) == 1


@pytest.mark.parametrize("_time", range(3))
def test_owner_who_leaves_while_the_other_is_removed_leaves_an_owner(seller, shopper, _time):
    workshop = seller.artisan
    member = ArtisanMember.objects.create(artisan=workshop, user=shopper, role=MemberRole.OWNER)
    type(shopper).objects.filter(pk=shopper.pk).update(role=Role.ARTISAN)

    together(
        lambda: member_leave(artisan=workshop, user=seller),
        lambda: member_remove(artisan=workshop, member_id=member.pk, actor=seller),
    )

    owner = Artisan.objects.get(pk=workshop.pk).user
    assert owner in (seller, shopper)
    assert owned_artisan_of(owner) == workshop
    assert artisan_of(shopper if owner == seller else seller) is None
    assert not ArtisanMember.objects.exists()
