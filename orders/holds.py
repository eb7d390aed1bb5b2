"""Limits on stock held by unpaid orders: reads the counts for `orders.hold_policy`, under locks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.core.compiled import compiled
from artisans.core.errors import WHOLE_NUMBER, TooManyRequests
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.hold_policy import Cap, Excess, HeldUnits, HoldKind, HoldLimits, WantedUnits, decide
from orders.models import MAY_AWAIT_MONEY, HeldLine, Order
from orders.selectors import is_known_buyer, unverified_accounts
from orders.services.placing import Buyer
from orders.statuses import OrderPaymentStatus, OrderStatus

UNDER_WAY = (OrderStatus.CONFIRMED, OrderStatus.PROCESSING)
UNPAID = Q(payment_status=OrderPaymentStatus.UNPAID)
# Cash is collected when the parcel arrives: only such orders are released without a date for the payment.
CASH_UNDER_WAY = UNPAID & Q(status__in=UNDER_WAY, pay_by=None)
# The condition of the partial indexes as it is, so that they are used.
AWAITING_MONEY = MAY_AWAIT_MONEY & (Q(status=OrderStatus.PENDING) | Q(pay_by__isnull=False))
EXPIRY_INTERVAL = 60  # seconds; expired orders are closed once a minute


class HoldRefused(TooManyRequests):
    """Too much is reserved by unpaid orders already. `ends_at`: when waiting will have helped; None if it does not.

    `is_placed`: the order exists, and only its payment method was to change.
    """

    members = {"limit": WHOLE_NUMBER, "retry_after": WHOLE_NUMBER}

    def __init__(
        self, text: str, remedy: str, *, limit: int, ends_at: datetime | None, is_placed: bool = False
    ) -> None:
        extra: dict[str, Any] = {"limit": limit}
        sentences = [text, remedy]
        if ends_at is not None:
            self.wait = max(0, ceil((ends_at - timezone.now()).total_seconds())) + EXPIRY_INTERVAL
            extra["retry_after"] = self.wait
            sentences.append(describe_wait(self.wait))
        if not is_placed:
            sentences.append(_("Your cart is saved."))
        super().__init__(" ".join(sentences), extra=extra)
        self.retryable = bool(self.wait)


class TooManyOpenOrders(HoldRefused):
    """The buyer has too many unpaid orders, or too many cash on delivery orders under way."""

    code = "too_many_open_orders"
    remedy = "Pay or cancel an unpaid order, or wait for the seconds in `Retry-After` if it is sent; then order again."


class TooManyUnitsHeld(HoldRefused):
    """Unpaid orders of buyers without a confirmed email address already reserve too much."""

    code = "too_many_pieces_held"
    remedy = (
        "Choose an online payment method, sign in with a verified email address, or lower the quantity; "
        "or wait for the seconds in `Retry-After` if it is sent."
    )


def describe_wait(seconds: int) -> str:
    at = timezone.localtime(timezone.now() + timedelta(seconds=seconds + 59))  # times are shown to the minute
    return _("Or try again after %(time)s.") % {"time": date_format(at, "DATETIME_FORMAT")}


class LineRow(NamedTuple):
    """A line of an unpaid order, and when the order's hold ends."""

    order_id: UUID
    user_id: UUID | None
    ends_at: datetime | None
    product_id: UUID
    quantity: int
    minor: int
    currency: str


class OpenHolds(NamedTuple):
    """What a buyer who is about to order holds already, under locks. `of_network`: only for an unknown one."""

    buyer: Buyer
    kind: HoldKind
    own: list[LineRow]
    of_network: list[LineRow]


def holds_lock(*, buyer: Buyer, kind: HoldKind) -> OpenHolds:
    """Read what the limits count, before the products are locked: others who want them need not wait for it.

    It stays true, because whoever adds to it takes the same locks. Locks: the buyer and their network.
    """
    is_known = buyer.is_known
    lock(buyer, is_known=is_known)
    own = open_lines(buyer, is_known=is_known, kind=kind)
    of_network = [] if is_known else held_from_network(Order.objects.all(), buyer.network)
    return OpenHolds(buyer, kind, own, of_network)


