from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.changes import changes_note
from artisans.core.errors import InvalidInput
from payments.bookkeeping.staff_checks import check_staff_permission
from payments.errors import AlreadyRecorded
from payments.models import FlagKind, Payment, PaymentFlag


def flag_raise(payment: Payment, kind: FlagKind, detail: str) -> None:
    """Flag the payment for review; an open flag of the same kind is kept as it is."""
    PaymentFlag.objects.bulk_create(
        [PaymentFlag(payment=payment, kind=kind, detail=detail[:300])], ignore_conflicts=True
    )
    if kind == FlagKind.MISMATCH:  # figures say why payments are lost
        changes_note(("payments", payment.created_at))


def flag_refresh(payment: Payment, kind: FlagKind, detail: str) -> None:
    """Flag the payment for review, and update the detail of an open flag of the same kind."""
    open_ones = payment.flags.filter(kind=kind, resolved_at=None)
    if not open_ones.update(detail=detail[:300], updated_at=timezone.now()):
        flag_raise(payment, kind, detail)


def flag_clear(payment: Payment, kind: FlagKind, resolution: str) -> None:
    """Resolve the flag automatically, because its cause is gone."""
    now = timezone.now()
    payment.flags.filter(kind=kind, resolved_at=None).update(
        resolved_at=now, resolution=resolution[:300], updated_at=now
    )


@transaction.atomic
def flag_resolve(*, flag_id: UUID, resolution: str, actor: User) -> PaymentFlag:
    """Resolve a flag with a note by staff. Errors: NoPermission, OwnOrder, InvalidInput, AlreadyRecorded."""
    found = (
        PaymentFlag.objects.select_for_update(of=("self",)).select_related("payment__order").get(pk=flag_id)
    )
    check_staff_permission(actor, "payments.resolve_flag", found.payment.order)
    if not resolution.strip():
        raise InvalidInput(_("Enter what you found and did."))
    if found.resolved_at is not None:
        raise AlreadyRecorded(_("This was already resolved."))
    found.resolved_at, found.resolved_by, found.resolution = timezone.now(), actor, resolution.strip()[:300]
    found.save(update_fields=["resolved_at", "resolved_by", "resolution", "updated_at"])
    audit_record(actor=actor, action=Action.FLAG_RESOLVE, target=found.payment, data={"kind": found.kind})
    return found
