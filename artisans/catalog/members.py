"""The team of a workshop: inviting, joining, removing and leaving.

Every service locks the artisan first, so that two of them work one after the other: the first owner (`Artisan.user`)
is never missing. Rights are read from these rows at each request, so that changes take effect at once.
"""

from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from artisans.accounts.mails import AccountMail
from artisans.accounts.models import Role, User, normal_email
from artisans.accounts.setting_changes import SettingChange, mask_email, setting_change
from artisans.audit.services import Action, audit_record
from artisans.catalog.access import membership_stored
from artisans.catalog.application_removal import application_remove, ended_application_lock
from artisans.catalog.artisan_states import (
    WorkshopNotActive,
    artisan_lock,
    check_not_closed,
    lock_for_owner,
)
from artisans.catalog.mails import CatalogMail, invitation_mail
from artisans.catalog.models import Artisan, ArtisanInvitation, ArtisanMember, MemberRole
from artisans.catalog.statuses import ArtisanState
from artisans.core.errors import Conflict, Forbidden, NotFound, TooManyRequests
from artisans.core.models import get_or_none, save_columns
from artisans.core.security.tokens import read_invitation_token
from artisans.notifications.models import Notification
from artisans.notifications.services import MailMessage, notifications_enqueue

MOST = 20  # people and open invitations of a workshop
DAYS = 7
AGAIN_AFTER = timedelta(minutes=1)  # repeated requests to send an invitation again send one email
LABEL = gettext_noop("Team member")


class TeamFull(Conflict):
    """The workshop has as many people and open invitations as it may have."""

    code = "team_full"
    remedy = "Withdraw an invitation, or remove someone, first."

    def __init__(self) -> None:
        super().__init__(
            _("A team has at most %(count)d people and invitations. Withdraw or remove one first.")
            % {"count": MOST}
        )


class AlreadyInTeam(Conflict):
    """The person acts for a workshop already."""

    code = "already_in_team"
    remedy = "Nothing is to be done; who wants to join another workshop leaves the first one before."


class InvitationGone(NotFound):
    """The invitation was accepted or withdrawn, has expired, or a newer email has replaced its link."""

    code = "invitation_gone"
    remedy = "Use the link in the newest email, or ask the workshop for another invitation."

    def __init__(self) -> None:
        super().__init__(
            _(
                "This invitation was used or withdrawn, or it has expired. Use the link in the newest email, or ask "
                "the workshop for another invitation."
            )
        )


class LastOwner(Conflict):
    """The only owner cannot leave the workshop."""

    code = "last_owner"
    remedy = "Invite another owner first, or close the workshop."

    def __init__(self) -> None:
        super().__init__(
            _(
                "You are the only owner of this workshop. Invite another owner before you leave, or close the "
                "workshop."
            )
        )


# ---- invitations -----------------------------------------------------------------------------------------------


@transaction.atomic
def member_invite(*, artisan: Artisan, actor: User, email: str, role: MemberRole) -> ArtisanInvitation:
    """Email an invitation that is open for DAYS. One that is open already stays as it is, unless the role differs;
    within AGAIN_AFTER of its email only the role is changed.

    Errors: OwnersOnly, AlreadyInTeam, TeamFull; WorkshopNotActive before the workshop is approved, WorkshopClosed;
    TooManyRequests within AGAIN_AFTER of an email about an invitation that is gone. Locks: artisan.
    """
    artisan, email = lock_for_owner(artisan.pk, actor), normal_email(email)
    if artisan.state == ArtisanState.PENDING:
        raise WorkshopNotActive(artisan.state)
    check_not_closed(artisan)
    if is_in_team(artisan, email):
        raise AlreadyInTeam(_("%(email)s is in your team already.") % {"email": email})
    open_ones = {one.email: one for one in artisan.invitations.all()}
    invitation = open_ones.get(email)
    if invitation is not None:
        if invitation.is_open and invitation.role == role:
            return invitation
        invitation.role = role
    elif artisan.members.count() + len(open_ones) >= MOST - 1:  # beside the first owner
        raise TeamFull
    else:
        check_not_just_invited(email)
        invitation = ArtisanInvitation(artisan=artisan, email=email, role=role, version=0)
    send(invitation, actor)
    return invitation


