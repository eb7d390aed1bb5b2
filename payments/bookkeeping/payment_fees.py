"""The fees that providers keep of captured money: which are known, and what of them each artisan bears.

They are spread over all parcels of the order by their totals, however its parcels end. Providers rarely give a part of
them back; then it is spread alike.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import F, Sum

from artisans.core.money import PPM, allocate, half_up
from orders.models import Parcel
from orders.statuses import FeeBearer
from payments.models import Capture, Explanation, ProviderMovement
from payments.providers.contract import MovementKind


class FeeShare(NamedTuple):
    """What an artisan bears of a parcel's part of the fees, in minor units: `total` includes the `tax` on it, at the
    rate of the tax on commission."""

    total: int = 0
    tax: int = 0


NO_FEE = FeeShare()


def fee_shares(parcels: Sequence[Parcel], fees: Iterable[int]) -> dict[UUID, FeeShare]:
    """By parcel, of an order's parcels and the fees of its captures. The shop bears the parts of the other parcels."""
    parts: Counter[UUID] = Counter()
    for fee in fees:
        for parcel, minor in zip(parcels, allocate(fee, [row.total_minor for row in parcels]), strict=True):
            parts[parcel.pk] += minor
    found = {}
    for parcel in parcels:
        minor = parts[parcel.pk]
        if minor and parcel.payment_fee_bearer == FeeBearer.ARTISAN:
            tax = half_up(minor * parcel.commission_tax_ppm, PPM)
            found[parcel.pk] = FeeShare(minor + tax, tax)
    return found


def read_fees(parcels: Iterable[Parcel]) -> dict[UUID, list[int]]:
    """The known fees of captures, in minor units, by order; only those that artisans bear.

    That of the provider's movement counts, and before it is read what the provider said with the capture; less what
    later movements gave back. A fee in another currency stays with the shop. Two queries, none if the shop bears all.
    """
    orders = {row.order_id for row in parcels if row.payment_fee_bearer == FeeBearer.ARTISAN}
    return known_fees(orders) if orders else {}


def known_fees(orders: Collection[UUID]) -> dict[UUID, list[int]]:
    movements = ProviderMovement.objects.filter(
        explained_by__in=[Explanation.CAPTURE, Explanation.REFUND],
        payment__order__in=orders,
        currency=F("payment__currency"),
    )
    sums = movements.order_by().values_list("payment", "capture", "refund", "kind").annotate(Sum("fee_minor"))
    moved: dict[UUID, int] = {}
    by_refund: Counter[tuple[UUID, UUID | None]] = Counter()  # what fails later is charged again
    for payment_id, capture_id, refund_id, kind, minor in sums:
        if kind == MovementKind.PAYMENT:
            moved[capture_id] = minor
        else:
            by_refund[payment_id, refund_id] -= minor
    fees_returned: Counter[UUID] = Counter()
    for (payment_id, _refund_id), minor in by_refund.items():
        fees_returned[payment_id] += max(0, minor)  # what is charged for a refund is the shop's
    captures = Capture.objects.filter(payment__order__in=orders).order_by("created_at", "pk")
    found = defaultdict[UUID, list[int]](list)
    for pk, payment_id, order_id, said in captures.values_list(
        "pk", "payment", "payment__order", "fee_minor"
    ):
        fee = max(0, moved.get(pk, said) or 0)
        returned = min(fee, fees_returned[payment_id])
        fees_returned[payment_id] -= returned
        if fee > returned:
            found[order_id].append(fee - returned)
    return found
