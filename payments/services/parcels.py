"""What becomes of parcels when goods and money part: they come back from the buyer, or their money went back."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput
from artisans.notifications.services import notifications_queue
from orders.mails import order_mail, parcel_mail
from orders.models import OrderLine, Parcel
from orders.selectors import lines_by_parcel, store_rules
from orders.services import order_follow_parcels, parcel_lock, parcel_take_back
from payments.money_notes import parcel_note
from payments.services.manual import staff_check
from payments.services.payments import order_settle


@transaction.atomic
def parcel_return(
    *,
    parcel_id: UUID,
    actor: User,
    restock: bool,
    units: Mapping[UUID, int] | None = None,
    reason: str = "",
) -> Parcel:
    """A parcel that was sent came back: refused at the door, undeliverable, or sent back by the buyer.

    `restock`: its goods go on sale again, with `units` (by order line) only so many of each. What was paid of it is
    owed to the buyer, what was not paid is owed no more; the last living parcel ends the order.
    Its artisan may say so, and staff who cancel orders.
    Errors: NoPermission, OwnOrder, InvalidInput, IllegalTransition unless it was sent. Locks: order, payment, products.
    """
    parcel, order = parcel_lock(parcel_id)
    is_artisan = parcel.artisan.user_id == actor.pk
    if not is_artisan:
        staff_check(actor, "orders.cancel_order", order, what="record that a parcel came back")
    lines, before = lines_by_parcel(order), order.balance
    wanted = units_to_restock(lines[parcel.pk], restock=restock, units=units)
    cause = f"came back: {reason.strip()}" if reason.strip() else "came back"
    parcel_take_back(parcel, order=order, lines=lines[parcel.pk], restock=wanted, cause=cause, actor=actor)
    order_follow_parcels(order, actor=actor)
    order_settle(order, cause=cause, actor=actor)
    told = {"to": parcel.status, "restocked": sum(wanted.values())}
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data=told)
    store = store_rules()
    about = {
        "number": parcel.number,
        "artisan_name": parcel.artisan.name,
        "lines": [{"name": line.product_name, "quantity": line.quantity} for line in lines[parcel.pk]],
    }
    all_lines = [line for part in lines.values() for line in part]
    mails = [
        order_mail(
            "parcel_returned",
            order,
            lines=all_lines,
            store=store,
            key=str(parcel.pk),
            parcel=about,
            money_note=parcel_note(order, before),
        )
    ]
    if not is_artisan:
        mails.append(
            parcel_mail(
                "parcel_came_back",
                parcel,
                order=order,
                lines=lines[parcel.pk],
                store=store,
                collect_cash=False,
                reason=reason.strip(),
            )
        )
    notifications_queue(*mails)
    return parcel


def units_to_restock(
    lines: Sequence[OrderLine], *, restock: bool, units: Mapping[UUID, int] | None
) -> dict[UUID, int]:
    """How many units of each line go back on sale. Errors: InvalidInput."""
    if units is None:
        return {line.pk: line.quantity if restock else 0 for line in lines}
    if not restock:
        raise InvalidInput("Give numbers of units only when something goes back on sale.")
    ordered = {line.pk: line.quantity for line in lines}
    for line_id, quantity in units.items():
        if line_id not in ordered:
            raise InvalidInput("This is no line of the parcel.")
        if not 0 <= quantity <= ordered[line_id]:
            raise InvalidInput(f"Give a number of units from 0 to {ordered[line_id]}.")
    return dict(units)
