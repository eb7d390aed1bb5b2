"""The marketplace's terms for artisans: published by staff, accepted by owners of workshops, version by version."""

from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.artisan_states import lock_for_owner
from artisans.catalog.mails import terms_mail
from artisans.catalog.models import Artisan, Terms, TermsAcceptance
from artisans.catalog.statuses import ArtisanState
from artisans.core.errors import Conflict, Forbidden, NotFound
from artisans.core.models import get_or_none
from artisans.notifications.services import notifications_enqueue

PUBLISH = "catalog.publish_terms"


class TermsChanged(Conflict):
    """A newer version of the terms was published."""

    code = "terms_changed"
    remedy = "Read the newest version, and accept that one."

    def __init__(self) -> None:
        super().__init__(
            _("The shop has published a newer version of its terms. Read it, and accept that one.")
        )


def terms_now() -> Terms | None:
    """The version that holds; None if the shop has published none."""
    return Terms.objects.order_by("-number").first()


def terms_to_accept(artisan: Artisan) -> Terms | None:
    """The version that holds, if nobody has accepted it for the workshop."""
    accepted = TermsAcceptance.objects.filter(terms=OuterRef("pk"), artisan=artisan)
    newest = Terms.objects.order_by("-number").annotate(is_accepted=Exists(accepted)).first()
    return None if newest is None or newest.is_accepted else newest


@transaction.atomic
def terms_publish(*, text: str, changes: str, actor: User, seen: int) -> Terms:
    """A new version, which all workshops that are not closed are asked by email to accept.

    `seen`: the number of the version that the person saw as the newest, 0 for none. Errors: Forbidden, TermsChanged.
    """
    if not (actor.is_staff and actor.has_perm(PUBLISH)):
        raise Forbidden(_("You do not have permission to publish terms."))
    newest = Terms.objects.select_for_update(no_key=True).order_by("-number").first()
    number = newest.number if newest else 0
    if number != seen:
        raise TermsChanged
    terms = Terms.objects.create(number=number + 1, text=text, changes=changes, published_by=actor)
    data = {"number": terms.number}
    audit_record(actor=actor, action=Action.TERMS_PUBLISH, target=terms, data=data)
    artisans = workshops_to_email()
    notifications_enqueue(*[terms_mail(artisan, terms) for artisan in artisans.iterator(1000)])
    return terms


def workshops_to_email() -> QuerySet[Artisan]:
    """Those with someone who can accept. Applicants see a new version before they submit."""
    return (
        Artisan.objects.filter(user__isnull=False)
        .exclude(stored_state__in=[ArtisanState.PENDING, ArtisanState.CLOSED])
        .order_by("pk")
    )


@transaction.atomic
def terms_accept(*, artisan: Artisan, terms_id: UUID, actor: User) -> TermsAcceptance:
    """Repeating it changes nothing. Errors: OwnersOnly, NotFound, TermsChanged. Locks: artisan."""
    artisan = lock_for_owner(artisan.pk, actor)
    terms = get_or_none(Terms.objects.filter(pk=terms_id))
    if terms is None:
        raise NotFound(_("There are no such terms."))
    if accepted := get_or_none(TermsAcceptance.objects.filter(artisan=artisan, terms=terms)):
        return accepted
    if terms != terms_now():
        raise TermsChanged
    accepted = TermsAcceptance.objects.create(artisan=artisan, terms=terms, user=actor)
    data = {"number": terms.number}
    audit_record(actor=actor, action=Action.TERMS_ACCEPT, target=artisan, data=data)
    return accepted
