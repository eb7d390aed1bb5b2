"""Becoming an artisan: applying, being asked and answering, and the shop's decision.

An application makes a workshop that is not active yet, so that profile and products are prepared where they stay.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from artisans.accounts.models import Role, User
from artisans.accounts.services import has_confirmed_address
from artisans.audit.services import Action, audit_record
from artisans.catalog.access import membership_stored
from artisans.catalog.artisan_states import DECIDE, artisan_lock, artisan_move, check_staff
from artisans.catalog.mails import application_mail, application_submitted_mail
from artisans.catalog.members import AlreadyInTeam, released
from artisans.catalog.models import Application, ApplicationEvent, Artisan
from artisans.catalog.statuses import (
    APPLICATION_TRANSITIONS,
    APPLICATIONS_OPEN,
    ApplicationStatus,
    ArtisanState,
)
from artisans.catalog.terms import terms_now, terms_to_accept
from artisans.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from artisans.core.models import get_or_none, save_columns
from artisans.core.state import check_transition
from artisans.notifications.services import notifications_enqueue

A = ApplicationStatus


class ApplicationChanged(Conflict):
    """The application was changed after the person opened the page."""

    def __init__(self) -> None:
        super().__init__(
            _("This application was changed after you opened the page. Nothing was done; read it again.")
        )


@dataclass(frozen=True, slots=True)
class Checklist:
    """What an application needs; identity data for payouts is not asked yet."""

    has_profile: bool
    has_products: bool
    has_terms: bool

    @property
    def is_complete(self) -> bool:
        return self.has_profile and self.has_products and self.has_terms


def checklist_of(artisan: Artisan) -> Checklist:
    drafts = artisan.products.filter(parent=None, archived_at=None)
    return Checklist(
        has_profile=all((artisan.name, artisan.craft, artisan.town, artisan.story, artisan.contact_email)),
        has_products=drafts.exists(),
        has_terms=terms_to_accept(artisan) is None,
    )


def application_of(user: User) -> Application | None:
    """Also one that was refused or withdrawn, whatever the user's role is now."""
    return get_or_none(Application.objects.filter(artisan__user=user).select_related("artisan__user"))


# ---- the applicant ---------------------------------------------------------------------------------------------


@transaction.atomic
def application_start(*, user: User, name: str, craft: str, town: str) -> Application:
    """A workshop of the user's own that can be prepared and not sell yet. One that was withdrawn is taken up again;
    with an open one nothing changes.

    Errors: Forbidden without a confirmed address and for staff; Conflict if the shop takes no applications, or after a
    decision; AlreadyInTeam. Locks: artisan, user.
    """
    if (found := application_of(user)) is not None:
        artisan_lock(found.artisan_id)
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    check_may_apply(user)
    if (application := application_of(user)) is not None:  # as it is now that nobody else changes it
        if application.status == A.WITHDRAWN and found is not None:
            application_move(application, A.DRAFT, actor=user)
        check_open(application)
        return application
    if (member := membership_stored(user)) is not None:
        raise AlreadyInTeam(
            _("You already belong to %(artisan)s; you can belong to only one workshop.")
            % {"artisan": member.artisan.name}
        )
    pk = uuid4()
    artisan = Artisan(
        id=pk,
        user=user,
        slug=f"{slugify(name)[:40].strip('-') or 'workshop'}-{pk.hex[:8]}",
        name=name,
        craft=craft,
        town=town,
        email=user.email,
        is_active=False,
        stored_state=ArtisanState.PENDING,
    )
    artisan.save(force_insert=True)
    application = Application.objects.create(artisan=artisan)
    record(application, actor=user, text="")
    role_follow(application)
    return application


def check_may_apply(user: User) -> None:
    """Errors: Forbidden, Conflict."""
    if terms_now() is None:
        raise Conflict(_("The shop does not take applications at the moment."))
    if user.is_staff:
        raise Forbidden(_("Staff accounts cannot sell. Use an account of your own."))
    if not has_confirmed_address(user):
        raise Forbidden(_("Confirm your email address first: open the link in the email that we sent you."))


@transaction.atomic
def application_submit(*, application_id: UUID, actor: User, text: str = "") -> Application:
    """To the shop, for the first time or with an answer; staff who decide get an email. Repeating it changes nothing.

    Errors: NotFound for someone else's, InvalidInput with what is missing, Conflict. Locks: artisan.
    """
    application = lock_for_applicant(application_id, actor)
    if application.status == A.SUBMITTED:
        return application
    check_open(application)
    if application.status == A.ASKED and not text:
        raise InvalidInput(_("Answer the shop’s question."))
    if not checklist_of(application.artisan).is_complete:
        raise InvalidInput(_("Complete the steps above first."))
    event = application_move(application, A.SUBMITTED, actor=actor, text=text)
    people = [user.email for user in people_who_decide()]
    notifications_enqueue(*[application_submitted_mail(application, event, to=to) for to in people])
    return application


