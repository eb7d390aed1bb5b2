"""What payments do to an order: hold its stock, release its parcels, suspend and resume them."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.services import OutOfStock, products_lock, stock_take
from artisans.core.changes import changes_note
from artisans.core.personal_data import is_erased_address
from artisans.notifications.services import notifications_enqueue
from orders.mails import OrderMail, parcel_mail
from orders.models import Order, StoreRules
from orders.owed import RefundSums
from orders.selectors import group_by_parcel, is_known_buyer, lines_by_parcel, store_rules
from orders.services.moves import order_move
from orders.services.placing import PlacedOrder, held_lines_write, load_placed_order, stock_lines
from orders.statuses import PAID_IN_FULL, PARCELS_UNSHIPPED, OrderStatus, payment_status_of


def order_set_hold(order: Order, *, pay_by: datetime | None, expires_at: datetime | None) -> None:
    """Set the end of the hold on stock, and the due date shown to the buyer."""
    order.pay_by, order.expires_at = pay_by, expires_at
    order.save(update_fields=["pay_by", "expires_at", "updated_at"])


def order_apply_settlement(
    order: Order,
    *,
    received: int,
    refunded: int,
    cause: str,
    refunds: RefundSums | None = None,
    held: int = 0,
    actor: User | None = None,
    store: StoreRules | None = None,
) -> PlacedOrder | None:
    """Apply the order's current sums of payments and refunds (minor units) and change its status accordingly.

    `refunds`: what completed refunds were for, if known. `held`: the part of the money received that is being
    refunded or disputed.
    Full payment confirms the order. An expired order takes its stock again if it is still available; otherwise the
    money stays as `refund_due` for staff, as it does if the buyer's data was erased: the order has no address. A closed
    order is only revived by its full total.
    Returns the order with its lines and parcels if this released it.
    """
    order.received_minor, order.refunded_minor = received, refunded
    refunds = refunds or RefundSums(unassigned=refunded)
    order.goods_refunded_minor, order.goodwill_minor = refunds.goods, refunds.goodwill
    order.unassigned_minor = refunds.unassigned
    was_paid = order.payment_status in PAID_IN_FULL  # by a process of release 0.1.0, if `paid_at` is not set
    order.payment_status = payment_status_of(
        total=order.total_minor, received=received, refunded=refunded, agreed=order.agreed_total_minor
    )
    sums = [
        "received_minor",
        "refunded_minor",
        "goods_refunded_minor",
        "goodwill_minor",
        "unassigned_minor",
        "payment_status",
    ]
    if order.paid_at is None and not was_paid and order.payment_status in PAID_IN_FULL:
        order.paid_at = timezone.now()
        sums.append("paid_at")
        changes_note(("orders", order.created_at), ("settled", order.paid_at))
    price = order.balance.worth if order.is_alive else order.total_minor
    is_settled = received - refunded - held >= price
    if is_settled and order.status == OrderStatus.PENDING:
        placed = load_placed_order(order)
        order_release(placed, cause=cause, actor=actor, store=store, extra_fields=sums)
        return placed
    order.save(update_fields=[*sums, "updated_at"])
    if order.payment_withdrawn_at is not None and order.is_alive and not order.balance_due:
        order_resume(order)
    if not is_settled or order.status != OrderStatus.EXPIRED or is_erased_address(order.email):
        return None
    placed = load_placed_order(order)
    products = products_lock(line.product_id for line in placed.lines)
    if not all(product.artisan.is_active for product in products.values()):
        return None  # of a workshop that is suspended or closed nothing is ordered
    try:
        with transaction.atomic():
            stock_take(
                lines=stock_lines(placed.lines),
                reason=f"late payment for {order.order_number}",
                stock_round=order.stock_round + 1,
            )
    except OutOfStock:
        return None
    order.stock_round += 1
    order_release(placed, cause=cause, actor=actor, store=store, extra_fields=["stock_round"])
    return placed


def order_release(
    placed: PlacedOrder,
    *,
    cause: str,
    actor: User | None = None,
    actor_name: str = "system",
    store: StoreRules | None = None,
    collect_cash: bool = False,
    extra_fields: Sequence[str] = (),
) -> None:
    """Confirm the order and notify every artisan, once. `extra_fields`: others that the caller changed."""
    order = placed.order
    is_first = order.released_at is None
    if is_first:
        order.released_at = timezone.now()
        order.pay_by = order.pay_by if collect_cash is False else None
        order.expires_at = None
    changed = [*extra_fields, *(["released_at", "pay_by", "expires_at"] if is_first else [])]
    if order.status != OrderStatus.CONFIRMED:
        order_move(
            order,
            OrderStatus.CONFIRMED,
            cause=cause,
            actor=actor,
            actor_name=actor_name,
            extra_fields=changed,
        )
    elif changed:
        order.save(update_fields=[*changed, "updated_at"])
    if not is_first:
        return
    store = store or store_rules()
    lines = group_by_parcel(placed.lines)
    notifications_enqueue(
        *[
            parcel_mail(
                OrderMail.PARCEL_NEW,
                parcel,
                order=order,
                lines=lines[parcel.pk],
                store=store,
                collect_cash=collect_cash,
            )
            for parcel in placed.parcels
        ]
    )


def order_suspend(order: Order, *, pay_by: datetime | None) -> None:
    """A payment was reversed after release: unshipped parcels wait until it is paid again."""
    order.payment_withdrawn_at, order.pay_by = timezone.now(), pay_by
    order.save(update_fields=["payment_withdrawn_at", "pay_by", "updated_at"])
    if not is_known_buyer(order):
        held_lines_write(list(order.lines.all()))
    mail_unshipped_parcels(order, OrderMail.PARCEL_WAITS_FOR_PAYMENT, since=order.payment_withdrawn_at)


def order_resume(order: Order) -> None:
    """The outstanding amount is paid: notify the artisans that they may ship."""
    since, order.payment_withdrawn_at = order.payment_withdrawn_at, None
    order.save(update_fields=["payment_withdrawn_at", "updated_at"])
    mail_unshipped_parcels(order, OrderMail.PARCEL_PAID_AGAIN, since=since)


def mail_unshipped_parcels(order: Order, kind: str, *, since: datetime | None) -> None:
    """Notify the artisan of each unshipped parcel; `since` distinguishes repeated emails about a parcel."""
    lines, store, key = lines_by_parcel(order), store_rules(), f"{since:%Y%m%d%H%M%S%f}"
    unsent = order.parcels.select_related("artisan").filter(status__in=PARCELS_UNSHIPPED)
    notifications_enqueue(
        *[
            parcel_mail(kind, parcel, order=order, lines=lines[parcel.pk], store=store, key=key)
            for parcel in unsent
        ]
    )
