"""Sentences that tell a buyer what a closed order or a cancelled parcel means for their money."""

from typing import Any

from django.utils.translation import gettext as _

from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.notifications.facts import fact_renderer, render_later
from orders.models import Order
from orders.owed import Balance


def closed_note(order: Order) -> dict[str, Any]:
    """For the email about a closed order."""
    return render_later(money_note, due=order.refund_due, refunded=order.refunded, received=order.received)


@fact_renderer
def money_note(due: Money, refunded: Money, received: Money) -> str:
    """`due`: the amount still to be refunded."""
    if due:
        return _("We will refund the %(amount)s that we received.") % {"amount": show(due)}
    return refunded_note(refunded) if received else _("You have not been charged.")


def parcel_note(order: Order, before: Balance) -> dict[str, Any]:
    """For the email about a parcel that was cancelled or returned. `before`: the order's balance before that."""
    after = order.balance
    return render_later(
        parcel_money_note,
        more=order.money(max(0, after.owed - before.owed)),
        less=order.money(before.outstanding - after.outstanding),
        left=order.balance_due,
        received=order.received,
        refunded=order.refunded,
        is_open=is_open(order),
    )


@fact_renderer
def parcel_money_note(
    *, more: Money, less: Money, left: Money, received: Money, refunded: Money, is_open: bool
) -> str:
    """`more`: what is refunded for the parcel; `less`: by how much the amount due fell; `left`: the amount
    still due."""
    notes = [_("We will refund %(amount)s.") % {"amount": show(more)}] if more else []
    if left:
        notes.append(
            _("Your total is now %(less)s lower. Amount due: %(left)s.")
            % {"less": show(less), "left": show(left)}
        )
    elif less and received:
        notes.append(_("There is nothing left to pay."))
    elif not received:
        notes.append(_("You have not been charged for it."))
    return " ".join(notes) or returned(refunded, is_open=is_open)


def returned_note(order: Order) -> str:
    return returned(order.refunded, is_open=is_open(order))


def returned(refunded: Money, *, is_open: bool) -> str:
    if is_open:
        return _("We refunded %(amount)s. We are checking whether we owe you more.") % {
            "amount": show(refunded)
        }
    return refunded_note(refunded)


def refunded_note(refunded: Money) -> str:
    return _("We refunded %(amount)s.") % {"amount": show(refunded)}


def is_open(order: Order) -> bool:
    """Whether a refund that awaits a staff decision may turn out to be for something else."""
    return bool(order.is_alive and order.unassigned and order.balance.net_received)
