from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.db.models import Prefetch, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Concat
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User, normal_email
from artisans.accounts.principals import Principal
from artisans.catalog.models import Artisan, CommissionRate
from artisans.catalog.selectors import commission_rates
from artisans.catalog.services import products_lock
from artisans.core.admin.search import containing
from artisans.core.compiled import compiled
from artisans.core.errors import NotFound
from artisans.core.models import get_or_none
from artisans.regions.currencies import offered_currencies
from orders.models import Carrier, LineCancellation, Order, OrderLine, Parcel, Shipment, StoreRules
from orders.statuses import ORDERS_CLOSED, PARCELS_UNSHIPPED

LockCheck = tuple[UUID, Callable[[Order], None]]
LOCK_CHECK: ContextVar[LockCheck | None] = ContextVar("LOCK_CHECK", default=None)
IS_OPEN, IS_OPEN_SECONDS = "orders.shop_is_open", 30  # in the cache
# What became of an order: ever paid in full, else closed, else still waiting for money.
HAS_BEEN_PAID, IS_CLOSED = Q(paid_at__isnull=False), Q(status__in=ORDERS_CLOSED)
ORDER_OUTCOMES: dict[str, Q] = {
    "paid": HAS_BEEN_PAID,
    "closed": ~HAS_BEEN_PAID & IS_CLOSED,
    "ended": HAS_BEEN_PAID | IS_CLOSED,
    "open": ~HAS_BEEN_PAID & ~IS_CLOSED,
}
MASK_AFTER = timedelta(days=30)
MOST_FOUND = 500
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
ORDER_TEXT = Concat(  # has an index of trigrams
    "email",
    Value(" "),
    KT("shipping_address__name"),
    Value(" "),
    KT("billing_address__name"),
    output_field=TextField(),
)


@compiled
def all_store_rules() -> QuerySet[StoreRules]:
    return StoreRules.objects.filter(pk=1).order_by()


def store_rules() -> StoreRules:
    """The store's settings; unsaved defaults, with `is_open` False, if it was never set up."""
    return all_store_rules.first() or StoreRules(pk=1)


def store_of_request(request: HttpRequest) -> StoreRules:
    """As `store_rules`, read once for a page."""
    if not hasattr(request, "_store_rules"):
        request._store_rules = store_rules()  # type: ignore[attr-defined]
    return cast("StoreRules", request._store_rules)  # type: ignore[attr-defined]


def missing_answers(request: HttpRequest) -> list[str]:
    """As `StoreRules.missing_answers`, for the notice above each page of staff; that there are none is remembered."""
    if cache.get(IS_OPEN):
        return []
    missing = store_of_request(request).missing_answers
    if not missing:
        cache.set(IS_OPEN, value=True, timeout=IS_OPEN_SECONDS)
    return missing


def currency_of_store() -> QuerySet[StoreRules, str]:
    return StoreRules.objects.filter(pk=1).order_by("pk").values_list("currency", flat=True)


def rates_of(artisans: Iterable[Artisan], *, currency: str) -> list[CommissionRate]:
    """All rates in this currency that these artisans have, had, or will have; with those of all artisans.

    `Artisan.commission_ppm`, which release 0.1.0 still uses and changes, counts as an artisan's first rate.
    """
    artisans = list(artisans)
    former = [
        CommissionRate(artisan=one, currency=currency, rate_ppm=one.commission_ppm, valid_from=BEFORE_ALL)
        for one in artisans
        if one.commission_ppm
    ]
    return former + commission_rates(currency, [one.pk for one in artisans])


def currencies_without_commission() -> list[str]:
    """In which the shop sells without a rate for all artisans, although it has one in another currency."""
    store_wide = CommissionRate.objects.filter(artisan=None, category=None)
    rated = {*store_wide.order_by().values_list("currency", flat=True)}
    return [code for code in offered_currencies() if code not in rated] if rated else []


