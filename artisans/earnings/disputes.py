"""Disputed money that artisans have available already is held back until the dispute is decided.

As far as there is money; the rest is the shop's exposure, and is held as soon as the artisan earns again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from artisans.catalog.models import Artisan
from artisans.core.money import Money
from artisans.earnings.holds import artisan_lock, hold_finish, hold_make
from artisans.earnings.models import Hold, HoldReason
from artisans.earnings.selectors import available_minor
from orders.models import Order
from orders.selectors import order_lock
from payments.bookkeeping.earnings import OrderBooks, read_books, split_books
from payments.models import Dispute, EarningStatus
from payments.statuses import DisputeStatus

Stakes = Mapping[UUID, int]  # minor units by artisan


def orders_with_disputes() -> Iterator[UUID]:
    """Orders with an open dispute, or with money that is held for one."""
    held = Hold.objects.filter(dispute__isnull=False, released_at__isnull=True).values("dispute")
    disputes = Dispute.objects.filter(Q(status=DisputeStatus.OPEN) | Q(pk__in=held)).order_by()
    yield from disputes.values_list("payment__order", flat=True).distinct()


@transaction.atomic
def order_follow_disputes(order_id: UUID) -> int:
    """Hold back what is disputed of an order's released earnings, and end the holds of decided disputes.

    Returns how many holds began or ended. Keyed by the state of the rows, so that repeating it changes nothing.
    """
    order = order_lock(order_id)
    disputes = list(Dispute.objects.filter(payment__order=order).order_by("created_at", "pk"))
    stakes = stakes_of(order, disputes)
    wanted = {
        (dispute.pk, artisan): minor for dispute in disputes for artisan, minor in stakes[dispute.pk].items()
    }
    active = Hold.objects.filter(order=order, reason=HoldReason.DISPUTE, released_at__isnull=True)
    artisans = {*active.values_list("artisan", flat=True), *(artisan for _dispute, artisan in wanted)}
    changes = 0
    for artisan_id in sorted(artisans):
        artisan = artisan_lock(artisan_id)
        for dispute in disputes:
            minor = wanted.get((dispute.pk, artisan_id), 0)
            changes += hold_for_dispute(dispute, order, artisan, minor)
    return changes


def hold_for_dispute(dispute: Dispute, order: Order, artisan: Artisan, wanted: int) -> int:
    """Bring what is held of one artisan for one dispute to the wanted amount; returns the number of changes."""
    holds = list(Hold.objects.filter(dispute=dispute, artisan=artisan, released_at__isnull=True))
    ended = 0
    if wanted < sum(hold.amount_minor for hold in holds):
        for hold in holds:
            hold_finish(hold)
        ended, holds = len(holds), []
    missing = wanted - sum(hold.amount_minor for hold in holds)
    minor = min(missing, available_minor(artisan.pk, dispute.currency))
    if minor <= 0:
        return ended
    hold_make(
        Hold(
            artisan=artisan,
            currency=dispute.currency,
            amount_minor=minor,
            reason=HoldReason.DISPUTE,
            order=order,
            dispute=dispute,
        )
    )
    return ended + 1


def stakes_of(order: Order, disputes: list[Dispute]) -> dict[UUID, Stakes]:
    """By open dispute, what each artisan would lose of released earnings if it were lost, after those before it.

    A dispute in another currency than the order's is never counted.
    """
    [books] = read_books([order])
    found: dict[UUID, Stakes] = {dispute.pk: {} for dispute in disputes}
    taken, before = 0, lost_by_artisan(books, 0)
    for dispute in disputes:
        if dispute.status != DisputeStatus.OPEN or dispute.currency != order.currency:
            continue
        taken += dispute.amount_minor
        after = lost_by_artisan(books, taken)
        found[dispute.pk] = after - before
        before = after
    return found


def lost_by_artisan(books: OrderBooks, taken: int) -> Counter[UUID]:
    """What refunds and disputes take of each artisan's released earnings, if disputes take so many minor units more."""
    return Counter(
        {
            part.artisan_id: part.returned.net
            for part in split_books(books, disputed=taken).parcels
            if books.earnings[part.parcel_id].status == EarningStatus.RELEASED
        }
    )


def exposures_of(artisan: Artisan) -> list[tuple[Dispute, Money]]:
    """Open disputes whose loss would take more than is held of this artisan, with what is missing."""
    disputes = Dispute.objects.filter(payment__order__parcels__artisan=artisan, status=DisputeStatus.OPEN)
    found = []
    for order in Order.objects.filter(payments__disputes__in=disputes).distinct():
        rows = list(Dispute.objects.filter(payment__order=order).order_by("created_at", "pk"))
        stakes = stakes_of(order, rows)
        for dispute in rows:
            held = Hold.objects.filter(dispute=dispute, artisan=artisan, released_at__isnull=True)
            missing = stakes[dispute.pk].get(artisan.pk, 0) - sum(hold.amount_minor for hold in held)
            if missing > 0:
                found.append((dispute, Money(missing, dispute.currency)))
    return found