@transaction.atomic
def application_withdraw(*, application_id: UUID, actor: User) -> Application:
    """What was prepared stays. Repeating it changes nothing. Errors: NotFound, Conflict. Locks: artisan."""
    application = lock_for_applicant(application_id, actor)
    if application.status != A.WITHDRAWN:
        check_open(application)
        application_move(application, A.WITHDRAWN, actor=actor)
    return application


def check_open(application: Application) -> None:
    """Errors: Conflict."""
    if application.status == A.WITHDRAWN:
        raise Conflict(_("You have withdrawn this application. Resume it first."))
    if application.status not in APPLICATIONS_OPEN:
        raise Conflict(_("The shop has decided about your application already."))


# ---- the shop --------------------------------------------------------------------------------------------------


def people_who_decide() -> list[User]:
    staff = User.objects.filter(Q(role=Role.STAFF) | Q(is_superuser=True), is_active=True).order_by("email")
    return [user for user in staff if user.has_perm(DECIDE)]


@transaction.atomic
def application_decide(
    *, application_id: UUID, to: ApplicationStatus, actor: User, text: str, seen: int
) -> Application:
    """Ask the applicant something, approve (the workshop can then sell) or refuse, with an email in these words.

    `seen`: how many events the person was shown. Errors: Forbidden, OwnWorkshop, ApplicationChanged, IllegalTransition;
    InvalidInput without words for a question or a refusal. Locks: artisan.
    """
    application = application_lock(application_id)
    check_staff(actor, application.artisan_id, DECIDE)
    if application.events.count() != seen:
        raise ApplicationChanged
    if to != A.APPROVED and not text:
        raise InvalidInput(_("Write a message to the applicant."))
    event = application_move(application, to, actor=actor, text=text)
    if to == A.APPROVED:
        artisan_move(application.artisan, ArtisanState.ACTIVE, actor=actor)
    notifications_enqueue(application_mail(application, event))
    return application


@transaction.atomic
def application_end(application_id: UUID) -> None:
    """Nobody waits for a decision about a person whose data is erased. Locks: artisan."""
    application = application_lock(application_id)
    if application.status in APPLICATIONS_OPEN:
        application_move(application, A.WITHDRAWN, actor=None)


# ---- shared ----------------------------------------------------------------------------------------------------


def application_lock(application_id: UUID) -> Application:
    """With its artisan, whose lock protects both. Errors: NotFound."""
    found = get_or_none(Application.objects.filter(pk=application_id))
    if found is None:
        raise NotFound(_("Application not found."))
    artisan = artisan_lock(found.artisan_id)
    found.refresh_from_db()  # as it is now that nobody else changes it
    found.artisan = artisan
    return found


def lock_for_applicant(application_id: UUID, actor: User) -> Application:
    """Errors: NotFound."""
    application = application_lock(application_id)
    if application.artisan.user_id != actor.pk:
        raise NotFound(_("Application not found."))
    return application


def application_move(
    application: Application, to: ApplicationStatus, *, actor: User | None, text: str = ""
) -> ApplicationEvent:
    """The only way in which an application's status changes. The caller holds the lock. Errors: IllegalTransition."""
    check_transition(APPLICATION_TRANSITIONS, ApplicationStatus(application.status), to)
    application.status = to
    if to == A.SUBMITTED:
        application.submitted_at = timezone.now()
    save_columns(application, ["status", "submitted_at"])
    event = record(application, actor=actor, text=text)
    role_follow(application)
    return event


def record(application: Application, *, actor: User | None, text: str) -> ApplicationEvent:
    data = {"status": str(application.status)}
    audit_record(actor=actor, action=Action.APPLICATION_MOVE, target=application, data=data)
    return ApplicationEvent.objects.create(
        application=application, status=application.status, text=text, actor=actor
    )


def role_follow(application: Application) -> None:
    """The applicant acts for the workshop while it is prepared and once it is approved."""
    user = application.artisan.user
    if user is None:
        return
    if application.status in {A.REFUSED, A.WITHDRAWN}:
        released(user)
    else:
        changed = User.objects.filter(pk=user.pk, role=Role.SHOPPER)
        changed.update(role=Role.ARTISAN, updated_at=timezone.now())
