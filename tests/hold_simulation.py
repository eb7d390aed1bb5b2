"""A simulated shop under the policy of orders/hold_policy.py: attackers who hold goods without paying, and honest
shoppers who share a network. `Before` is the set of rules that the policy replaced.

Prices, stock and lengths of holds are those of the demo and of `payments.bookkeeping.holds`. Stock that is paid for
is made again, so that only holds make it scarce.
"""

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings

from orders.hold_policy import HeldUnits, HoldKind, WantedUnits, decide
from orders.holds import hold_limits
from payments.bookkeeping.holds import compute_hold
from payments.methods import PaymentMethod

START = datetime(2031, 3, 1, 9, tzinfo=UTC)
CATALOGUE = settings.BASE_DIR / "artisans" / "catalog" / "demo" / "catalogue.json"
TRANSFER, CHECK, CARD = PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK, PaymentMethod.CREDIT_CARD
Basket = Counter[UUID]


@dataclass(frozen=True, slots=True)
class Shopper:
    """`is_known`: signed in with a verified address. `has_account`: signed in."""

    email: str
    network: str
    is_known: bool = False
    has_account: bool = False


@dataclass(eq=False, slots=True)
class HeldOrder:
    shopper: Shopper
    basket: Basket
    placed_at: datetime
    ends_at: datetime
    is_known: bool


class Refused(Exception):
    """`wait`: minutes; None if waiting does not help."""

    def __init__(self, wait: float | None) -> None:
        super().__init__()
        self.wait = wait


@dataclass
class Now:
    """The policy. Subclasses answer differently."""

    now: datetime = START
    orders: list[HeldOrder] = field(default_factory=list)
    stock: Basket = field(default_factory=Counter)
    prices: dict[UUID, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, row in enumerate(json.loads(CATALOGUE.read_text())["products"]):
            key = UUID(int=number)
            self.stock[key], self.prices[key] = row["stock"], round(float(row["price"]) * 100)
        self.all_units = self.stock.total()
        self.all_value = self.basket_value(self.stock)

    # ---- what a shop does ----------------------------------------------------------------------------------

    def place(self, shopper: Shopper, basket: Basket, method: PaymentMethod) -> HeldOrder:
        """Errors: Refused, KeyError if the stock does not suffice."""
        if any(self.stock[key] < quantity for key, quantity in basket.items()):
            raise KeyError(shopper)
        ends_at = self.check(shopper, basket, method)
        self.stock.subtract(basket)
        order = HeldOrder(shopper, basket, self.now, ends_at, shopper.is_known)
        self.orders.append(order)
        return order

    def check(self, shopper: Shopper, basket: Basket, method: PaymentMethod) -> datetime:
        mine = [order for order in self.orders if self.counts_for(order, shopper, method)]
        if len(mine) >= settings.MAX_OPEN_ORDERS:
            raise Refused(self.minutes_until(min(order.ends_at for order in mine)))
        kind = HoldKind.ONLINE if method == CARD else HoldKind.OFFLINE
        wanted = [WantedUnits(key, n, self.prices[key], self.stock[key]) for key, n in basket.items()]
        held = self.held(mine, shopper)
        decision = decide(wanted, held, kind=kind, is_known=shopper.is_known, limits=hold_limits())
        if decision.excess is not None:
            end = decision.excess.ends_at
            raise Refused(None if end is None else self.minutes_until(end))
        return self.hold_end(method, is_known=shopper.is_known, is_short=decision.is_short)

    def hold_end(self, method: PaymentMethod, *, is_known: bool, is_short: bool = False) -> datetime:
        hold = compute_hold(
            method, is_known_buyer=is_known, placed_at=self.now, since=self.now, is_short=is_short
        )
        assert hold.expires_at is not None
        return hold.expires_at

    def counts_for(self, order: HeldOrder, shopper: Shopper, method: PaymentMethod) -> bool:
        if order.shopper.email != shopper.email:
            return False
        if shopper.is_known:
            return order.is_known
        return method != CARD or order.shopper.network == shopper.network

    def held(self, mine: list[HeldOrder], shopper: Shopper) -> list[HeldUnits]:
        counted = mine if shopper.is_known else [order for order in self.orders if not order.is_known]
        return [
            HeldUnits(
                key,
                n,
                n * self.prices[key],
                order.ends_at,
                is_own=shopper.is_known or order.shopper.network == shopper.network,
            )
            for order in counted
            for key, n in order.basket.items()
        ]

    def confirm(self, order: HeldOrder, method: PaymentMethod) -> None:
        """The buyer opened the emailed link."""
        if order in self.orders:
            order.is_known = True
            order.ends_at = max(order.ends_at, self.hold_end(method, is_known=True))

    def close(self, order: HeldOrder) -> None:
        """Paid, cancelled or expired."""
        if order in self.orders:
            self.orders.remove(order)
            self.stock.update(order.basket)

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)
        for order in [order for order in self.orders if order.ends_at <= self.now]:
            self.close(order)

    # ---- figures -------------------------------------------------------------------------------------------

    def minutes_until(self, end: datetime) -> float:
        return (end - self.now).total_seconds() / 60

    def basket_value(self, basket: Basket) -> int:
        return sum(n * self.prices[key] for key, n in basket.items())

    def units_held(self, *, longer_than: float = 0) -> int:
        """`longer_than`: minutes from the order's start to its end."""
        return sum(
            order.basket.total()
            for order in self.orders
            if order.ends_at - order.placed_at > timedelta(minutes=longer_than)
        )