@transaction.atomic
def invitation_resend(*, artisan: Artisan, invitation_id: UUID, actor: User) -> ArtisanInvitation:
    """Send it again, with a new link that is open for DAYS; the earlier link ends. Repeating it at once sends one.

    Errors: OwnersOnly, InvitationGone. Locks: artisan.
    """
    artisan = lock_for_owner(artisan.pk, actor)
    invitation = get_or_none(artisan.invitations.filter(pk=invitation_id))
    if invitation is None:
        raise InvitationGone
    if is_due(invitation):
        send(invitation, actor)
    return invitation


@transaction.atomic
def invitation_withdraw(*, artisan: Artisan, invitation_id: UUID, actor: User) -> None:
    """Its link ends. Repeating it changes nothing. Errors: OwnersOnly. Locks: artisan."""
    artisan = lock_for_owner(artisan.pk, actor)
    deleted, _rows = artisan.invitations.filter(pk=invitation_id).delete()
    if deleted:
        data = {"invitation": str(invitation_id)}
        audit_record(actor=actor, action=Action.TEAM_WITHDRAW, target=artisan, data=data)


def invitation_read(token: str) -> ArtisanInvitation | None:
    """The open invitation that a link names."""
    named = read_invitation_token(token)
    if named is None:
        return None
    rows = ArtisanInvitation.objects.filter(pk=named[0], version=named[1])
    invitation = get_or_none(rows.select_related("artisan"))
    return invitation if invitation and invitation.is_open else None


@transaction.atomic
def invitation_accept(*, token: str, user: User) -> Artisan:
    """The user joins the workshop, and the invitation is used up: of two people with one link, the first.

    Any account may accept: the link was only sent to the mailbox that was invited. Staff keep apart from workshops,
    about whose money they decide. An application of the user that was withdrawn or refused is removed, since nobody
    acts for two workshops. Errors: InvitationGone, AlreadyInTeam, Forbidden, WorkshopClosed. Locks: artisan, the
    application's artisan, user.
    """
    invitation = invitation_read(token)
    if invitation is None:
        raise InvitationGone
    artisan = artisan_lock(invitation.artisan_id)
    check_not_closed(artisan)
    if invitation_read(token) is None:  # used or withdrawn while we waited
        raise InvitationGone
    ended = ended_application_lock(user)
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.is_staff:
        raise Forbidden(_("Staff accounts cannot join a workshop. Use an account of your own."))
    if ended is not None:
        application_remove(ended)
    if (found := membership_stored(user)) is not None:
        raise AlreadyInTeam(
            _("You already belong to %(artisan)s; you can belong to only one workshop.")
            % {"artisan": found.artisan.name}
        )
    ArtisanMember.objects.create(artisan=artisan, user=user, role=invitation.role)
    invitation.delete()
    user.role = Role.ARTISAN
    save_columns(user, ["role"])
    record(Action.TEAM_JOIN, artisan, user, actor=user, new=user)
    return artisan


def is_due(invitation: ArtisanInvitation) -> bool:
    """Whether it may be emailed, for the first time or again."""
    return invitation._state.adding or invitation.sent_at < timezone.now() - AGAIN_AFTER


def check_not_just_invited(email: str) -> None:
    """By an invitation of any workshop, also one that was withdrawn since. Errors: TooManyRequests."""
    since = timezone.now() - AGAIN_AFTER
    kind = CatalogMail.TEAM_INVITATION
    if Notification.objects.filter(kind=kind, recipient=email, created_at__gte=since).exists():
        raise TooManyRequests(
            _("%(email)s was emailed an invitation less than a minute ago. Wait a minute.") % {"email": email}
        )


def send(invitation: ArtisanInvitation, actor: User) -> None:
    """Email it with a new link; until that is due, save its role, which the last link gives then."""
    columns = ["role"]
    if is_due(invitation):
        invitation.version, invitation.invited_by = invitation.version + 1, actor
        invitation.sent_at = timezone.now()
        invitation.expires_at = invitation.sent_at + timedelta(days=DAYS)
        columns += ["version", "invited_by", "sent_at", "expires_at"]
        notifications_enqueue(invitation_mail(invitation, days=DAYS))
    if invitation._state.adding:
        invitation.save(force_insert=True)
    else:
        save_columns(invitation, columns)
    data = {"invitation": str(invitation.pk), "role": invitation.role}
    audit_record(actor=actor, action=Action.TEAM_INVITE, target=invitation.artisan, data=data)


