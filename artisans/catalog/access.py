"""For which workshop a signed-in user acts, and in which role.

Everything that asks "whose workshop is this?" asks here: `Artisan.user` is only the first owner.
"""

from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpRequest

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.catalog.models import Artisan, ArtisanMember, MemberRole
from artisans.core.models import get_or_none


@dataclass(frozen=True, slots=True)
class Membership:
    """Owners may do everything; helpers work with products, stock and parcels."""

    artisan: Artisan
    role: MemberRole

    @property
    def is_owner(self) -> bool:
        return self.role == MemberRole.OWNER


def membership_of(user: User) -> Membership | None:
    """None without the role of an artisan, which staff may take away. A superuser whose role is staff acts for none."""
    return membership_stored(user) if user.is_artisan else None


def membership_stored(user: User) -> Membership | None:
    """Whatever the user's role is now: for joining a workshop, which gives the role."""
    if (artisan := get_or_none(Artisan.objects.filter(user=user))) is not None:
        return Membership(artisan, MemberRole.OWNER)
    member = get_or_none(ArtisanMember.objects.filter(user=user).select_related("artisan"))
    return Membership(member.artisan, MemberRole(member.role)) if member else None


def artisan_of(user: User) -> Artisan | None:
    """The artisan for whom this user acts, as owner or helper."""
    found = membership_of(user)
    return found.artisan if found else None


def owned_artisan_of(user: User) -> Artisan | None:
    """The artisan for whom this user decides: for what helpers may not see or change, such as money."""
    found = membership_of(user)
    return found.artisan if found and found.is_owner else None


def workshops_of(user: User) -> set[UUID]:
    """The keys of all workshops for which the user acts in any role, for the rules that keep people from deciding about
    their own money. At most one, unless staff made a member of one workshop the first owner of another."""
    own = Artisan.objects.filter(user=user).values_list("pk", flat=True)
    return {*own, *ArtisanMember.objects.filter(user=user).values_list("artisan", flat=True)}


def require_membership(request: HttpRequest) -> Membership:
    """Templates read it as `request.membership`. Errors: Http404 for everyone who acts for no workshop."""
    user = require_user(request)
    found = membership_of(user)
    if found is None:
        raise Http404
    request.membership = found  # type: ignore[attr-defined]  # for templates
    return found


def require_artisan(request: HttpRequest) -> Artisan:
    """Errors: Http404 for everyone who acts for no workshop."""
    return require_membership(request).artisan


def require_owner(request: HttpRequest) -> Artisan:
    """Errors: Http404 for helpers and everyone else."""
    found = require_membership(request)
    if not found.is_owner:
        raise Http404
    return found.artisan
