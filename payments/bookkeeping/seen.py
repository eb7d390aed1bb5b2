"""The figures of an order that staff saw when they decided, compared with the current ones when the decision
is applied."""

from django.db.models import Sum
from django.utils.translation import gettext, gettext_lazy

from artisans.core.models import label_of
from artisans.core.templatetags.money import show
from orders.models import Order
from orders.statuses import OrderStatus
from payments.errors import OrderChanged

STATUS = gettext_lazy("Order status: %(now)s (was %(was)s).")
FIGURES = (
    gettext_lazy("Received: %(now)s (was %(was)s)."),
    gettext_lazy("Refunded: %(now)s (was %(was)s)."),
    gettext_lazy("Being refunded: %(now)s (was %(was)s)."),
    gettext_lazy("Refund due: %(now)s (was %(was)s)."),
    gettext_lazy("Outstanding: %(now)s (was %(was)s)."),
)


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
    changes = []
    if old_status != status:
        changes.append(STATUS % {"now": order.get_status_display(), "was": label_of(OrderStatus, old_status)})
    for text, before, after in zip(FIGURES, old, new, strict=False):
        if before != after:
            is_amount = before.removeprefix("-").isdecimal()
            was = show(order.money(int(before))) if is_amount else gettext("unknown")
            changes.append(text % {"now": show(order.money(int(after))), "was": was})
    raise OrderChanged(" ".join(changes))
