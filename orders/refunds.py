"""What a refund means for the lines of an order: pieces counted, pieces back on sale. Callers hold the order's lock."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F

from artisans.catalog.services import StockLine, pieces_restocked, stock_restock
from artisans.notifications.services import notifications_queue
from orders.mails import parcel_reduced_mail
from orders.models import Order, OrderLine
from orders.selectors import store_rules
from orders.statuses import PARCELS_GONE, PARCELS_UNSENT


def pieces_to_send(lines: Sequence[OrderLine]) -> list[dict[str, Any]]:
    """Names and numbers of what goes into a parcel: without what a refund put on sale again."""
    back = pieces_restocked([line.pk for line in lines])
    sent = [(line.product_name, line.quantity - back.get(line.pk, 0)) for line in lines]
    return [{"name": name, "quantity": quantity} for name, quantity in sent if quantity]


def lines_count_refund(pieces: Mapping[UUID, int]) -> None:
    """Count pieces of order lines as refunded, or as refunded no more when negative.

    The caller holds the order's lock. Errors: IntegrityError beyond a line's quantity.
    """
    for line_id, quantity in pieces.items():
        OrderLine.objects.filter(pk=line_id).update(refunded_quantity=F("refunded_quantity") + quantity)


def lines_restock(order: Order, wanted: Mapping[UUID, tuple[OrderLine, int]], *, reason: str) -> None:
    """Put refunded pieces on sale again and tell the artisans who had not sent them yet.

    Shape: by line of the refund, its order line (with its parcel) and the number of pieces. What is on sale again
    already (cancelled, or brought back before) is left out; so is what came back with its parcel, as that was decided
    then. The caller holds the order's lock. Locks: products.
    """
    asked = [
        StockLine(line.pk, line.product_id, quantity, refund_line)
        for refund_line, (line, quantity) in wanted.items()
        if quantity and line.parcel.status not in PARCELS_GONE
    ]
    back = stock_restock(lines=asked, reason=reason, stock_round=order.stock_round)
    came = {stock_line.order_line: stock_line.quantity for stock_line in back}
    lines = [line for line, _ in wanted.values() if line.pk in came]
    unsent = order.parcels.filter(status__in=PARCELS_UNSENT)
    store = store_rules()
    for parcel in unsent.select_related("artisan") if order.released_at else ():
        if own := [(line, came[line.pk]) for line in lines if line.parcel_id == parcel.pk]:
            notifications_queue(parcel_reduced_mail(parcel, order=order, pieces=own, store=store, key=reason))
