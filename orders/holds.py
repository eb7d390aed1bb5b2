"""Limits on stock held by unpaid orders, so that nobody can reserve the whole shop without paying."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import ngettext

from artisans.core.errors import WHOLE_NUMBER, TooManyRequests
from orders.models import Order, OrderLine
from orders.services.placing import Buyer
from orders.statuses import ORDERS_UNSHIPPED, OrderPaymentStatus


class TooManyOpenOrders(TooManyRequests):
    """One person has too many unpaid orders."""

    code = "too_many_open_orders"
    remedy = "Pay or cancel one of the open orders, then order again."
    members = {"limit": WHOLE_NUMBER}

    def __init__(self, limit: int) -> None:
        super().__init__(
            ngettext(
                "You have %(limit)s unpaid order. Pay or cancel it, then order again. Your cart is saved.",
                "You have %(limit)s unpaid orders. Pay or cancel one of them, then order again. Your cart is saved.",
                limit,
            )
            % {"limit": limit},
            extra={"limit": limit},
        )


class TooManyUnitsHeld(TooManyRequests):
    """One network reserved too many units of one product without paying within an hour."""

    code = "too_many_pieces_held"
    remedy = "Lower the quantity, or pay for an earlier order first."
    members = {"limit": WHOLE_NUMBER}

    def __init__(self, limit: int) -> None:
        super().__init__(
            ngettext(
                "At most %(limit)s unpaid unit of a product can be reserved from one network within an hour. "
                "Lower the quantity, or pay for an earlier order first. Your cart is saved.",
                "At most %(limit)s unpaid units of a product can be reserved from one network within an hour. "
                "Lower the quantity, or pay for an earlier order first. Your cart is saved.",
                limit,
            )
            % {"limit": limit},
            extra={"limit": limit},
        )


def holds_check(*, buyer: Buyer, wanted: Mapping[UUID, int]) -> None:
    """Check both limits before anything is written. Errors: TooManyOpenOrders, TooManyUnitsHeld.

    Locks: the buyer, after the products.
    """
    lock(buyer.email, buyer.phone, str(buyer.user.pk) if buyer.user else "")
    same = Q(email=buyer.email)
    if buyer.user is not None:
        same |= Q(user=buyer.user)
    if buyer.phone:
        same |= Q(phone=buyer.phone)
    unpaid = Q(status__in=ORDERS_UNSHIPPED, payment_status=OrderPaymentStatus.UNPAID)
    limit = settings.MAX_OPEN_ORDERS
    if len(Order.objects.filter(same, unpaid).order_by().values_list("pk")[:limit]) >= limit:
        raise TooManyOpenOrders(limit)
    held: Counter[UUID] = Counter()
    if buyer.network:
        recent = OrderLine.objects.filter(
            product_id__in=wanted,
            order__network=buyer.network,
            order__created_at__gte=timezone.now() - timedelta(hours=1),
            order__status__in=ORDERS_UNSHIPPED,
            order__payment_status=OrderPaymentStatus.UNPAID,
        )
        for product_id, quantity in recent.order_by().values_list("product_id", "quantity"):
            held[product_id] += quantity
    if any(held[pk] + quantity > settings.MAX_UNITS_PER_HOUR for pk, quantity in wanted.items()):
        raise TooManyUnitsHeld(settings.MAX_UNITS_PER_HOUR)


def lock(*names: str) -> None:
    """Serialize orders for each of these names until the transaction ends, so that the counts stay true.

    A no-op on SQLite, which has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            ordered = sorted(filter(None, names))
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) name",
                [ordered],
            )
