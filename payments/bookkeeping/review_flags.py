from uuid import UUID

from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput
from payments.bookkeeping.staff_checks import check_staff_permission
from payments.errors import AlreadyRecorded
from payments.models import FlagKind, Payment, PaymentFlag


def flag_raise(payment: Payment, kind: FlagKind, detail: str) -> None:
    """Put the payment on the staff's list; the first open flag of a kind stands."""
    PaymentFlag.objects.bulk_create(
        [PaymentFlag(payment=payment, kind=kind, detail=detail[:300])], ignore_conflicts=True
    )


def flag_refresh(payment: Payment, kind: FlagKind, detail: str) -> None:
    """The same for trouble that changes while it lasts: an open flag of the kind says what is the matter now."""
    open_ones = payment.flags.filter(kind=kind, resolved_at=None)
    if not open_ones.update(detail=detail[:300], updated_at=timezone.now()):
        flag_raise(payment, kind, detail)


def flag_clear(payment: Payment, kind: FlagKind, resolution: str) -> None:
    """The trouble went away by itself."""
    now = timezone.now()
    payment.flags.filter(kind=kind, resolved_at=None).update(
        resolved_at=now, resolution=resolution[:300], updated_at=now
    )


@transaction.atomic
def flag_resolve(*, flag_id: UUID, resolution: str, actor: User) -> PaymentFlag:
    """A person looked at it and says what was done. Errors: NoPermission, OwnOrder, InvalidInput, AlreadyRecorded."""
    found = (
        PaymentFlag.objects.select_for_update(of=("self",)).select_related("payment__order").get(pk=flag_id)
    )
    check_staff_permission(
        actor, "payments.resolve_flag", found.payment.order, what="settle what was flagged"
    )
    if not resolution.strip():
        raise InvalidInput("Say what was found and done.")
    if found.resolved_at is not None:
        raise AlreadyRecorded("Somebody settled this already.")
    found.resolved_at, found.resolved_by, found.resolution = timezone.now(), actor, resolution.strip()[:300]
    found.save(update_fields=["resolved_at", "resolved_by", "resolution", "updated_at"])
    audit_record(actor=actor, action=Action.FLAG_RESOLVE, target=found.payment, data={"kind": found.kind})
    return found