def owned_by(user: User, *, path: str = "") -> Q:
    """Filter for the user's orders and guest orders to their verified addresses. `path` is the lookup to the order."""
    verified = EmailAddress.objects.filter(user=user, verified=True).values("email")
    return Q(**{f"{path}user": user}) | Q(**{f"{path}user": None, f"{path}email__in": verified})


def is_owner(order: Order, user: User | None) -> bool:
    """Whether the order is shown to this user as theirs: `owned_by` for one order."""
    if user is None:
        return False
    return Order.objects.filter(owned_by(user), pk=order.pk).exists()


def is_known_account(user: User | None) -> bool:
    """Whether someone is signed in whose account has a verified address."""
    return user is not None and has_verified_address(user.pk)


def is_known_buyer(order: Order) -> bool:
    """Whether a mailbox of the buyer is confirmed: by their account, or by the link in the order's email."""
    if order.mailbox_confirmed_at is not None:
        return True
    return order.user_id is not None and has_verified_address(order.user_id)


@compiled
def addresses_of(user_id: UUID) -> QuerySet[EmailAddress, tuple[str, bool]]:
    """Shape: email address, whether it is verified."""
    addresses: QuerySet[EmailAddress] = EmailAddress.objects.filter(user=user_id)  # allauth is untyped
    return addresses.values_list("email", "verified")


def has_verified_address(user_id: UUID) -> bool:
    return has_verified(is_verified for _email, is_verified in addresses_of(user_id))


def has_verified(flags: Iterable[bool]) -> bool:
    """Whether one of an account's addresses is verified. Accounts without any were made by the operator: they count as
    verified."""
    flags = list(flags)
    return any(flags) or not flags


def unverified_accounts(user_ids: Collection[UUID]) -> set[UUID]:
    """Those of these accounts that have no verified address."""
    flags: dict[UUID, list[bool]] = {}
    for user_id, is_verified in EmailAddress.objects.filter(user__in=user_ids).values_list(
        "user", "verified"
    ):
        flags.setdefault(user_id, []).append(is_verified)
    return {user_id for user_id, found in flags.items() if not has_verified(found)}


def is_own_order(order: Order, user: User) -> bool:
    """Whether the order belongs to this member of staff, by account or by any of their addresses, verified or not.

    Used to keep staff from deciding about their own orders. Wider than `is_owner` on purpose: an unverified address
    grants no access to an order, but still indicates an interest in it. Phone numbers do not count, since families
    and workshops share them.
    """
    email = normal_email(order.email)
    if order.user_id == user.pk or email == normal_email(user.email):
        return True
    return bool(EmailAddress.objects.filter(user=user, email__iexact=email).exists())


def orders_visible_to(principal: Principal) -> QuerySet[Order]:
    """The user's orders, or the one order that the principal has a link to; none for anyone else."""
    if principal.order_link is not None:
        order_id, version = principal.order_link
        return Order.objects.filter(pk=order_id, token_version=version)
    if principal.user is not None:
        return Order.objects.filter(owned_by(principal.user))
    return Order.objects.none()


def is_masked(order: Order, user: User | None) -> bool:
    """Whether a link shows the order without personal data: after 30 days, to anyone but its owner."""
    if order.created_at > timezone.now() - MASK_AFTER:
        return False
    return not is_owner(order, user)


def orders_containing(term: str) -> QuerySet[Order]:
    """The orders whose email address and names contain every word of the term."""
    return containing(Order.objects.all(), ORDER_TEXT, term)


def orders_containing_newest(term: str) -> QuerySet[Order]:
    """The newest 500 of them, so that a term that is in every order costs no more than another."""
    return orders_containing(term).order_by("-created_at")[:MOST_FOUND]


