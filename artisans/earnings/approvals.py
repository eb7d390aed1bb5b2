"""Holds, payments of debts and write-offs that a second person has to approve, if the store rules require it."""

from contextlib import suppress
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
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
from artisans.earnings.models import Debt, Hold, HoldReason, Settlement, SettlementMeans, effect_text
from artisans.earnings.settlements import (
    SETTLE,
    WRITE_OFF,
    SettlementRequest,
    check_may_settle,
    debt_lock,
    owed_now,
    settlement_lock,
    settlement_record,
    settlement_reverse,
)
from orders.models import Order

PLACE, END = "hold_place", "hold_end"
PAY, GIVE_UP, REVERSE_PAY, REVERSE_GIVE_UP = (
    *("debt_settle", "debt_write_off"),
    *("debt_settle_reverse", "debt_write_off_reverse"),
)


@transaction.atomic
def hold_submit(*, artisan: Artisan, request: HoldRequest, actor: User) -> Hold | ApprovalRequest:
    """Place a hold, or request its approval. Errors: those of hold_place and approval_request."""
    with suppress(SecondPersonRequired):
        return hold_place(artisan_id=artisan.pk, request=request, actor=actor)
    order, until = request.order, request.until
    details = [
        (_("Artisan"), artisan.name),
        (_("Effect"), effect_text(request.amount, stops_releases=request.stops_releases)),
        (_("Reason"), str(request.reason.label)),
        (_("Explanation"), request.note),
        *([(_("Order"), order.order_number)] if order else []),
        *([(_("Until"), date_format(timezone.localtime(until)))] if until else []),
    ]
    return approval_request(
        PLACE,
        target=artisan,
        title=_("Hold back %(amount)s from %(artisan)s")
        % {"amount": show(request.amount), "artisan": artisan.name}
        if request.amount
        else _("Stop releases to %(artisan)s") % {"artisan": artisan.name},
        details=details,
        payload={
            "id": str(request.id),
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
        title=_("End a hold of %(artisan)s: %(effect)s")
        % {"artisan": hold.artisan.name, "effect": hold.effect},
        details=[
            (_("Artisan"), hold.artisan.name),
            (_("Effect"), hold.effect),
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


@transaction.atomic
def settlement_submit(*, debt: Debt, request: SettlementRequest, actor: User) -> Settlement | ApprovalRequest:
    """Record a payment or a write-off, or request its approval. Errors: those of settlement_record and
    approval_request. The artisan stays locked, so that the request names what is owed. A write-off is approved for
    exactly that debt; a payment was received, whatever is owed by then."""
    debt = debt_lock(debt.pk)
    with suppress(SecondPersonRequired):
        return settlement_record(debt_id=debt.pk, request=request, actor=actor)
    owed = owed_now(debt)
    title = (
        _("Write off %(amount)s of the debt %(debt)s")
        if request.is_write_off
        else _("Record %(amount)s paid of the debt %(debt)s")
    )
    return approval_request(
        GIVE_UP if request.is_write_off else PAY,
        target=debt,
        title=title % {"amount": show(request.amount), "debt": debt},
        details=[
            (_("Artisan"), debt.artisan.name),
            (_("Owed now"), show(owed)),
            (_("Amount"), show(request.amount)),
            *([] if request.is_write_off else [(_("Received"), str(request.means.label))]),
            (_("Value date"), date_format(request.value_date)),
            *([(_("Reference"), request.reference)] if request.reference else []),
            *([(_("Note"), request.note)] if request.note else []),
        ],
        payload={
            "artisan": str(debt.artisan_id),
            "debt": str(debt.pk),
            "means": str(request.means),
            "amount": [request.amount.minor, request.amount.currency],
            "value_date": request.value_date.isoformat(),
            "reference": request.reference,
            "note": request.note,
            "beyond_owed": request.beyond_owed,
            "seen": [owed.minor, owed.currency] if request.is_write_off else None,
        },
        actor=actor,
    )


@transaction.atomic
def settlement_reverse_submit(
    *, settlement: Settlement, reason: str, actor: User
) -> Settlement | ApprovalRequest:
    """Reverse a settlement, or request its approval. Errors: those of settlement_reverse and approval_request."""
    settlement = settlement_lock(settlement.pk)
    with suppress(SecondPersonRequired):
        return settlement_reverse(settlement_id=settlement.pk, reason=reason, actor=actor)
    return approval_request(
        REVERSE_GIVE_UP if settlement.is_write_off else REVERSE_PAY,
        target=settlement,
        title=_("Reverse %(amount)s of the debt %(debt)s: %(means)s")
        % {
            "amount": show(settlement.amount),
            "debt": settlement.debt,
            "means": settlement.get_means_display(),
        },
        details=[
            (_("Artisan"), settlement.debt.artisan.name),
            (_("Amount"), show(settlement.amount)),
            *([(_("Reference"), settlement.reference)] if settlement.reference else []),
            (_("Reason"), reason),
        ],
        payload={
            "artisan": str(settlement.debt.artisan_id),
            "settlement": str(settlement.pk),
            "reason": reason,
        },
        actor=actor,
    )


def place_execute(payload: Payload, requested_by: User, approved_by: User) -> Hold:
    request = HoldRequest(
        id=UUID(payload["id"]),
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


def settlement_execute(payload: Payload, requested_by: User, approved_by: User) -> Settlement:
    request = SettlementRequest(
        means=SettlementMeans(payload["means"]),
        amount=Money(*payload["amount"]),
        value_date=date.fromisoformat(payload["value_date"]),
        reference=payload["reference"],
        note=payload["note"],
        beyond_owed=payload["beyond_owed"],
        seen=Money(*seen) if (seen := payload["seen"]) else None,
    )
    return settlement_record(
        debt_id=UUID(payload["debt"]), request=request, actor=requested_by, approved_by=approved_by
    )


def settlement_reverse_execute(payload: Payload, requested_by: User, approved_by: User) -> Settlement:
    return settlement_reverse(
        settlement_id=UUID(payload["settlement"]),
        reason=payload["reason"],
        actor=requested_by,
        approved_by=approved_by,
    )


def decidable(payload: Payload, actor: User) -> None:
    """Nobody decides about their own money, or their own order. Errors: NoPermission, OwnMoney, OwnOrder."""
    check_staff(actor, UUID(payload["artisan"]), order_in(payload))


def settleable(payload: Payload, actor: User) -> None:
    """Errors: MayNotSettle, OwnMoney."""
    check_may_settle(actor, UUID(payload["artisan"]), is_write_off=False)


def can_be_written_off(payload: Payload, actor: User) -> None:
    """Errors: MayNotSettle, OwnMoney."""
    check_may_settle(actor, UUID(payload["artisan"]), is_write_off=True)


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
    for name, label, permission, execute, check in (
        (PAY, gettext_lazy("Record a payment of an artisan’s debt"), SETTLE, settlement_execute, settleable),
        (
            REVERSE_PAY,
            gettext_lazy("Reverse a payment of an artisan’s debt"),
            SETTLE,
            settlement_reverse_execute,
            settleable,
        ),
        (
            GIVE_UP,
            gettext_lazy("Write off an artisan’s debt"),
            WRITE_OFF,
            settlement_execute,
            can_be_written_off,
        ),
        (
            REVERSE_GIVE_UP,
            gettext_lazy("Reverse the write-off of an artisan’s debt"),
            WRITE_OFF,
            settlement_reverse_execute,
            can_be_written_off,
        ),
    ):
        register(ApprovalKind(name, label, permission, execute, check))