def holds_check(holds: OpenHolds, *, wanted: Sequence[WantedUnits], currency: str) -> bool:
    """Check the limits before an order is written; returns whether it may be held for a short time only.

    The caller has locked the products, so that what others hold of them stays true as well.
    Errors: TooManyOpenOrders, TooManyUnitsHeld.
    """
    buyer, kind = holds.buyer, holds.kind
    check_open_orders(holds.own, is_known=buyer.is_known, kind=kind)
    if buyer.is_known:
        held = [held_units(row, currency) for row in holds.own]
    else:
        held = held_by_unknown_buyers(Order.objects.all(), wanted, holds.of_network, buyer.network, currency)
    decision = decide(wanted, held, kind=kind, is_known=buyer.is_known, limits=hold_limits())
    if decision.excess is not None:
        raise units_refused(decision.excess, kind=kind, is_known=buyer.is_known, currency=currency)
    return decision.is_short


def order_hold_check(order: Order, *, kind: HoldKind) -> bool:
    """The same for an order that exists and changes its payment method; online methods are never refused.

    Errors: TooManyOpenOrders for cash, TooManyUnitsHeld. Locks: the buyer and their network, after the order.
    """
    is_known = is_known_buyer(order)
    buyer = Buyer(
        email=order.email,
        shipping_address={"phone": order.phone},
        billing_address={},
        user=order.user,
        network=order.network,
    )
    lock(buyer, is_known=is_known)
    wanted = [
        WantedUnits(line.product_id, line.quantity, line.unit_price_minor, line.product.stock + line.quantity)
        for line in order.lines.select_related("product")
    ]
    if is_known:
        own = lines_of(open_orders(buyer, is_known=True, kind=kind).exclude(pk=order.pk))
        if kind is HoldKind.CASH:
            check_open_orders(own, is_known=True, kind=kind, is_placed=True)
        held = [held_units(row, order.currency) for row in own]
    else:
        others = Order.objects.exclude(pk=order.pk)
        of_network = held_from_network(others, order.network)
        held = held_by_unknown_buyers(others, wanted, of_network, order.network, order.currency)
    decision = decide(wanted, held, kind=kind, is_known=is_known, limits=hold_limits())
    if decision.excess is not None and kind is not HoldKind.ONLINE:
        raise units_refused(
            decision.excess, kind=kind, is_known=is_known, currency=order.currency, is_placed=True
        )
    return decision.is_short or decision.excess is not None


def open_lines(buyer: Buyer, *, is_known: bool, kind: HoldKind) -> list[LineRow]:
    """The lines of the buyer's open orders."""
    if buyer.user is not None and is_known and kind is not HoldKind.CASH:
        rows = lines_awaiting_money(buyer.user.pk, verified_emails(buyer))
        return [LineRow(*row) for row in rows]
    return lines_of(open_orders(buyer, is_known=is_known, kind=kind))


@compiled
def lines_awaiting_money(user_id: UUID, emails: list[str]) -> QuerySet[Order, tuple[Any, ...]]:
    return line_rows(orders_of_known_buyer(user_id, emails).filter(AWAITING_MONEY))


def open_orders(buyer: Buyer, *, is_known: bool, kind: HoldKind) -> QuerySet[Order]:
    """The orders that count for an order of this kind: awaiting money, or of cash on delivery and under way."""
    found = orders_of(buyer, is_known=is_known).filter(
        CASH_UNDER_WAY if kind is HoldKind.CASH else AWAITING_MONEY
    )
    if not is_known and kind is HoldKind.ONLINE:
        found = found.filter(network=buyer.network)  # strangers elsewhere lock nobody out who pays at once
    return found


