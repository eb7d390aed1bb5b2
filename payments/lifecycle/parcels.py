"""Parcels after a refund or a return: which ones are cancelled, held, shipped or returned."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.access import workshops_of
from artisans.core.errors import InvalidInput
from artisans.notifications.services import notifications_enqueue
from orders.errors import NotReleased, ParcelChanged
from orders.mails import OrderMail, list_units, order_mail, parcel_mail
from orders.models import Order, OrderLine, Parcel
from orders.owed import Balance
from orders.refunds import parcel_set_instruction
from orders.selectors import lines_by_parcel, order_lock, store_rules
from orders.services.moves import order_recompute_status
from orders.services.parcels import parcel_cancel, parcel_lock, parcel_mark_returned
from orders.statuses import DECISIONS, ParcelDecision, ParcelInstruction, ParcelStatus
from payments.bookkeeping.money_notes import parcel_note
from payments.bookkeeping.payments import order_settle
from payments.bookkeeping.staff_checks import check_staff_permission
from payments.mails import PaymentMail

Decisions = Mapping[UUID, ParcelDecision]


@transaction.atomic
def order_parcels_decide(*, order_id: UUID, decisions: Decisions, reason: str, actor: User) -> Order:
    """Apply staff decisions about parcels that were refunded before, or are returned without a refund.

    Errors: NoPermission, OwnOrder, InvalidInput, NotReleased, ParcelChanged. Locks: order, payment, products.
    """
    order = order_lock(order_id)
    check_staff_permission(actor, "orders.cancel_order", order)
    if not reason.strip():
        raise InvalidInput(_("Enter a reason. It is shown to the buyer and the artisans."))
    parcels_decide(order, decisions, cause=reason.strip(), actor=actor)
    return order


def goods_decisions(decisions: Decisions) -> dict[UUID, ParcelDecision]:
    """The decisions that end a parcel."""
    return {pk: decision for pk, decision in decisions.items() if decision not in INSTRUCTIONS}


def instruction_decisions(decisions: Decisions) -> dict[UUID, ParcelDecision]:
    """The decisions about a parcel that continues."""
    return {pk: decision for pk, decision in decisions.items() if decision in INSTRUCTIONS}


def parcels_decide(order: Order, decisions: Decisions, *, cause: str, actor: User | None) -> None:
    """Apply the decision about each parcel of a refund, and hold refunded parcels without a decision.

    The caller holds the order's lock, and has reserved or booked the amount. Errors: InvalidInput,
    ParcelChanged when a parcel's status no longer allows the decision. Locks: products.
    """
    parcels = list(order.parcels.select_related("artisan").filter(pk__in=decisions))
    if len(parcels) < len(decisions):
        raise InvalidInput(_("This parcel does not belong to the order."))
    if parcels and order.released_at is None:
        raise NotReleased
    lines = lines_by_parcel(order) if parcels else {}
    for parcel in parcels:
        decision = decisions[parcel.pk]
        if decision not in DECISIONS[ParcelStatus(parcel.status)]:
            label = parcel.get_status_display()
            raise ParcelChanged(number=parcel.number, label=label, decision=str(decision.label))
        parcel_decide(parcel, decision, order=order, lines=lines[parcel.pk], cause=cause, actor=actor)
    order_settle(order, cause=cause, actor=actor)


def parcel_decide(
    parcel: Parcel,
    decision: ParcelDecision,
    *,
    order: Order,
    lines: list[OrderLine],
    cause: str,
    actor: User | None,
) -> None:
    data = {"decision": decision.value}
    audit_record(actor=actor, action=Action.PARCEL_DECIDE, target=parcel, data=data)
    if decision in INSTRUCTIONS:
        parcel_set_instruction(parcel, INSTRUCTIONS[decision], order=order, lines=lines, actor=actor)
        return
    before = order.balance
    if decision == ParcelDecision.CANCEL:
        parcel_cancel(parcel, order=order, lines=lines, cause=cause, actor=actor)
    else:
        restock = units_to_restock(lines, restock=decision == ParcelDecision.RETURNED, units=None)
        parcel_mark_returned(parcel, order=order, lines=lines, restock=restock, cause=cause, actor=actor)
    order_recompute_status(order, actor=actor)
    order_settle(order, cause=cause, actor=actor)
    parcel_mails(parcel, order, units_agreed(lines), kinds=MAILS[decision], before=before, reason=cause)


MAILS = {  # to the buyer, to the artisan
    ParcelDecision.CANCEL: (PaymentMail.BUYER_PARCEL_CANCELLED, OrderMail.PARCEL_CANCELLED),
    ParcelDecision.RETURNED: (PaymentMail.PARCEL_RETURNED, PaymentMail.ARTISAN_PARCEL_RETURNED),
    ParcelDecision.WRITTEN_OFF: (PaymentMail.PARCEL_RETURNED, PaymentMail.ARTISAN_PARCEL_RETURNED),
}
INSTRUCTIONS = {
    ParcelDecision.SEND: ParcelInstruction.SEND,
    ParcelDecision.KEEP: ParcelInstruction.NONE,
    ParcelDecision.AWAIT_RETURN: ParcelInstruction.RETURN,
}


@transaction.atomic
def parcel_return(
    *,
    parcel_id: UUID,
    actor: User,
    restock: bool,
    units: Mapping[UUID, int] | None = None,
    reason: str = "",
) -> Parcel:
    """Record that a shipped parcel came back: refused by the recipient, undeliverable, or sent back by the
    buyer.

    `restock`: its items go back on sale, limited to `units` (by order line) if given. What was paid of it is
    due to the buyer, what was not paid is no longer due; returning the last open parcel ends the order.

    Allowed for its artisan and for staff who cancel orders. Errors: NoPermission, OwnOrder, InvalidInput,
    IllegalTransition unless it was shipped. Locks: order, payment, products.
    """
    parcel, order = parcel_lock(parcel_id)
    is_artisan = parcel.artisan_id in workshops_of(actor)
    if not is_artisan:
        check_staff_permission(actor, "orders.cancel_order", order)
    lines, before = lines_by_parcel(order), order.balance
    wanted = units_to_restock(lines[parcel.pk], restock=restock, units=units)
    cause = f"came back: {reason.strip()}" if reason.strip() else "came back"
    parcel_mark_returned(
        parcel, order=order, lines=lines[parcel.pk], restock=wanted, cause=cause, actor=actor
    )
    order_recompute_status(order, actor=actor)
    order_settle(order, cause=cause, actor=actor)
    data = {"to": parcel.status, "restocked": sum(wanted.values())}
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data=data)
    kinds = (PaymentMail.PARCEL_RETURNED, "" if is_artisan else PaymentMail.ARTISAN_PARCEL_RETURNED)
    units_back = units_agreed(lines[parcel.pk])
    parcel_mails(parcel, order, units_back, kinds=kinds, before=before, reason=reason.strip())
    return parcel


def parcel_mails(
    parcel: Parcel,
    order: Order,
    items: Sequence[tuple[OrderLine, int]],
    *,
    kinds: tuple[str, str],
    before: Balance,
    reason: str,
    key: str = "",
    to_follow: int = 0,
) -> None:
    """Email the buyer, and the artisan unless they did it, that the parcel or units of it were cancelled or returned.

    `key`: distinguishes emails of one kind about a parcel. `to_follow`: units of it that are still to be shipped.
    """
    to_buyer, to_artisan = kinds
    store = store_rules()
    about = {
        "number": parcel.number,
        "artisan_name": parcel.artisan.name,
        "lines": list_units(items),
        "to_follow": to_follow,
    }
    mails = [
        order_mail(
            to_buyer,
            order,
            lines=list(order.lines.all()),
            store=store,
            key=f"{parcel.pk}:{key}" if key else str(parcel.pk),
            parcel=about,
            reason=reason,
            money_note=parcel_note(order, before),
        )
    ]
    if to_artisan:
        lines = [line for line, _quantity in items]
        mails.append(parcel_mail(to_artisan, parcel, order=order, lines=lines, store=store, reason=reason))
    notifications_enqueue(*mails)


def units_agreed(lines: Sequence[OrderLine]) -> list[tuple[OrderLine, int]]:
    return [(line, line.agreed_quantity) for line in lines]


def units_to_restock(
    lines: Sequence[OrderLine], *, restock: bool, units: Mapping[UUID, int] | None
) -> dict[UUID, int]:
    """How many units of each line go back on sale. Errors: InvalidInput."""
    if units is None:
        return {line.pk: line.agreed_quantity if restock else 0 for line in lines}
    if not restock:
        raise InvalidInput(_("Enter quantities only for items that go back on sale."))
    ordered = {line.pk: line.agreed_quantity for line in lines}
    for line_id, quantity in units.items():
        if line_id not in ordered:
            raise InvalidInput(_("This line does not belong to the parcel."))
        if not 0 <= quantity <= ordered[line_id]:
            raise InvalidInput(_("Enter a quantity from 0 to %(maximum)s.") % {"maximum": ordered[line_id]})
    return dict(units)