@dataclass
class Before(Now):
    """Five units of a product from a network within an hour; ten guest checkouts an hour, whether they succeed or not;
    two unpaid orders with an address; any account counts as known.
    """

    checkouts: list[tuple[str, datetime]] = field(default_factory=list)

    def check(self, shopper: Shopper, basket: Basket, method: PaymentMethod) -> datetime:
        if not shopper.has_account:
            recent = [at for net, at in self.checkouts if net == shopper.network and at > self.hour_ago]
            if len(recent) >= 10:
                raise Refused(60 - (self.now - recent[0]).total_seconds() / 60)
            self.checkouts.append((shopper.network, self.now))
        mine = [order for order in self.orders if order.shopper.email == shopper.email]
        if len(mine) >= settings.MAX_OPEN_ORDERS:
            raise Refused(self.minutes_until(min(order.ends_at for order in mine)))
        near = [
            o for o in self.orders if o.shopper.network == shopper.network and o.placed_at > self.hour_ago
        ]
        held: Basket = Counter()
        for order in near:
            held.update(order.basket)
        if any(held[key] + n > 5 for key, n in basket.items()):
            first = min((order.placed_at for order in near), default=self.now)
            raise Refused(60 - (self.now - first).total_seconds() / 60)
        return self.hold_end(method, is_known=shopper.has_account)

    @property
    def hour_ago(self) -> datetime:
        return self.now - timedelta(hours=1)


# ---- attacks ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Harm:
    """At most held at once, in percent of the shop: units; units for longer than ten minutes; value."""

    units: int
    long_units: int
    value: int


Attackers = Callable[[str], Iterable[Shopper]]
HOURS, STEP = 4, 60


def attack(kind: type[Now], attackers: Attackers) -> Harm:
    """Every hour each attacker orders as much as is let through; nothing is ever paid. The worst of three ways."""
    found = [attack_in_one_way(kind(), attackers, way) for way in (grab_baskets, grab_dear, grab_cheap)]
    return Harm(*(max(getattr(harm, name) for harm in found) for name in ("units", "long_units", "value")))