def check_open_orders(
    lines: Sequence[LineRow], *, is_known: bool, kind: HoldKind, is_placed: bool = False
) -> None:
    """Errors: TooManyOpenOrders."""
    ends = list({line.order_id: line.ends_at for line in lines}.values())
    if len(ends) < (limit := settings.MAX_OPEN_ORDERS):
        return
    if kind is HoldKind.CASH:
        text = ngettext(
            "You have %(limit)s cash on delivery order under way.",
            "You have %(limit)s cash on delivery orders under way.",
            limit,
        )
        remedy = _("Choose another payment method, or wait until one of them has arrived.")
    elif is_known:
        text = ngettext("You have %(limit)s unpaid order.", "You have %(limit)s unpaid orders.", limit)
        remedy = _("Pay or cancel one of them, then order again.")
    else:
        text = ngettext(
            "There is %(limit)s unpaid order with this email address or phone number.",
            "There are %(limit)s unpaid orders with this email address or phone number.",
            limit,
        )
        remedy = (
            _("Pay or cancel one of them, or sign in to an account with a verified email address.")
            if kind is HoldKind.ONLINE
            else _(
                "Pay or cancel one of them, choose an online payment method, or sign in to an account with a "
                "verified email address."
            )
        )
    raise TooManyOpenOrders(
        text % {"limit": limit},
        remedy,
        limit=limit,
        ends_at=end_of_excess(ends, limit),
        is_placed=is_placed,
    )


def end_of_excess(ends: list[datetime | None], limit: int) -> datetime | None:
    """When fewer than `limit` of these orders are left; None if waiting does not help."""
    known, needed = sorted(end for end in ends if end is not None), len(ends) - limit
    return known[needed] if limit and needed < len(known) else None


def orders_of(buyer: Buyer, *, is_known: bool) -> QuerySet[Order]:
    """A known buyer's own orders; otherwise all orders with the email address or phone number.

    Unconfirmed orders of others never count for a known buyer: strangers could lock them out.
    """
    if buyer.user is not None and is_known:
        return orders_of_known_buyer(buyer.user.pk, verified_emails(buyer))
    same = Q(email=buyer.email)
    if buyer.user is not None:
        same |= Q(user=buyer.user)
    if buyer.phone:
        same |= Q(phone=buyer.phone)
    return Order.objects.filter(same)


def orders_of_known_buyer(user_id: UUID, emails: list[str]) -> QuerySet[Order]:
    """Their own orders, and guest orders that they confirmed by one of their verified addresses (`emails`).

    With a subquery for the addresses, no index would be used for either.
    """
    confirmed = Q(user=None, mailbox_confirmed_at__isnull=False, email__any=emails)
    return Order.objects.filter(Q(user=user_id) | confirmed)


def verified_emails(buyer: Buyer) -> list[str]:
    return [email for email, is_verified in buyer.addresses if is_verified]


def held_by_unknown_buyers(
    orders: QuerySet[Order],
    wanted: Sequence[WantedUnits],
    of_network: Sequence[LineRow],
    network: str,
    currency: str,
) -> list[HeldUnits]:
    """What unknown buyers hold unpaid: from this network (`of_network`), and of these products from the others.

    Two queries, each by an index of its own: one with OR would read the unpaid orders of all.
    """
    others = orders.exclude(network=network) if network else orders
    of_products = of_unknown_buyers(
        others.filter(lines__held__product__in=[line.product_id for line in wanted])
    )
    return [held_units(row, currency) for row in of_network] + [
        held_units(row, currency, is_own=False) for row in of_products
    ]


def held_from_network(orders: QuerySet[Order], network: str) -> list[LineRow]:
    """The lines of unpaid orders of unknown buyers in this network; none if it is not known ("")."""
    return of_unknown_buyers(orders.filter(network=network)) if network else []


def of_unknown_buyers(orders: QuerySet[Order]) -> list[LineRow]:
    """The lines of those orders that await money, without known buyers'."""
    rows = lines_of(orders.filter(AWAITING_MONEY, mailbox_confirmed_at=None))
    users = {row.user_id for row in rows if row.user_id}
    unknown = {None, *(unverified_accounts(users) if users else ())}
    return [row for row in rows if row.user_id in unknown]


def held_lines_ended() -> QuerySet[HeldLine]:
    """The rows that find what unknown buyers hold, of orders that do not await money."""
    awaiting = Order.objects.filter(AWAITING_MONEY, lines=OuterRef("line"))
    return HeldLine.objects.filter(~Exists(awaiting))


def lines_of(orders: QuerySet[Order]) -> list[LineRow]:
    return [LineRow(*row) for row in line_rows(orders)]


