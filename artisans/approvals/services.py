"""Four-eyes principle: one person requests an operation, and it is executed once another approves it."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.approvals.errors import ApprovalPending, NobodyElse, NotPending, OwnRequest
from artisans.approvals.kinds import KINDS, ApprovalKind, Payload
from artisans.approvals.mails import ApprovalMail
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.selectors import second_people
from artisans.approvals.statuses import APPROVAL_TRANSITIONS, DECIDED, ApprovalStatus
from artisans.audit.services import Action, audit_record
from artisans.core.errors import DomainError, Forbidden, InvalidInput, NotFound
from artisans.core.idempotency.keys import effect_record
from artisans.core.models import get_or_none
from artisans.core.state import check_transition
from artisans.notifications.services import MailMessage, notifications_enqueue

EXPIRES_AFTER = timedelta(days=3)

A = ApprovalStatus


def target_of(row: Model) -> str:
    return f"{row._meta.label}:{row.pk}"


@transaction.atomic
def approval_request(
    kind: str,
    *,
    target: Model,
    title: str,
    details: Sequence[tuple[str, str]],
    payload: Payload,
    actor: User,
) -> ApprovalRequest:
    """Create a request for approval and email everyone who could approve it.

    The caller has made the checks of the operation itself. Errors: NobodyElse, ApprovalPending.
    """
    handler = KINDS[kind]
    approvers = second_people(handler, payload, beside=actor)
    if not approvers:
        raise NobodyElse(handler.permissions(payload))
    approvals_expire(target=target_of(target))
    try:
        with transaction.atomic():
            approval = ApprovalRequest.objects.create(
                kind=kind,
                target=target_of(target),
                title=title[:200],
                details=json.dumps(details),
                payload=json.dumps(payload),
                requested_by=actor,
                expires_at=timezone.now() + EXPIRES_AFTER,
            )
    except IntegrityError:
        pending = ApprovalRequest.objects.filter(kind=kind, target=target_of(target), status=A.PENDING)
        first = pending.select_related("requested_by").first()
        if first is None:
            raise
        raise ApprovalPending(first.title, first.requested_by.email) from None
    effect_record(f"approval:{approval.pk}")
    audit_record(actor=actor, action=Action.APPROVAL_REQUEST, target=approval, data=facts_of(approval))
    notifications_enqueue(
        *[approval_mail(ApprovalMail.APPROVAL_REQUESTED, approval, to=user) for user in approvers]
    )
    return approval


@transaction.atomic
def approval_approve(*, approval_id: UUID, actor: User) -> ApprovalRequest:
    """Approve a request and execute it in one transaction.

    If the current state refuses it, the request becomes FAILED with the cause in `note` and nothing else changes; the
    same if its author was deactivated or lost the permission since.
    Errors: NotFound, NotPending, OwnRequest, Forbidden, and those of the kind's check. Locks: the request, then those
    of the operation.
    """
    approval, kind = approval_lock(approval_id, actor)
    payload: Payload = json.loads(approval.payload)
    try:
        with transaction.atomic():
            check_may_decide(
                approval.requested_by,
                kind,
                payload,
                refusal=_(
                    "The person who made this request no longer has an active account with these permissions: "
                    "%(needed)s."
                ),
            )
            kind.execute(payload, approval.requested_by, actor)
    except DomainError as error:
        approval_move(approval, A.FAILED, actor=actor, note=error.detail)
    else:
        approval_move(approval, A.APPROVED, actor=actor)
    return approval


@transaction.atomic
def approval_reject(*, approval_id: UUID, actor: User, reason: str) -> ApprovalRequest:
    """Errors: InvalidInput without a reason, and those of approval_approve."""
    if not reason.strip():
        raise InvalidInput(_("Enter a reason; it is shown to the person who made the request."))
    approval, _kind = approval_lock(approval_id, actor)
    approval_move(approval, A.REJECTED, actor=actor, note=reason.strip())
    return approval


@transaction.atomic
def approval_withdraw(*, approval_id: UUID, actor: User) -> ApprovalRequest:
    """Withdraw one's own request. Errors: NotFound for anyone else's, NotPending."""
    approval = pending_lock(ApprovalRequest.objects.filter(requested_by=actor), approval_id)
    approval_move(approval, A.WITHDRAWN, actor=actor)
    return approval


@transaction.atomic
def approvals_expire(*, target: str = "") -> int:
    """Expire old requests, so that new ones can be made. Returns how many."""
    late = ApprovalRequest.objects.filter(status=A.PENDING, expires_at__lte=timezone.now())
    late = late.filter(target=target) if target else late
    ended = list(late.select_for_update(of=("self",)).select_related("requested_by"))
    for approval in ended:
        approval_move(approval, A.EXPIRED, actor=None)
    return len(ended)


def approval_lock(approval_id: UUID, actor: User) -> tuple[ApprovalRequest, ApprovalKind]:
    approval = pending_lock(ApprovalRequest.objects.all(), approval_id)
    kind = KINDS[approval.kind]
    if approval.requested_by_id == actor.pk:
        raise OwnRequest
    payload: Payload = json.loads(approval.payload)
    check_may_decide(
        actor, kind, payload, refusal=_("To decide this, you need these permissions: %(needed)s.")
    )
    kind.check(payload, actor)
    return approval, kind


def check_may_decide(user: User, kind: ApprovalKind, payload: Payload, *, refusal: str) -> None:
    """Errors: Forbidden without the permissions, or for an account that is inactive or no longer staff."""
    needed = kind.permissions(payload)
    if not (user.is_active and user.is_staff and user.has_perms(needed)):
        raise Forbidden(refusal % {"needed": ", ".join(needed)})


def pending_lock(rows: Any, approval_id: UUID) -> ApprovalRequest:
    locked = rows.select_for_update(of=("self",)).select_related("requested_by")
    approval: ApprovalRequest | None = get_or_none(locked.filter(pk=approval_id))
    if approval is None:
        raise NotFound(_("There is no such request."))
    if approval.status == A.PENDING and approval.expires_at <= timezone.now():
        raise NotPending(str(A.EXPIRED.label))
    if approval.status != A.PENDING:
        raise NotPending(approval.get_status_display())
    return approval


def approval_move(
    approval: ApprovalRequest, to: ApprovalStatus, *, actor: User | None, note: str = ""
) -> None:
    """Change a request's status; all changes go through here. The caller holds its lock."""
    check_transition(APPROVAL_TRANSITIONS, A(approval.status), to)
    approval.status, approval.note, approval.decided_at = to, note[:300], timezone.now()
    approval.decided_by = actor if to in DECIDED else None
    approval.save(update_fields=["status", "note", "decided_at", "decided_by", "updated_at"])
    audit_record(
        actor=actor,
        action=ACTIONS[to],
        target=approval,
        data=facts_of(approval) | ({"note": approval.note} if note else {}),
    )
    if to != A.WITHDRAWN:
        notifications_enqueue(
            approval_mail(ApprovalMail.APPROVAL_DECIDED, approval, to=approval.requested_by)
        )


ACTIONS = {
    A.APPROVED: Action.APPROVAL_APPROVE,
    A.FAILED: Action.APPROVAL_FAIL,
    A.REJECTED: Action.APPROVAL_REJECT,
    A.WITHDRAWN: Action.APPROVAL_WITHDRAW,
    A.EXPIRED: Action.APPROVAL_EXPIRE,
}


def facts_of(approval: ApprovalRequest) -> dict[str, str]:
    """Data for the audit log: who requested what; personal figures stay in the encrypted columns."""
    return {"kind": approval.kind, "target": approval.target, "requested_by": approval.requested_by.email}


def approval_mail(kind: str, approval: ApprovalRequest, *, to: User) -> MailMessage:
    context = {
        "approval_id": str(approval.pk),
        "title": approval.title,
        "requested_by": approval.requested_by.email,
        "status": approval.get_status_display(),
        "decided_by": approval.decided_by.email if approval.decided_by else "",
        "note": approval.note,
    }
    return MailMessage(kind, to.email, f"{kind}:{approval.pk}:{approval.status}:{to.pk}", context)
