"""Which shipping methods parcels can take, and what they cost. Pure: amounts in minor units, weights in grams."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.core.money import allocate


@dataclass(frozen=True, slots=True)
class Tier:
    """What a method costs from these bounds on."""

    min_weight_g: int
    min_goods_minor: int
    price_minor: int


@dataclass(frozen=True, slots=True)
class Method:
    """`artisan_id`: whose method it is; None if it is the shop's. `tiers` are those of the order's currency."""

    id: int
    artisan_id: UUID | None
    name: str
    is_pickup: bool
    is_per_parcel: bool
    min_days: int | None
    max_days: int | None
    position: int
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class ParcelGoods:
    """What one artisan ships: the weight and the value of all goods."""

    artisan_id: UUID
    weight_g: int
    goods_minor: int


@dataclass(frozen=True, slots=True)
class Option:
    """A method with its price for all parcels of a group."""

    method: Method
    price_minor: int


@dataclass(frozen=True, slots=True)
class Group:
    """Parcels that share their methods: all that the shop's methods ship, or one of an artisan with methods."""

    parcels: tuple[ParcelGoods, ...]
    methods: tuple[Method, ...]
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was chosen. `methods` and `prices` by artisan; parcels of those in `unserved` cannot be shipped."""

    groups: tuple[Group, ...] = ()
    methods: dict[UUID, Method] = field(default_factory=dict)
    prices: dict[UUID, int] = field(default_factory=dict)

    @property
    def unserved(self) -> list[UUID]:
        parcels = (parcel for group in self.groups for parcel in group.parcels)
        return [parcel.artisan_id for parcel in parcels if parcel.artisan_id not in self.methods]

    @property
    def has_choice(self) -> bool:
        return any(len(group.options) > 1 for group in self.groups)


def business_days(low: int | None, high: int | None) -> str:
    """How long shipping takes; empty if it is not said."""
    if low is None or high is None:
        return ""
    if low == high:
        return ngettext("%(days)d business day", "%(days)d business days", high) % {"days": high}
    return _("%(low)d to %(high)d business days") % {"low": low, "high": high}


def price_at(tiers: Iterable[Tier], *, weight_g: int, goods_minor: int) -> int | None:
    """The price of the tier with the highest reached bounds, weight first; None if none is reached."""
    reached = [
        tier for tier in tiers if tier.min_weight_g <= weight_g and tier.min_goods_minor <= goods_minor
    ]
    best = max(reached, key=lambda tier: (tier.min_weight_g, tier.min_goods_minor), default=None)
    return None if best is None else best.price_minor


def prices_of(method: Method, parcels: Sequence[ParcelGoods], *, step: int = 1) -> list[int] | None:
    """What the method costs for each parcel; None if it does not take one of them, or if there are none.

    Per parcel, its own goods count; per order, all of them, and the price is split by their value, into multiples of
    `step` if it is one: what each parcel costs may have to be given back by itself.
    """
    if not parcels:
        return None
    if method.is_per_parcel:
        prices = [
            price_at(method.tiers, weight_g=parcel.weight_g, goods_minor=parcel.goods_minor)
            for parcel in parcels
        ]
        return None if None in prices else [price for price in prices if price is not None]
    goods = [parcel.goods_minor for parcel in parcels]
    price = price_at(
        method.tiers, weight_g=sum(parcel.weight_g for parcel in parcels), goods_minor=sum(goods)
    )
    return None if price is None else allocate(price, goods, step)


def group_parcels(methods: Sequence[Method], parcels: Iterable[ParcelGoods]) -> list[Group]:
    """Artisans with methods of their own ship by these alone."""
    own: dict[UUID | None, list[Method]] = {}
    for method in sorted(methods, key=lambda method: (method.position, method.id)):
        own.setdefault(method.artisan_id, []).append(method)
    together: dict[UUID | None, list[ParcelGoods]] = {}
    for parcel in parcels:
        owner = parcel.artisan_id if parcel.artisan_id in own else None
        together.setdefault(owner, []).append(parcel)
    return [
        Group(tuple(members), tuple(offered := own.get(owner, [])), options_of(offered, members))
        for owner, members in together.items()
    ]


def options_of(methods: Iterable[Method], parcels: Sequence[ParcelGoods]) -> tuple[Option, ...]:
    priced = ((method, prices_of(method, parcels)) for method in methods)
    return tuple(Option(method, sum(prices)) for method, prices in priced if prices is not None)


def cheapest(methods: Iterable[Method], parcels: Sequence[ParcelGoods]) -> Method | None:
    """The cheapest delivery, or the first of several; a pickup only if there is no delivery."""
    options = options_of(methods, parcels)
    best = min(options, key=lambda option: (option.method.is_pickup, option.price_minor), default=None)
    return best.method if best else None


def choose(
    methods: Sequence[Method],
    parcels: Iterable[ParcelGoods],
    *,
    step: int,
    wanted: Mapping[UUID, int] | None = None,
) -> Delivery:
    """The wanted method of each parcel, by artisan, and the cheapest where none is wanted or it is not offered.

    `step`: all amounts of the order are multiples of it, in minor units.
    """
    groups = group_parcels(methods, parcels)
    delivery = Delivery(tuple(groups))
    for group in groups:
        delivery.methods.update(methods_of_group(group, wanted or {}))
        for method in group.methods:
            members = [
                parcel for parcel in group.parcels if delivery.methods.get(parcel.artisan_id) == method
            ]
            if prices := prices_of(method, members, step=step):
                of_artisan = zip((parcel.artisan_id for parcel in members), prices, strict=True)
                delivery.prices.update(of_artisan)
    return delivery


def methods_of_group(group: Group, wanted: Mapping[UUID, int]) -> dict[UUID, Method]:
    found: dict[UUID, Method] = {}

    def take(method: Method | None, parcels: Sequence[ParcelGoods]) -> None:
        if method is not None and prices_of(method, parcels) is not None:
            found.update((parcel.artisan_id, method) for parcel in parcels)

    for method in group.methods:
        take(method, [parcel for parcel in group.parcels if wanted.get(parcel.artisan_id) == method.id])
    left = [parcel for parcel in group.parcels if parcel.artisan_id not in found]
    take(cheapest(group.methods, left), left)
    for parcel in left:
        if parcel.artisan_id not in found:  # no method takes all of them
            take(cheapest(group.methods, [parcel]), [parcel])
    return found