def attack_in_one_way(shop: Now, attackers: Attackers, grab: "Callable[[Now, Attackers, int], None]") -> Harm:
    units, long_units, value = 0, 0, 0
    for step in range(HOURS * 60 // STEP):
        grab(shop, attackers, step)
        units = max(units, shop.units_held())
        long_units = max(long_units, shop.units_held(longer_than=settings.SHORT_HOLD_MINUTES))
        value = max(value, sum(shop.basket_value(order.basket) for order in shop.orders))
        shop.pass_minutes(STEP)
    return Harm(
        *(
            round(100 * part)
            for part in (units / shop.all_units, long_units / shop.all_units, value / shop.all_value)
        )
    )


def grab_baskets(shop: Now, attackers: Attackers, step: int) -> None:
    """A few of everything in one order."""
    for shopper in attackers(f"{step}"):
        for method in (CHECK, CARD):
            for size, each in itertools.product((1000, 80, 20, 5, 1), (1000, 20, 5)):
                if placed(shop, shopper, basket_of(shop, size, each), method):
                    break


def grab_dear(shop: Now, attackers: Attackers, step: int) -> None:
    grab_singly(shop, attackers, step, sorted(shop.prices, key=lambda key: -shop.prices[key]))


def grab_cheap(shop: Now, attackers: Attackers, step: int) -> None:
    grab_singly(shop, attackers, step, sorted(shop.prices, key=lambda key: shop.prices[key]))


def grab_singly(shop: Now, attackers: Attackers, step: int, products: list[UUID]) -> None:
    """One product per order, each with an address of its own."""
    for number, (key, method) in enumerate(itertools.product(products, (CHECK, CARD))):
        for shopper in attackers(f"{step}-{number}"):
            for quantity in (20, 5, 1):
                if shop.stock[key] and placed(
                    shop, shopper, Counter({key: min(quantity, shop.stock[key])}), method
                ):
                    break


def placed(shop: Now, shopper: Shopper, basket: Basket, method: PaymentMethod) -> bool:
    try:
        return bool(basket and shop.place(shopper, basket, method))
    except Refused:
        return False


def basket_of(shop: Now, size: int, each: int) -> Basket:
    basket: Basket = Counter()
    for key in sorted(shop.prices, key=lambda key: -shop.prices[key]):
        basket[key] = min(shop.stock[key], each, size - basket.total())
    return +basket


def guests(networks: int, *, has_account: bool = False) -> Attackers:
    """A new address for each order, from so many networks."""
    return lambda name: [
        Shopper(f"{name}-{number}@x.test", f"net{number}", has_account=has_account)
        for number in range(networks)
    ]


def mailboxes(count: int) -> Attackers:
    """Always the same few addresses, all confirmed."""
    return lambda name: [
        Shopper(f"{number}@mailbox.test", "net0", is_known=True, has_account=True) for number in range(count)
    ]


def hours_held_by_switching(shop: Now) -> float:
    """A guest who changes between transfer and check every 100 minutes and never confirms the mailbox."""
    placed_at, end = shop.now, shop.hold_end(TRANSFER, is_known=False)
    while end > shop.now + timedelta(minutes=100) and shop.now - placed_at < timedelta(days=21):
        shop.now += timedelta(minutes=100)
        begin = shop.now if isinstance(shop, Before) else placed_at
        hold = compute_hold(CHECK, is_known_buyer=False, placed_at=begin, since=shop.now)
        assert hold.expires_at is not None
        end = max(end, hold.expires_at)
    return round((end - placed_at).total_seconds() / 3600)


# ---- honest shoppers -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crowd:
    """People behind one network: how many, within how many minutes, and what share is known or pays offline."""

    people: int
    minutes: int
    known: float
    offline: float
    popular: int = 0  # they all want one of so many products; 0: anything


@dataclass(slots=True)
class Served:
    """`refused`: shoppers who met a refusal. `lost`: who could not pay online at once either. `waits`: of those,
    minutes until they could order."""

    people: int = 0
    refused: int = 0
    lost: int = 0
    waits: list[float] = field(default_factory=list)


CROWDS = {
    "office, 25 people in an hour": Crowd(25, 60, known=0.4, offline=0.2),
    "school, 60 pupils in 20 minutes, 6 products": Crowd(60, 20, known=0.1, offline=0.1, popular=6),
    "phone carrier, 40 orders an hour": Crowd(320, 480, known=0.3, offline=0.1),
}


def serve(shop: Now, crowd: Crowd, seed: int) -> Served:
    """Each shopper orders 1 to 3 units. Online, 90 % pay within 1 to 8 minutes; offline, 80 % confirm within 30."""
    dice = random.Random(seed)  # noqa: S311  # a game, not a secret
    served = Served(people=crowd.people)
    wanted = sorted(shop.prices, key=lambda key: -shop.stock[key])[: crowd.popular or None]
    pending: list[tuple[datetime, Callable[[], None]]] = []
    for number, minute in enumerate(sorted(dice.uniform(0, crowd.minutes) for _ in range(crowd.people))):
        run_until(shop, pending, START + timedelta(minutes=minute))
        is_known = dice.random() < crowd.known
        shopper = Shopper(f"p{number}@crowd.test", "shared", is_known=is_known, has_account=is_known)
        method = TRANSFER if dice.random() < crowd.offline else CARD
        in_stock = [key for key in wanted if shop.stock[key] > 0]
        if not in_stock:
            continue
        basket = Counter(dice.choices(in_stock, k=dice.choice((1, 1, 2, 3))))
        basket = Counter({key: min(n, shop.stock[key]) for key, n in basket.items()})
        order = try_order(shop, shopper, basket, method, served)
        if order is None:
            continue
        if method == CARD and dice.random() < 0.9:
            pending.append((shop.now + timedelta(minutes=dice.uniform(1, 8)), lambda o=order: shop.close(o)))
        elif method == TRANSFER and dice.random() < 0.8:
            at = shop.now + timedelta(minutes=dice.uniform(1, 30))
            pending.append((at, lambda o=order: shop.confirm(o, TRANSFER)))
    return served


def run_until(shop: Now, pending: list[tuple[datetime, Callable[[], None]]], until: datetime) -> None:
    for entry in sorted((e for e in pending if e[0] <= until), key=lambda entry: entry[0]):
        pending.remove(entry)
        shop.pass_minutes(shop.minutes_until(entry[0]))
        entry[1]()
    shop.pass_minutes(shop.minutes_until(until))


def try_order(
    shop: Now, shopper: Shopper, basket: Basket, method: PaymentMethod, served: Served
) -> HeldOrder | None:
    """By the method of choice; after a refusal online; else the wait counts."""
    try:
        return shop.place(shopper, basket, method)
    except Refused as refusal:
        served.refused += 1
        wait = refusal.wait
    try:
        return shop.place(shopper, basket, CARD)
    except Refused as refusal:
        served.lost += 1
        served.waits.append(refusal.wait if refusal.wait is not None else wait or 0)
    return None


# ---- a victim, and a shopper who changes their mind ------------------------------------------------------------


def victim_waits(shop: Now, *, is_known: bool) -> float:
    """Minutes until the owner of an address can order, after a stranger has used it for two transfer orders."""
    key = next(iter(shop.prices))
    for network in ("a", "b"):
        shop.place(Shopper("victim@x.test", network), Counter([key]), TRANSFER)
    victim = Shopper("victim@x.test", "home", is_known=is_known, has_account=is_known)
    try:
        shop.place(victim, Counter([key]), CARD)
    except Refused as refusal:
        return round(refusal.wait or 0)
    return 0


def changes_of_mind(shop: Now) -> int:
    """How many of twelve attempts are refused: a shopper orders, cancels and orders again, in an hour."""
    shopper, refused = Shopper("unsure@x.test", "home", has_account=False), 0
    keys = list(shop.prices)
    for number in range(12):
        try:
            order = shop.place(
                shopper, Counter(keys[number % 3 : number % 3 + 2]), (TRANSFER, CARD)[number % 2]
            )
        except Refused:
            refused += 1
        else:
            shop.close(order)
        shop.pass_minutes(4)
    return refused


# ---- the table -------------------------------------------------------------------------------------------------

ATTACKS = {
    "guests from one network": guests(1),
    "guests from 20 networks": guests(20),
    "unverified accounts from one network": guests(1, has_account=True),
    "3 confirmed mailboxes": mailboxes(3),
}


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def attack_text(kind: type[Now], *, who: Attackers) -> str:
    harm = attack(kind, who)
    return f"{harm.units} % ({harm.long_units} %), {harm.value} %"


def crowd_text(kind: type[Now], *, crowd: Crowd) -> str:
    found = [serve(kind(), crowd, seed) for seed in SEEDS]
    people = sum(each.people for each in found)
    waits = sorted(wait for each in found for wait in each.waits) or [0.0]
    refused, lost = (
        round(100 * sum(getattr(each, name) for each in found) / people) for name in ("refused", "lost")
    )
    return f"{refused} %, {lost} %, {waits[len(waits) // 2]:.0f}–{waits[-1]:.0f} min"


SEEDS: tuple[int, ...] = (1, 2, 3)
HEADER = row("attack or crowd", "before", "now")
ROWS: dict[str, Callable[[type[Now]], str]] = {
    **{name: partial(attack_text, who=who) for name, who in ATTACKS.items()},
    "transfer ↔ check again and again": lambda kind: f"{hours_held_by_switching(kind()):.0f} h",
    "owner of an address used by others: verified, guest": lambda kind: ", ".join(
        f"{victim_waits(kind(), is_known=is_known):.0f} min" for is_known in (True, False)
    ),
    **{name: partial(crowd_text, crowd=crowd) for name, crowd in CROWDS.items()},
    "12 changes of mind in an hour": lambda kind: f"{changes_of_mind(kind())} refused",
}


def table_row(name: str) -> str:
    """A row of the table in docs/adr/0011: a scenario under the rules before, and under the policy."""
    return row(name, ROWS[name](Before), ROWS[name](Now))
