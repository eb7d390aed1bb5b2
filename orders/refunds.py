"""Effects of a refund on an order's lines and parcels. Callers hold the order's lock."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.services import StockLine, stock_restock
from artisans.notifications.services import notifications_enqueue
from orders.mails import OrderMail, list_units, order_mail, parcel_mail, parcel_reduced_mail
from orders.models import Order, OrderLine, Parcel
from orders.selectors import lines_by_parcel, order_products_lock, store_rules
from orders.statuses import PARCELS_ENDED, PARCELS_SHIPPED, PARCELS_UNSHIPPED, ParcelInstruction


def count_refunded_units(quantities: Mapping[UUID, int]) -> None:
    """Add to the refunded quantity of order lines, or subtract if negative.

    The caller holds the order's lock. Errors: IntegrityError beyond a line's quantity.
    """
    for line_id, quantity in quantities.items():
        OrderLine.objects.filter(pk=line_id).update(refunded_quantity=F("refunded_quantity") + quantity)


def lines_restock(order: Order, wanted: Mapping[UUID, tuple[OrderLine, int]], *, reason: str) -> None:
    """Restock refunded units and notify the artisans whose parcels have not shipped yet.

    Shape: `wanted` maps refund lines to an order line (with its parcel) and a quantity. Units restocked before are
    skipped, and so are those of cancelled and returned parcels. The caller holds the order's lock. Locks: products.
    """
    asked = [
        StockLine(line.pk, line.product_id, quantity, refund_line)
        for refund_line, (line, quantity) in wanted.items()
        if quantity and line.parcel.status not in PARCELS_ENDED
    ]
    if asked:
        order_products_lock(order)
    lost = {line.pk: line.lost_quantity for line, _ in wanted.values()}
    back = stock_restock(lines=asked, reason=reason, stock_round=order.stock_round, lost=lost)
    came = {stock_line.order_line: stock_line.quantity for stock_line in back}
    lines = [line for line, _ in wanted.values() if line.pk in came]
    unsent = order.parcels.filter(status__in=PARCELS_UNSHIPPED)
    store = store_rules()
    for parcel in unsent.select_related("artisan") if order.released_at else ():
        if own := [(line, came[line.pk]) for line in lines if line.parcel_id == parcel.pk]:
            notifications_enqueue(
                parcel_reduced_mail(parcel, order=order, items=own, store=store, key=reason)
            )


# ---- parcels that were refunded -----------------------------------------------------------------------------


def hold_refunded_parcels(order: Order, *, reserved: int, outside: int) -> None:
    """Put refunded, unshipped parcels on hold until staff decide; release them once they are paid again.

    `reserved`: minor units of pending refunds. `outside`: refunded at the provider or lost in disputes, without
    naming goods. Remaining money is counted for shipped parcels first.
    The caller holds the order's lock and has saved its sums.
    """
    living = order.parcels.exclude(status__in=PARCELS_ENDED).select_related("artisan")
    unsent = [parcel for parcel in living if parcel.status in PARCELS_UNSHIPPED]
    if not unsent or order.released_at is None:
        return
    lines = lines_by_parcel(order)
    of_sent = sum(
        parcel.total_minor - sum(line.uncharged.minor for line in lines[parcel.pk])
        for parcel in living
        if parcel.status in PARCELS_SHIPPED
    )
    kept = order.received_minor - order.refunded_minor - reserved
    was_paid = order.received_minor and order.received_minor >= order.agreed_total_minor
    nothing_kept = was_paid and kept < order.received_minor and kept <= of_sent
    for parcel in unsent:
        is_back = (
            nothing_kept
            or outside >= parcel.agreed_total_minor
            or not any(line.refundable_quantity for line in lines[parcel.pk])
        )
        if not is_back:
            parcel_set_instruction(parcel, ParcelInstruction.NONE, order=order, lines=lines[parcel.pk])
        elif parcel.instruction != ParcelInstruction.SEND:
            parcel_set_instruction(parcel, ParcelInstruction.HOLD, order=order, lines=lines[parcel.pk])


def clear_ship_instructions(order: Order) -> None:
    """A new refund invalidates the decision to ship that was made after an earlier one."""
    sent_anyway = order.parcels.filter(instruction=ParcelInstruction.SEND)
    sent_anyway.update(instruction=ParcelInstruction.NONE)


def parcel_set_instruction(
    parcel: Parcel,
    to: ParcelInstruction,
    *,
    order: Order,
    lines: list[OrderLine],
    actor: User | None = None,
) -> None:
    """Change a parcel's instruction and notify the artisan. All changes of instructions go through here."""
    old = ParcelInstruction(parcel.instruction)
    if old == to:
        return
    parcel.instruction = to
    parcel.save(update_fields=["instruction", "updated_at"])
    data = {"instruction": to.value or "none"}
    audit_record(actor=actor, action=Action.PARCEL_INSTRUCT, target=parcel, data=data)
    kind = {
        ParcelInstruction.HOLD: OrderMail.PARCEL_ON_HOLD,
        ParcelInstruction.RETURN: OrderMail.PARCEL_EXPECTED_BACK,
    }.get(to)
    if old == ParcelInstruction.HOLD:
        kind = OrderMail.PARCEL_RESUMED
    key, store = timezone.now().isoformat(), store_rules()  # a parcel can be put on hold more than once
    if kind is not None:
        notifications_enqueue(parcel_mail(kind, parcel, order=order, lines=lines, store=store, key=key))
    if to == ParcelInstruction.RETURN:
        about = {
            "artisan_name": parcel.artisan.name,
            "lines": list_units((line, line.agreed_quantity) for line in lines),
        }
        notifications_enqueue(
            order_mail(
                OrderMail.RETURN_REQUESTED,
                order,
                lines=list(order.lines.all()),
                store=store,
                key=f"{parcel.pk}:{key}",
                parcel=about,
            )
        )
