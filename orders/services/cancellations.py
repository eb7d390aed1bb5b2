"""Cancelling units of a parcel that its artisan cannot deliver, while the rest is shipped."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from artisans.accounts.models import User
from artisans.catalog.services import StockLine, stock_restock
from orders.cancellations import LineRefunds, price_units
from orders.models import LineCancellation, Order, OrderLine, Parcel
from orders.selectors import order_products_lock
from orders.shipments import units_shipped


def units_cancel(
    parcel: Parcel,
    units: Iterable[tuple[OrderLine, int]],
    *,
    order: Order,
    refunds: Mapping[UUID, LineRefunds],
    restock: bool,
    reason: str,
    actor: User,
) -> list[LineCancellation]:
    """Record units of the parcel that will not be delivered, and subtract their amount from what the order costs.

    `refunds`: of all lines, as `payments` knows them; their `unsent` counts what was shipped, too. `restock`: the units
    exist and go back on sale. The caller holds the order's lock, has checked that so many are left, and settles the
    order. Locks: products.
    """
    units = list(units)
    shipped = units_shipped([line.pk for line, _quantity in units])
    rows = []
    for line, quantity in units:
        known = refunds.get(line.pk, LineRefunds())
        price = price_units(line, quantity, replace(known, unsent=known.unsent - shipped.get(line.pk, 0)))
        rows.append(
            LineCancellation(
                line=line,
                quantity=quantity,
                currency=line.currency,
                amount_minor=price.minor,
                refunded_quantity=price.refunded,
                refunded_minor=price.refunded_minor,
                restocked=restock,
                reason=reason,
                actor=actor,
                actor_name=actor.email,
            )
        )
    LineCancellation.objects.bulk_create(rows)
    if restock:
        order_products_lock(order)
        stock_restock(
            lines=[StockLine(row.line_id, row.line.product_id, row.quantity, row.pk) for row in rows],
            reason=f"not delivered {order.order_number}",
            stock_round=order.stock_round,
            lost={line.pk: line.lost_quantity for line, _quantity in units},
        )
    for row in rows:
        line_count_cancelled(row)
    minor = sum(row.amount_minor for row in rows)
    parcel.cancelled_minor += minor
    parcel.save(update_fields=["cancelled_minor", "updated_at"])
    order.cancelled_minor += minor
    order.save(update_fields=["cancelled_minor", "updated_at"])
    return rows


def line_count_cancelled(row: LineCancellation) -> None:
    line = row.line
    line.cancelled_quantity += row.quantity
    line.cancelled_minor += row.amount_minor
    line.lost_quantity += 0 if row.restocked else row.quantity
    line.cancelled_refunded_quantity += row.refunded_quantity
    line.cancelled_refunded_minor += row.refunded_minor
    line.save(
        update_fields=[
            "cancelled_quantity",
            "cancelled_minor",
            "lost_quantity",
            "cancelled_refunded_quantity",
            "cancelled_refunded_minor",
            "updated_at",
        ]
    )
