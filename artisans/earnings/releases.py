"""Releasing earnings: when they are due, what blocks them, and the reserve that is held back of each."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.money import PPM, half_up
from artisans.core.transactions import atomic_with_retry
from artisans.earnings.holds import artisan_lock, hold_make
from artisans.earnings.models import Hold, HoldReason
from artisans.earnings.selectors import available_minor
from orders.models import Order, ParcelTransition, StoreRules
from orders.selectors import order_lock, store_rules
from orders.statuses import PARCELS_SHIPPED, ParcelInstruction, ParcelStatus
from payments.bookkeeping.earnings import earnings_release
from payments.models import Dispute, Earning, EarningStatus, PaymentRefund, RefundDecision
from payments.statuses import DisputeStatus

CHUNK = 500
LATE_AFTER = timedelta(hours=3)


class Block(TextChoices):
    """What stops the release of an earning that is due."""

    NONE = "", _("Nothing")
    DISPUTE = "dispute", _("The payment is disputed")
    REFUND = "refund", _("A refund is being reviewed")
    RETURN = "return", _("The parcel is being returned")
    HOLD = "hold", _("Held back by the shop")


def with_times(earnings: QuerySet[Earning]) -> QuerySet[Earning]:
    """With `shipped_at` and `delivered_at` of their parcels."""

    def reached(status: ParcelStatus) -> Subquery:
        moves = ParcelTransition.objects.filter(parcel=OuterRef("parcel"), new=status)
        return Subquery(moves.order_by("-id").values("at")[:1])

    return earnings.annotate(
        shipped_at=reached(ParcelStatus.SHIPPED), delivered_at=reached(ParcelStatus.DELIVERED)
    )


def with_block(earnings: QuerySet[Earning]) -> QuerySet[Earning]:
    """With `block`, a value of `Block`: what stops their release."""
    order = OuterRef("parcel__order")
    disputes = Dispute.objects.filter(payment__order=order, status=DisputeStatus.OPEN)
    refunds = PaymentRefund.objects.filter(payment__order=order, decision=RefundDecision.PENDING)
    holds = Hold.objects.filter(
        Q(order=None) | Q(order=order),
        artisan=OuterRef("artisan"),
        currency=OuterRef("currency"),
        stops_releases=True,
        released_at__isnull=True,
    )
    return earnings.annotate(
        block=Case(
            When(Exists(disputes), then=Value(Block.DISPUTE.value)),
            When(Exists(refunds), then=Value(Block.REFUND.value)),
            When(parcel__instruction=ParcelInstruction.RETURN, then=Value(Block.RETURN.value)),
            When(Exists(holds), then=Value(Block.HOLD.value)),
            default=Value(Block.NONE.value),
            output_field=CharField(),
        )
    )


def release_at(earning: Earning, store: StoreRules) -> datetime | None:
    """When an earning of `with_times` is released if nothing blocks it; None before its parcel is shipped."""
    if earning.delivered_at is not None:  # type: ignore[attr-defined]
        return earning.delivered_at + timedelta(days=store.hold_days)  # type: ignore[attr-defined,no-any-return]
    if earning.shipped_at is not None:  # type: ignore[attr-defined]
        return earning.shipped_at + timedelta(days=store.longest_hold_days)  # type: ignore[attr-defined,no-any-return]
    return None


def earnings_due(at: datetime) -> QuerySet[Earning]:
    """Pending earnings whose time to be released has come and that nothing blocks."""
    store = store_rules()
    pending = with_times(
        Earning.objects.filter(status=EarningStatus.PENDING, parcel__status__in=PARCELS_SHIPPED)
    )
    long_ago = Q(delivered_at__lte=at - timedelta(days=store.hold_days)) | Q(
        delivered_at__isnull=True, shipped_at__lte=at - timedelta(days=store.longest_hold_days)
    )
    return with_block(pending.filter(long_ago)).filter(Q(("block", Block.NONE.value)))


def orders_with_due_earnings() -> Iterator[UUID]:
    """Their keys, a query for each chunk; an order whose release fails does not hide the others."""
    due = earnings_due(timezone.now()).order_by("parcel__order").values_list("parcel__order", flat=True)
    last: UUID | None = None
    while chunk := list(due.filter(Q(parcel__order__gt=last) if last else Q()).distinct()[:CHUNK]):
        yield from chunk
        last = chunk[-1]


@atomic_with_retry
def order_release_earnings(order_id: UUID) -> int:
    """Release the due earnings of an order and hold back the reserve; returns how many.

    Everything is read anew under the order's lock, so that a refund or a dispute that came first counts.
    """
    order = order_lock(order_id)
    due = list(earnings_due(timezone.now()).filter(parcel__order=order).order_by("artisan"))
    if not due:
        return 0
    earnings_release(order_id=order.pk, parcel_ids=[earning.parcel_id for earning in due])
    store = store_rules()
    if store.reserve_ppm and store.reserve_days:
        for earning in Earning.objects.filter(pk__in=[row.pk for row in due]).order_by("artisan"):
            hold_reserve(earning, order, store)
    return len(due)


def hold_reserve(earning: Earning, order: Order, store: StoreRules) -> Hold | None:
    """Hold back the reserve of an earning that was just released, as far as there is money."""
    artisan = artisan_lock(earning.artisan_id)
    wanted = half_up(max(0, earning.remaining.minor) * store.reserve_ppm, PPM)
    minor = min(wanted, available_minor(artisan.pk, earning.currency))
    is_held = Hold.objects.filter(
        artisan=artisan, order=order, reason=HoldReason.RESERVE, released_at__isnull=True
    )
    if minor <= 0 or is_held.exists():
        return None
    return hold_make(
        Hold(
            artisan=artisan,
            currency=earning.currency,
            amount_minor=minor,
            reason=HoldReason.RESERVE,
            order=order,
            until=timezone.now() + timedelta(days=store.reserve_days),
        )
    )


def earnings_late() -> QuerySet[Earning]:
    """Those that should have been released hours ago."""
    return earnings_due(timezone.now() - LATE_AFTER)
