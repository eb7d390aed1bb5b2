"""What the shop takes of a parcel: which rate applies, the fees of lines and parcel, and the tax on them. Pure.

All amounts are minor units and never negative.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from artisans.core.money import PPM, allocate, half_up


class Rate(Protocol):
    """A row of `CommissionRate`: what applies from `valid_from` on. None means every artisan, or every category."""

    artisan_id: UUID | None
    category_id: int | None
    is_end: bool
    rate_ppm: int
    minimum_minor: int
    cap_minor: int | None
    fixed_minor: int
    on_shipping: bool

    @property
    def valid_from(self) -> datetime: ...


R = TypeVar("R", bound=Rate)


class Terms(NamedTuple):
    """What a rate says. `minimum`, `cap` and `fixed` are of a parcel; no `cap` means any amount."""

    rate_ppm: int = 0
    minimum: int = 0
    cap: int | None = None
    fixed: int = 0
    on_shipping: bool = False


class Fee(NamedTuple):
    """A part of the parcel's commission, and of the tax on it."""

    commission: int = 0
    tax: int = 0


class ParcelFees(NamedTuple):
    lines: list[Fee]
    shipping: Fee

    @property
    def total(self) -> Fee:
        parts = [*self.lines, self.shipping]
        return Fee(sum(part.commission for part in parts), sum(part.tax for part in parts))


# ---- which rate applies --------------------------------------------------------------------------------------


def applying_rate(
    rates: Iterable[R], *, artisan_id: UUID | None, category_id: int | None, at: datetime
) -> R | None:
    """The most specific rate that has started: of the artisan in the category, of the artisan, of the category, of the
    store. Of one kind the latest start counts; where that is an end, the next less exact rate does."""
    latest: dict[tuple[UUID | None, int | None], R] = {}
    for rate in rates:
        key = (rate.artisan_id, rate.category_id)
        if rate.valid_from <= at and (key not in latest or latest[key].valid_from < rate.valid_from):
            latest[key] = rate
    exact = ((artisan_id, category_id), (artisan_id, None), (None, category_id), (None, None))
    found = (latest[key] for key in exact if key in latest)
    return next((rate for rate in found if not rate.is_end), None)


def terms_of(rate: Rate | None) -> Terms:
    if rate is None:
        return Terms()
    return Terms(rate.rate_ppm, rate.minimum_minor, rate.cap_minor, rate.fixed_minor, rate.on_shipping)


# ---- what it takes -------------------------------------------------------------------------------------------


def parcel_fees(
    totals: Sequence[int], terms: Sequence[Terms], *, shipping: int = 0, tax_ppm: int = 0
) -> ParcelFees:
    """The commission on a parcel and the tax on it, split over its lines and its shipping.

    `totals` and `terms`: of each line, without tax. Of several minimums, fixed parts and caps in one parcel, the
    largest counts, once. The commission with its tax is at most the parcel's subtotal, and each part of it at most the
    line or shipping that it is taken from.
    """
    line_fees = [half_up(total * rate.rate_ppm, PPM) for total, rate in zip(totals, terms, strict=True)]
    shipped = zip(allocate(shipping, totals), terms, strict=True)
    shipping_fee = sum(half_up(part * rate.rate_ppm, PPM) for part, rate in shipped if rate.on_shipping)
    commission = sum(line_fees) + shipping_fee + max(rate.fixed for rate in terms)
    caps = [rate.cap for rate in terms if rate.cap is not None]
    if len(caps) == len(terms):
        commission = min(commission, max(caps))
    commission = max(commission, *(rate.minimum for rate in terms))
    commission = min(commission, most_commission(sum(totals), tax_ppm))
    limits = [*totals, shipping if shipping_fee else 0]
    weights = [*line_fees, shipping_fee]
    commissions = allocate_within(commission, weights if any(weights) else limits, limits)
    rooms = [limit - part for limit, part in zip(limits, commissions, strict=True)]
    taxes = allocate_within(half_up(commission * tax_ppm, PPM), commissions, rooms)
    *lines, of_shipping = map(Fee, commissions, taxes)
    return ParcelFees(lines, of_shipping)


def common_rate(terms: Sequence[Terms], fees: ParcelFees, subtotal: int) -> int:
    """The rate of all lines; if they have several, the commission as a part of the subtotal."""
    rates = {rate.rate_ppm for rate in terms}
    return rates.pop() if len(rates) == 1 else half_up(fees.total.commission * PPM, max(subtotal, 1))


def most_commission(subtotal: int, tax_ppm: int) -> int:
    """The largest commission that is at most the subtotal together with its tax, rounded half up."""
    return -(-(2 * subtotal + 1) * PPM // (2 * (PPM + tax_ppm))) - 1


def allocate_within(minor: int, weights: Sequence[int], limits: Sequence[int]) -> list[int]:
    """Split by weights so that no part exceeds its limit; what exceeds one goes to the other parts, first to those with
    a weight. The limits add up to `minor` at least."""
    parts = [0] * len(limits)
    while rest := minor - sum(parts):
        rooms = [limit - part for limit, part in zip(limits, parts, strict=True)]
        open_weights = [weight if room else 0 for weight, room in zip(weights, rooms, strict=True)]
        added = allocate(rest, open_weights if any(open_weights) else rooms)
        parts = [part + min(more, room) for part, more, room in zip(parts, added, rooms, strict=True)]
    return parts