def is_in_team(artisan: Artisan, email: str) -> bool:
    is_first_owner = artisan.user is not None and artisan.user.email == email
    return is_first_owner or artisan.members.filter(user__email=email).exists()


# ---- leaving ---------------------------------------------------------------------------------------------------


@transaction.atomic
def member_remove(*, artisan: Artisan, member_id: UUID, actor: User) -> None:
    """The person acts for the workshop no longer, at once. The first owner only leaves on their own.

    Errors: OwnersOnly, NotFound; LastOwner for oneself. Locks: artisan, another owner.
    """
    artisan = lock_for_owner(artisan.pk, actor)
    member = get_or_none(artisan.members.filter(pk=member_id).select_related("user"))
    if member is None:
        raise NotFound(_("This person is no longer in your team, or is now its first owner."))
    owner = owner_beside(artisan, member.user)
    if owner is None:
        raise LastOwner
    member.delete()
    released(member.user)
    order_emails_redirect(artisan, member.user, owner)
    record(Action.TEAM_REMOVE, artisan, member.user, actor=actor, old=member.user)


@transaction.atomic
def member_leave(*, artisan: Artisan, user: User) -> None:
    """The user acts for the workshop no longer. If it was the first owner, the longest owner takes that place.

    Errors: LastOwner; NotFound if they left, or were removed, already. Locks: artisan, the next owner.
    """
    artisan = artisan_lock(artisan.pk)
    member = get_or_none(artisan.members.filter(user=user))  # None of the first owner
    if member is None and artisan.user_id != user.pk:
        raise NotFound(_("You are no longer in this team."))
    owner = owner_beside(artisan, user)
    if owner is None and (member is None or member.role == MemberRole.OWNER):
        raise LastOwner
    if member is None:
        artisan.members.filter(user=owner).delete()
        artisan.user = owner
        save_columns(artisan, ["user"])
    else:
        member.delete()
    released(user)
    order_emails_redirect(artisan, user, owner)
    record(Action.TEAM_LEAVE, artisan, user, actor=user, old=user)


def order_emails_redirect(artisan: Artisan, person: User, owner: User | None) -> None:
    """Emails about orders, which name buyers, go to the owner instead of someone who left; both get an email.

    Nothing changes if the owner has confirmed no address: it might be a stranger's.
    """
    addresses = EmailAddress.objects.filter(verified=True).order_by("-primary", "pk")
    own = {person.email, *addresses.filter(user=person).values_list("email", flat=True)}
    to = addresses.filter(user=owner).values_list("email", flat=True).first()
    if to is None or normal_email(artisan.email) not in {normal_email(address) for address in own}:
        return
    setting_change(SettingChange.of(artisan, new={"email": to}), actor=None)
    artisan.email = to


def owner_beside(artisan: Artisan, person: User) -> User | None:
    """Another owner who may act for the workshop now: the first one, or else the longest. Locks: the latter."""
    first = artisan.user
    if first is not None and first != person and first.is_active and first.is_artisan:
        return first
    owners = artisan.members.filter(
        role=MemberRole.OWNER, user__artisan=None, user__is_active=True, user__role=Role.ARTISAN
    ).exclude(user=person)
    locked = owners.select_related("user").select_for_update(of=("user",), no_key=True)
    found = locked.order_by("created_at", "pk").first()
    return found.user if found else None


# ---- shared ----------------------------------------------------------------------------------------------------


def released(user: User) -> None:
    """A shopper again; their API tokens lose the scope for products."""
    User.objects.filter(pk=user.pk, role=Role.ARTISAN).update(role=Role.SHOPPER, updated_at=timezone.now())


def record(
    action: Action,
    artisan: Artisan,
    person: User,
    *,
    actor: User,
    old: User | None = None,
    new: User | None = None,
) -> None:
    """In the audit log, and by email to the workshop's address."""
    data = {"user": str(person.pk), "first_owner": str(artisan.user_id)}
    entry = audit_record(actor=actor, action=action, target=artisan, data=data)
    before, after = (mask_email(one.email) if one else "" for one in (old, new))
    context = {
        "about": artisan.name,
        "actor": mask_email(actor.email),
        "at": timezone.now(),
        "changes": [{"label": LABEL, "old": before, "new": after}],
    }
    kind = AccountMail.ARTISAN_ACCESS_CHANGED
    notifications_enqueue(MailMessage(kind, artisan.email, f"{kind}:{entry.pk}", context))