def line_rows(orders: QuerySet[Order]) -> QuerySet[Order, tuple[Any, ...]]:
    """The lines of these orders; if they were filtered by lines, only those. Shape: as LineRow."""
    return orders.order_by().values_list(
        "pk",
        "user_id",
        "expires_at",
        "lines__product_id",
        "lines__quantity",
        "lines__line_total_minor",
        "currency",
    )


def held_units(row: LineRow, currency: str, *, is_own: bool = True) -> HeldUnits:
    """Amounts in other currencies count as nothing."""
    value = row.minor if row.currency == currency else 0
    return HeldUnits(row.product_id, row.quantity, value, row.ends_at, is_own)


def hold_limits() -> HoldLimits:
    return HoldLimits(
        product=settings.MAX_HELD_OF_PRODUCT,
        units=settings.MAX_HELD_UNITS,
        value=settings.MAX_HELD_VALUE_MINOR,
        share=settings.MAX_HELD_SHARE,
        short_factor=settings.SHORT_HOLD_FACTOR,
    )


def units_refused(
    excess: Excess, *, kind: HoldKind, is_known: bool, currency: str, is_placed: bool = False
) -> TooManyUnitsHeld:
    """`is_placed`: the order exists, and only its payment method is to change."""
    text = describe_excess(excess, is_known=is_known, currency=currency)
    if is_placed:
        remedy = _("Pay online.")
    elif is_known:
        remedy = _("Pay online, or lower the quantity.")
    elif kind is HoldKind.ONLINE:
        remedy = _("Sign in to an account with a verified email address, or lower the quantity.")
    else:
        remedy = _("Pay online, sign in to an account with a verified email address, or lower the quantity.")
    return TooManyUnitsHeld(text, remedy, limit=excess.limit, ends_at=excess.ends_at, is_placed=is_placed)


def describe_excess(excess: Excess, *, is_known: bool, currency: str) -> str:
    limit = show(Money(excess.limit, currency)) if excess.cap is Cap.VALUE else str(excess.limit)
    return excess_text(excess.cap, excess.limit, is_known=is_known) % {"limit": limit}


def excess_text(cap: Cap, limit: int, *, is_known: bool) -> str:
    match cap, is_known:
        case Cap.PRODUCT, True:
            return ngettext(
                "Your unpaid orders can reserve at most %(limit)s unit of a product.",
                "Your unpaid orders can reserve at most %(limit)s units of a product.",
                limit,
            )
        case Cap.PRODUCT, False:
            return ngettext(
                "Unpaid orders from your network can reserve at most %(limit)s unit of a product.",
                "Unpaid orders from your network can reserve at most %(limit)s units of a product.",
                limit,
            )
        case Cap.UNITS, True:
            return ngettext(
                "Your unpaid orders can reserve at most %(limit)s unit in all.",
                "Your unpaid orders can reserve at most %(limit)s units in all.",
                limit,
            )
        case Cap.UNITS, False:
            return ngettext(
                "Unpaid orders from your network can reserve at most %(limit)s unit in all.",
                "Unpaid orders from your network can reserve at most %(limit)s units in all.",
                limit,
            )
        case Cap.VALUE, True:
            return _("Your unpaid orders can reserve items worth at most %(limit)s.")
        case Cap.VALUE, False:
            return _("Unpaid orders from your network can reserve items worth at most %(limit)s.")
    return ngettext(
        "Unpaid orders of guests can reserve at most %(limit)s unit of one of these products.",
        "Unpaid orders of guests can reserve at most %(limit)s units of one of these products.",
        limit,
    )


def lock(buyer: Buyer, *, is_known: bool) -> None:
    """Serialize the orders of this buyer, and those of unknown buyers in their network, until the transaction ends,
    so that the counts stay true. The share of a product is serialized by the lock on the product.

    A no-op on SQLite, which has one writer at a time anyway.
    """
    names = [
        buyer.email,
        buyer.phone,
        str(buyer.user.pk) if buyer.user else "",
        "" if is_known else buyer.network,
    ]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) name",
                [sorted(filter(None, names))],
            )
