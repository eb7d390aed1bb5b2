"""The figures of an order that staff saw when they decided, compared with the current ones when the decision
is applied."""

from django.db.models import Sum

from artisans.core.templatetags.money import show
from orders.models import Order
from payments.errors import OrderChanged

FIGURES = ("received", "refunded", "being refunded", "owed to the buyer", "left to pay")


def order_seen(order: Order) -> str:
    """The order's status and FIGURES in minor units, as one string."""
    reserved = order.payments.aggregate(sum=Sum("refund_reserved_minor"))["sum"] or 0
    sums = (
        order.received_minor,
        order.refunded_minor,
        reserved,
        order.refund_due.minor,
        order.balance_due.minor,
    )
    return " ".join([order.status, *map(str, sums)])


def check_seen(seen: str, order: Order) -> None:
    """Errors: OrderChanged, with the figures that were seen and the current ones."""
    now = order_seen(order)
    if seen == now:
        return
    (old_status, *old), (status, *new) = seen.split(), now.split()
    changes = [] if old_status == status else [f"the order is {order.get_status_display().lower()} now"]
    for name, before, after in zip(FIGURES, old, new, strict=False):
        if before != after:
            was = show(order.money(int(before))) if before.removeprefix("-").isdecimal() else "unknown"
            changes.append(f"{name}: {show(order.money(int(after)))} (was {was})")
    raise OrderChanged("; ".join(changes))
