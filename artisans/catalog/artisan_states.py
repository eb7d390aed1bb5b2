"""What a workshop may do from its application to its closing (docs/selling.md), and who decides for it."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.access import membership_of, workshops_of
from artisans.catalog.models import Artisan, ArtisanStateChange
from artisans.catalog.statuses import ARTISAN_TRANSITIONS, ArtisanState
from artisans.core.errors import Conflict, Forbidden
from artisans.core.models import save_columns
from artisans.core.state import check_transition

CHANGE_STATE = "catalog.change_artisan_state"
DECIDE = "catalog.decide_application"


class OwnersOnly(Forbidden):
    """Only owners of the workshop may do this."""

    code = "owners_only"
    remedy = "Ask an owner of the workshop."

    def __init__(self) -> None:
        super().__init__(_("Only owners of the workshop may do this."))


class WorkshopNotActive(Conflict):
    """The workshop is not approved yet, suspended, closing or closed, so it publishes nothing."""

    code = "workshop_not_active"
    remedy = "`state` of `GET /artisan/profile/` says what it is. Publish once it is `active`."

    def __init__(self, state: ArtisanState) -> None:
        if state == ArtisanState.PENDING:
            text = _("The shop has not approved your application yet. Until then your products stay drafts.")
        elif state == ArtisanState.SUSPENDED:
            text = _(
                "The shop has suspended your workshop. Products can be published once it is active again."
            )
        else:
            text = _("Your workshop is closed, or about to be. Nothing can be published.")
        super().__init__(text)


class WorkshopClosed(Conflict):
    """The workshop is closed: its products, profile and team stay as they are."""

    code = "workshop_closed"
    remedy = "Ask the shop to reopen the workshop."

    def __init__(self) -> None:
        super().__init__(_("Your workshop is closed. Ask the shop to reopen it before you change this."))


class OwnWorkshop(Forbidden):
    """Staff do not decide about a workshop for which they act."""

    def __init__(self) -> None:
        super().__init__(_("This is your own workshop, so a colleague has to decide."))


def artisan_lock(artisan_id: UUID) -> Artisan:
    return Artisan.objects.select_for_update(of=("self",), no_key=True).get(pk=artisan_id)


def lock_for_owner(artisan_id: UUID, actor: User) -> Artisan:
    """Errors: OwnersOnly, also for an owner who was removed while we waited."""
    artisan = artisan_lock(artisan_id)
    found = membership_of(actor)
    if found is None or found.artisan != artisan or not found.is_owner:
        raise OwnersOnly
    return artisan


def check_staff(actor: User, artisan_id: UUID, permission: str) -> None:
    """Errors: Forbidden, OwnWorkshop."""
    if not (actor.is_staff and actor.has_perm(permission)):
        raise Forbidden(_("You do not have permission to decide about this workshop."))
    if artisan_id in workshops_of(actor):
        raise OwnWorkshop


def check_may_publish(artisan: Artisan) -> None:
    """Errors: WorkshopNotActive."""
    if artisan.state != ArtisanState.ACTIVE:
        raise WorkshopNotActive(artisan.state)


def check_not_closed(artisan: Artisan) -> None:
    """Errors: WorkshopClosed."""
    if artisan.state == ArtisanState.CLOSED:
        raise WorkshopClosed


@transaction.atomic
def artisan_move(
    artisan: Artisan, to: ArtisanState, *, actor: User | None, reason: str = ""
) -> ArtisanStateChange:
    """The only way in which the state of a workshop changes. The caller holds the artisan's lock.

    Errors: IllegalTransition.
    """
    old = artisan.state
    check_transition(ARTISAN_TRANSITIONS, old, to)
    artisan.stored_state, artisan.is_active = to, to == ArtisanState.ACTIVE
    save_columns(artisan, ["stored_state", "is_active"])
    data = {"old": old.value, "new": to.value}
    audit_record(actor=actor, action=Action.ARTISAN_MOVE, target=artisan, data=data)
    by_workshop = actor is not None and artisan.pk in workshops_of(actor)
    return ArtisanStateChange.objects.create(
        artisan=artisan, old=old, new=to, reason=reason, actor=actor, by_workshop=by_workshop
    )
