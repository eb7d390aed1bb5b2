from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils import timezone

from artisans.accounts.models import Role, User
from artisans.approvals.kinds import KINDS, ApprovalKind, Payload
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.statuses import ApprovalStatus

VIEW = "approvals.view_approvalrequest"


def approvals_visible_to(user: User) -> QuerySet[ApprovalRequest]:
    """The user's own requests, and those of kinds that their permissions allow them to decide."""
    kinds = [kind.name for kind in KINDS.values() if user.has_perm(kind.permission)]
    return ApprovalRequest.objects.filter(Q(kind__in=kinds) | Q(requested_by=user))


def approvals_pending() -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(status=ApprovalStatus.PENDING, expires_at__gt=timezone.now())


def approvals_to_decide(user: User) -> QuerySet[ApprovalRequest]:
    """Requests that this user can decide."""
    return approvals_pending().filter(pk__in=approvals_visible_to(user)).exclude(requested_by=user)


def people_with(*permissions: str) -> list[User]:
    """Email addresses of active staff with these permissions who can see requests."""
    staff = User.objects.filter(Q(role=Role.STAFF) | Q(is_superuser=True), is_active=True).order_by("email")
    return [user for user in staff if user.has_perms([*permissions, VIEW])]


def second_people(kind: ApprovalKind, payload: Payload, *, beside: User) -> list[User]:
    """Everyone else who could approve."""
    return [user for user in people_with(*kind.permissions(payload)) if user.pk != beside.pk]


def approvers_of(kinds: Iterable[ApprovalKind]) -> dict[str, list[User]]:
    """By label of each of these kinds of act, who could request or approve it; it takes two."""
    return {str(kind.label): people_with(kind.permission) for kind in kinds}
