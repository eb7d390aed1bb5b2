"""Holds that a second person has to approve, if the store rules ask for it."""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.accounts.models import User
from artisans.approvals.errors import SecondPersonRequired
from artisans.approvals.kinds import ApprovalKind, Payload, register
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_request
from artisans.catalog.models import Artisan
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.earnings.holds import PERMISSION, HoldRequest, check_staff, hold_end, hold_place
from artisans.earnings.models import Hold, HoldReason
from orders.models import Order

PLACE, END = "hold_place", "hold_end"


@transaction.atomic
def hold_submit(*, artisan: Artisan, request: HoldRequest, actor: User) -> Hold | ApprovalRequest:
    """Place a hold, or request its approval. Errors: those of hold_place and approval_request."""
    with suppress(SecondPersonRequired):
        return hold_place(artisan_id=artisan.pk, request=request, actor=actor)
    order, until = request.order, request.until
    details = [
        (_("Artisan"), artisan.name),
        (_("Amount"), show(request.amount)),
        (_("Reason"), str(request.reason.label)),
        (_("Explanation"), request.note),
        *([(_("Order"), order.order_number)] if order else []),
        *([(_("Until"), until.date().isoformat())] if until else []),
        *([(_("Releases"), _("stopped"))] if request.stops_releases else []),
    ]
    return approval_request(
        PLACE,
        target=artisan,
        title=_("Hold back %(amount)s of %(artisan)s")
        % {"amount": show(request.amount), "artisan": artisan.name},
        details=details,
        payload={
            "artisan": str(artisan.pk),
            "amount": [request.amount.minor, request.amount.currency],
            "reason": str(request.reason),
            "note": request.note,
            "order": str(order.pk) if order else None,
            "until": until.isoformat() if until else None,
            "stops_releases": request.stops_releases,
        },
        actor=actor,
    )


@transaction.atomic
def hold_end_submit(*, hold: Hold, actor: User) -> Hold | ApprovalRequest:
    """End a hold, or request its approval. Errors: those of hold_end and approval_request."""
    with suppress(SecondPersonRequired):
        return hold_end(hold_id=hold.pk, actor=actor)
    return approval_request(
        END,
        target=hold,
        title=_("End the hold on %(amount)s of %(artisan)s")
        % {"amount": show(hold.amount), "artisan": hold.artisan.name},
        details=[
            (_("Artisan"), hold.artisan.name),
            (_("Amount"), show(hold.amount)),
            (_("Reason"), str(hold.get_reason_display())),
            (_("Explanation"), hold.note),
        ],
        payload={
            "artisan": str(hold.artisan_id),
            "order": str(hold.order_id) if hold.order_id else None,
            "hold": str(hold.pk),
        },
        actor=actor,
    )


def place_execute(payload: Payload, requested_by: User, approved_by: User) -> Hold:
    request = HoldRequest(
        amount=Money(*payload["amount"]),
        reason=HoldReason(payload["reason"]),
        note=payload["note"],
        order=order_in(payload),
        until=datetime.fromisoformat(payload["until"]) if payload["until"] else None,
        stops_releases=payload["stops_releases"],
    )
    return hold_place(
        artisan_id=UUID(payload["artisan"]), request=request, actor=requested_by, approved_by=approved_by
    )


def end_execute(payload: Payload, requested_by: User, approved_by: User) -> Hold:
    return hold_end(hold_id=UUID(payload["hold"]), actor=requested_by, approved_by=approved_by)


def decidable(payload: Payload, actor: User) -> None:
    """Nobody decides about their own money, or their own order. Errors: NoPermission, OwnMoney, OwnOrder."""
    check_staff(actor, UUID(payload["artisan"]), order_in(payload))


def order_in(payload: Payload) -> Order | None:
    return Order.objects.get(pk=payload["order"]) if payload["order"] else None


def kinds_register() -> None:
    register(
        ApprovalKind(
            PLACE, gettext_lazy("Hold back an artisan’s money"), PERMISSION, place_execute, decidable
        )
    )
    register(
        ApprovalKind(
            END, gettext_lazy("End a hold on an artisan’s money"), PERMISSION, end_execute, decidable
        )
    )