def last_addressed_order(user: User) -> Order | None:
    """The user's last order, whose addresses, company and VAT ID are filled in at the next checkout; None after they
    had them forgotten. Guest orders do not count."""
    orders = Order.objects.filter(user=user)
    if user.addresses_forgotten_at is not None:
        orders = orders.filter(created_at__gt=user.addresses_forgotten_at)
    return (
        orders.only("shipping_address", "billing_address", "company", "vat_id")
        .order_by("-created_at")
        .first()
    )


def orders_locked() -> QuerySet[Order]:
    """The orders, locked until the transaction ends."""
    return Order.objects.select_for_update(of=("self",), no_key=True)


def order_products_lock(order: Order) -> None:
    """Lock all products of an order in key order, before stock of some of its lines is returned.

    Returning parcel after parcel would lock them in the order of the parcels: a checkout that locks the same products
    by key would wait for us, and we for it.
    """
    products_lock(order.lines.values_list("product_id", flat=True))


@contextmanager
def checked_when_locked(order_id: UUID, check: Callable[[Order], None]) -> Iterator[None]:
    """Run `check` once, with the locked row, when this order is first locked in the block.

    This lets a page compare what the user saw with the current state under the same lock as the action, whichever
    service performs it.
    """
    token = LOCK_CHECK.set((order_id, check))
    try:
        yield
    finally:
        LOCK_CHECK.reset(token)


def check_locked(order: Order) -> None:
    """To be called after locking an order. Errors: those of the check."""
    waiting = LOCK_CHECK.get()
    if waiting is not None and waiting[0] == order.pk:
        LOCK_CHECK.set(None)
        waiting[1](order)


def order_lock(order_id: UUID) -> Order:
    """The order, locked until the transaction ends. Errors: NotFound, and those of checked_when_locked."""
    order = get_or_none(orders_locked().filter(pk=order_id))
    if order is None:
        raise NotFound(_("Order not found."))
    check_locked(order)
    return order


def shipments_loaded(path: str = "") -> "Prefetch[str]":
    """Prefetches shipments with their units and carriers. `path`: to their parcels, such as "parcels__"."""
    rows = Shipment.objects.select_related("listed_carrier").prefetch_related("lines")
    return Prefetch(f"{path}shipments", rows)


def carrier_listed(name: str) -> Carrier | None:
    """The carrier of this name, in upper or lower case."""
    return Carrier.objects.filter(name__iexact=name).first()


def carriers_suggested(countries: Collection[str]) -> list[Carrier]:
    """Those that work in one of these countries or everywhere."""
    return [
        carrier
        for carrier in Carrier.objects.all()
        if not carrier.countries or {*carrier.countries.split()} & {*countries}
    ]


def parcels_of_artisan(artisan: Artisan | None) -> QuerySet[Parcel]:
    """Parcels of this workshop that were released for shipping; none without one."""
    return (
        Parcel.objects.filter(artisan=artisan, order__released_at__isnull=False)
        .select_related("order", "artisan", "earning")
        .prefetch_related("lines", shipments_loaded())
        .order_by("-order__released_at", "number")
    )


def cancellations_of_artisan(artisan: Artisan | None) -> QuerySet[LineCancellation]:
    """Units of this workshop's parcels that could not be delivered; none without one."""
    rows = LineCancellation.objects.filter(line__parcel__artisan=artisan, line__parcel__artisan__isnull=False)
    return rows.select_related("line__order")


def parcels_to_send(order: Order, parcels: Iterable[Parcel]) -> int:
    """How many of the order's released parcels have not shipped yet."""
    return sum(parcel.status in PARCELS_UNSHIPPED for parcel in parcels) if order.can_be_shipped else 0


def lines_by_parcel(order: Order) -> dict[UUID, list[OrderLine]]:
    """All lines of the order by parcel key, sorted by position."""
    return group_by_parcel(order.lines.all())


def group_by_parcel(lines: Iterable[OrderLine]) -> dict[UUID, list[OrderLine]]:
    found: dict[UUID, list[OrderLine]] = {}
    for line in lines:
        found.setdefault(line.parcel_id, []).append(line)
    return found
