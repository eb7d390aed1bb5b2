"""All changes to an order's state. Callers hold the order's lock (order_lock) inside a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.models import Product
from artisans.catalog.services import OutOfStock, StockLine, products_lock, stock_return, stock_take
from artisans.core.errors import Conflict
from artisans.core.state import check_transition
from artisans.notifications.services import notifications_enqueue
from orders.errors import NotCancellable, NotReleased, ParcelOnHold
from orders.mails import OrderMail, order_mail, parcel_mail
from orders.models import Order, OrderLine, OrderTransition, Parcel, ParcelTransition, StoreRules
from orders.owed import RefundSums
from orders.pricing import Quote
from orders.refunds import units_to_ship
from orders.selectors import lines_by_parcel, order_lock, store_rules
from orders.statuses import (
    ORDER_TRANSITIONS,
    PARCEL_TRANSITIONS,
    PARCELS_ENDED,
    PARCELS_SHIPPED,
    PARCELS_UNSHIPPED,
    OrderStatus,
    ParcelInstruction,
    ParcelStatus,
    order_status_of,
    payment_status_of,
)


@dataclass(frozen=True, slots=True)
class Buyer:
    """The buyer and the delivery address. `network` is a hash; IP addresses are not stored."""

    email: str
    shipping_address: dict[str, Any]
    billing_address: dict[str, Any]
    user: User | None = None
    note: str = ""
    network: str = ""

    @property
    def phone(self) -> str:
        """Digits only, so that two spellings of a number compare equal."""
        return "".join(sign for sign in self.shipping_address.get("phone", "") if sign.isdigit())[:20]


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order with its lines and parcels as just written, so that nothing is read again."""

    order: Order
    lines: list[OrderLine] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)


def order_place(
    *,
    quote: Quote,
    products: dict[UUID, Product],
    buyer: Buyer,
    expires_at: datetime | None,
    pay_by: datetime | None = None,
) -> PlacedOrder:
    """Create an order from a quote and take its stock, in the caller's transaction.

    Shape: `products` are locked rows, one for each line of the quote.
    Errors: OutOfStock; then nothing was written.
    Locks: the products, by the caller.
    """
    order = Order(
        user=buyer.user,
        email=buyer.email,
        currency=quote.subtotal.currency,
        tax_rate_ppm=quote.tax_rate_ppm,
        subtotal_minor=quote.subtotal.minor,
        tax_minor=quote.tax.minor,
        shipping_minor=quote.shipping.minor,
        total_minor=quote.total.minor,
        shipping_address=buyer.shipping_address,
        billing_address=buyer.billing_address,
        delivery_note=buyer.note,
        phone=buyer.phone,
        network=buyer.network,
        pay_by=pay_by,
        expires_at=expires_at,
    )
    parcels, lines = [], []
    for number, part in enumerate(quote.parcels, start=1):
        artisan = products[quote.lines[part.lines[0]].price_input.product_id].artisan
        parcel = Parcel(
            order=order,
            artisan=artisan,
            number=number,
            currency=order.currency,
            subtotal_minor=part.subtotal.minor,
            tax_minor=part.tax.minor,
            shipping_minor=part.shipping.minor,
            total_minor=part.total.minor,
            commission_ppm=artisan.commission_ppm,
            commission_minor=part.subtotal.share(artisan.commission_ppm).minor,
        )
        parcels.append(parcel)
        for place in part.lines:
            priced = quote.lines[place]
            product = products[priced.price_input.product_id]
            lines.append(
                OrderLine(
                    order=order,
                    parcel=parcel,
                    product=product,
                    artisan=artisan,
                    position=place,
                    product_name=product.name,
                    artisan_name=artisan.name,
                    currency=order.currency,
                    unit_price_minor=priced.price_input.unit_price.minor,
                    quantity=priced.price_input.quantity,
                    line_total_minor=priced.line_total.minor,
                    tax_minor=priced.tax.minor,
                )
            )
    lines.sort(key=lambda line: line.position)
    stock_take(lines=stock_lines(lines), reason=f"order {order.order_number}")
    order.save(force_insert=True)
    Parcel.objects.bulk_create(parcels)
    OrderLine.objects.bulk_create(lines)
    OrderTransition.objects.create(
        order=order, new=order.status, cause="placed", actor_name=buyer.user.email if buyer.user else "guest"
    )
    return PlacedOrder(order, lines, parcels)


def order_set_hold(order: Order, *, pay_by: datetime | None, expires_at: datetime | None) -> None:
    """Set the end of the hold on stock, and the due date shown to the buyer."""
    order.pay_by, order.expires_at = pay_by, expires_at
    order.save(update_fields=["pay_by", "expires_at", "updated_at"])


def order_move(
    order: Order,
    to: OrderStatus,
    *,
    cause: str,
    actor: User | None = None,
    actor_name: str = "system",
    extra_fields: Sequence[str] = (),
) -> None:
    """Change an order's status along the transition table and record who changed it and why.

    `also`: further fields of the order that the caller changed.
    """
    check_transition(ORDER_TRANSITIONS, OrderStatus(order.status), to)
    OrderTransition.objects.create(
        order=order,
        old=order.status,
        new=to,
        cause=cause[:300],
        actor_name=actor.email if actor else actor_name,
    )
    order.status = to
    order.save(update_fields=["status", "updated_at", *extra_fields])


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
    """Confirm the order and notify every artisan, once. `also`: fields of the order that the caller changed."""
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
    of_parcel: dict[UUID, list[OrderLine]] = {}
    for line in placed.lines:
        of_parcel.setdefault(line.parcel_id, []).append(line)
    notifications_enqueue(
        *[
            parcel_mail(
                OrderMail.PARCEL_NEW,
                parcel,
                order=order,
                lines=of_parcel[parcel.pk],
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
    mail_unshipped_parcels(order, OrderMail.PARCEL_WAITS_FOR_PAYMENT, since=order.payment_withdrawn_at)


def order_resume(order: Order) -> None:
    """The outstanding amount is paid: notify the artisans that they may ship."""
    since, order.payment_withdrawn_at = order.payment_withdrawn_at, None
    order.save(update_fields=["payment_withdrawn_at", "updated_at"])
    mail_unshipped_parcels(order, OrderMail.PARCEL_PAID_AGAIN, since=since)


def mail_unshipped_parcels(order: Order, kind: str, *, since: datetime | None) -> None:
    """Notify the artisan of each unshipped parcel; `since` distinguishes repeated mails about a parcel."""
    lines, store = lines_by_parcel(order), store_rules()
    unsent = order.parcels.select_related("artisan").filter(status__in=PARCELS_UNSHIPPED)
    notifications_enqueue(
        *[
            parcel_mail(
                kind,
                parcel,
                order=order,
                lines=lines[parcel.pk],
                store=store,
                collect_cash=False,
                key=f"{since:%Y%m%d%H%M%S%f}",
            )
            for parcel in unsent
        ]
    )


def load_placed_order(order: Order) -> PlacedOrder:
    """The order with its lines and parcels, read again."""
    return PlacedOrder(order, list(order.lines.all()), list(order.parcels.select_related("artisan")))


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
    money stays as `refund_due` for staff. A closed order is only revived by its full total.
    Returns the order with its lines and parcels if this released it.
    """
    order.received_minor, order.refunded_minor = received, refunded
    refunds = refunds or RefundSums(unassigned=refunded)
    order.goods_refunded_minor, order.goodwill_minor = refunds.goods, refunds.goodwill
    order.unassigned_minor = refunds.unassigned
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
    price = order.balance.worth if order.is_alive else order.total_minor
    is_settled = received - refunded - held >= price
    if is_settled and order.status == OrderStatus.PENDING:
        placed = load_placed_order(order)
        order_release(placed, cause=cause, actor=actor, store=store, extra_fields=sums)
        return placed
    order.save(update_fields=[*sums, "updated_at"])
    if order.payment_withdrawn_at is not None and order.is_alive and not order.balance_due:
        order_resume(order)
    if not is_settled or order.status != OrderStatus.EXPIRED:
        return None
    placed = load_placed_order(order)
    products_lock(line.product_id for line in placed.lines)
    try:
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


def order_close(
    order: Order, to: OrderStatus, *, cause: str, actor: User | None = None, actor_name: str = "system"
) -> None:
    """Close an unpaid order as CANCELLED or EXPIRED and return its stock.

    The caller has made sure that none of its payments can still succeed. Errors: IllegalTransition.
    """
    order_move(order, to, cause=cause, actor=actor, actor_name=actor_name)
    lines = list(order.lines.all())
    stock_return(
        lines=stock_lines(lines),
        reason=f"{to.label.lower()} {order.order_number}",
        stock_round=order.stock_round,
    )
    action = Action.ORDER_EXPIRE if to == OrderStatus.EXPIRED else Action.ORDER_CANCEL
    audit_record(actor=actor, action=action, target=order, data={"cause": cause}, actor_name=actor_name)


def order_cancel_parcels(order: Order, *, cause: str, actor: User | None) -> None:
    """Cancel all open parcels of a confirmed order and return their stock.

    Errors: NotCancellable once a parcel has shipped.
    """
    parcels = [parcel for parcel in load_placed_order(order).parcels if parcel.status not in PARCELS_ENDED]
    if any(parcel.status in PARCELS_SHIPPED for parcel in parcels):
        raise NotCancellable(_("A parcel of this order has already shipped."))
    of_parcel, store = lines_by_parcel(order), store_rules()
    for parcel in parcels:
        parcel_cancel(parcel, order=order, lines=of_parcel[parcel.pk], cause=cause, actor=actor)
        notifications_enqueue(
            parcel_mail(
                OrderMail.PARCEL_CANCELLED,
                parcel,
                order=order,
                lines=of_parcel[parcel.pk],
                store=store,
                collect_cash=False,
                reason=cause,
            )
        )
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.ORDER_CANCEL, target=order, data={"cause": cause})


def parcel_cancel(
    parcel: Parcel, *, order: Order, lines: list[OrderLine], cause: str, actor: User | None
) -> None:
    """Cancel a parcel and return its stock; the caller settles the order."""
    parcel_end(parcel, ParcelStatus.CANCELLED, order=order, cause=cause, actor=actor)
    stock_return(
        lines=stock_lines(lines), reason=f"cancelled {order.order_number}", stock_round=order.stock_round
    )


def parcel_end(parcel: Parcel, to: ParcelStatus, *, order: Order, cause: str, actor: User | None) -> None:
    """Mark the parcel as cancelled or returned, and subtract its amount from what the order costs."""
    parcel_move(parcel, to, cause=cause, actor=actor)
    order.cancelled_minor += parcel.total_minor
    order.save(update_fields=["cancelled_minor", "updated_at"])


def parcel_mark_returned(
    parcel: Parcel,
    *,
    order: Order,
    lines: list[OrderLine],
    restock: Mapping[UUID, int],
    cause: str,
    actor: User | None,
) -> None:
    """Mark the parcel as returned and restock the given units of its lines."""
    parcel_end(parcel, ParcelStatus.RETURNED, order=order, cause=cause, actor=actor)
    stock_return(
        lines=stock_lines(lines),
        reason=f"returned {order.order_number}",
        stock_round=order.stock_round,
        at_most=restock,
    )


def parcel_move(parcel: Parcel, to: ParcelStatus, *, cause: str, actor: User | None) -> None:
    check_transition(PARCEL_TRANSITIONS, ParcelStatus(parcel.status), to)
    ParcelTransition.objects.create(
        parcel=parcel,
        old=parcel.status,
        new=to,
        cause=cause[:300],
        actor_name=actor.email if actor else "system",
    )
    parcel.status = to
    if to in PARCELS_ENDED or (to in PARCELS_SHIPPED and parcel.instruction == ParcelInstruction.SEND):
        parcel.instruction = ParcelInstruction.NONE
    parcel.save(update_fields=["status", "instruction", "carrier", "tracking", "updated_at"])


def order_recompute_status(order: Order, *, actor: User | None) -> None:
    """Derive the status of a confirmed order from its parcels."""
    to = order_status_of([ParcelStatus(s) for s in order.parcels.values_list("status", flat=True)])
    if to != order.status:
        order_move(order, to, cause="status of its parcels", actor=actor)


def check_can_be_shipped(parcel: Parcel, order: Order) -> None:
    """Errors: NotReleased while unpaid, ParcelOnHold if it was refunded and staff have not decided yet."""
    if not order.can_be_shipped:
        raise NotReleased
    if parcel.is_on_hold:
        raise ParcelOnHold


@transaction.atomic
def parcel_start(*, parcel_id: UUID, actor: User) -> Parcel:
    """The artisan starts making the parcel; the buyer can no longer cancel.

    Errors: NotReleased, ParcelOnHold, IllegalTransition.
    """
    parcel, order = parcel_lock(parcel_id)
    check_can_be_shipped(parcel, order)
    parcel_move(parcel, ParcelStatus.STARTED, cause="started", actor=actor)
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data={"to": parcel.status})
    return parcel


@transaction.atomic
def parcel_ship(*, parcel_id: UUID, carrier: str, tracking: str, actor: User) -> Parcel:
    """The artisan hands the parcel to the carrier. Errors: NotReleased, ParcelOnHold, IllegalTransition."""
    parcel, order = parcel_lock(parcel_id)
    check_can_be_shipped(parcel, order)
    if parcel.status in {ParcelStatus.NEW, ParcelStatus.STARTED}:
        parcel_move(parcel, ParcelStatus.PACKED, cause="packed", actor=actor)
    parcel.carrier, parcel.tracking = carrier, tracking
    parcel_move(parcel, ParcelStatus.SHIPPED, cause="handed to the carrier", actor=actor)
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data={"to": parcel.status})
    lines = lines_by_parcel(order)
    about = {
        "number": parcel.number,
        "artisan_name": parcel.artisan.name,
        "lines": units_to_ship(lines[parcel.pk]),
        "carrier": carrier,
        "tracking": tracking,
    }
    all_lines = [line for part in lines.values() for line in part]
    notifications_enqueue(
        order_mail(
            OrderMail.PARCEL_SHIPPED,
            order,
            lines=all_lines,
            store=store_rules(),
            key=str(parcel.pk),
            parcel=about,
        )
    )
    return parcel


@transaction.atomic
def parcel_deliver(*, parcel_id: UUID, actor: User) -> Parcel:
    """Mark the parcel as delivered. Errors: IllegalTransition unless it was shipped."""
    parcel, order = parcel_lock(parcel_id)
    parcel_move(parcel, ParcelStatus.DELIVERED, cause="delivered", actor=actor)
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data={"to": parcel.status})
    return parcel


@transaction.atomic
def parcel_report_cash(*, parcel_id: UUID, actor: User) -> Parcel:
    """The artisan reports that the cash for this parcel was collected; staff record the payment later.

    Errors: Conflict unless the parcel was shipped for cash on delivery and not reported yet.
    """
    parcel, order = parcel_lock(parcel_id)
    parcel.order = order
    if parcel.is_gone:
        raise Conflict(_("This parcel was returned or cancelled; there is no cash to collect."))
    if not order.balance_due:
        raise Conflict(_("This order is paid; there is no cash to collect."))
    if (cash := parcel.cash_to_collect) is None:
        raise Conflict(_("This order is not cash on delivery; do not collect cash for it."))
    if parcel.status not in PARCELS_SHIPPED:
        raise Conflict(_("Ship the parcel first; cash is collected on delivery."))
    if parcel.cash_reported_at is not None:
        at = date_format(timezone.localtime(parcel.cash_reported_at), "DATETIME_FORMAT")
        raise Conflict(_("The cash was already reported on %(time)s.") % {"time": at})
    parcel.cash_reported_at = timezone.now()
    parcel.save(update_fields=["cash_reported_at", "updated_at"])
    audit_record(actor=actor, action=Action.CASH_REPORT, target=parcel, data={"amount": str(cash)})
    return parcel


def parcel_lock(parcel_id: UUID) -> tuple[Parcel, Order]:
    """The parcel, after locking its order; one lock per order keeps its parcels consistent."""
    order_id = Parcel.objects.values_list("order_id", flat=True).get(pk=parcel_id)
    order = order_lock(order_id)
    return Parcel.objects.select_related("artisan").get(pk=parcel_id), order


@transaction.atomic
def order_links_revoke(*, order_id: UUID, actor: User) -> None:
    """Revoke all links to the order sent so far; the next mail contains a new one."""
    order = order_lock(order_id)
    order.token_version += 1
    order.save(update_fields=["token_version", "updated_at"])
    audit_record(actor=actor, action=Action.LINK_REVOKE, target=order)


def stock_lines(lines: list[OrderLine]) -> list[StockLine]:
    return [StockLine(line.pk, line.product_id, line.quantity) for line in lines]
