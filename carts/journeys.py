"""What the pages and the API of the checkout report to artisans.journeys."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from artisans.accounts.principals import Principal
from artisans.core.errors import Declined, DomainError, InvalidInput, ServiceUnavailable, TooManyRequests
from artisans.core.models import Heartbeat
from artisans.core.retention import RULES
from artisans.journeys.models import QUIET, Channel, Device, Journey, ProblemKind, Step
from artisans.journeys.services import (
    OTHER,
    Visit,
    journey_place,
    journey_problems_add,
    journey_reach,
    journey_start,
    journeys_backfill,
)
from carts.checkout import Checkout
from carts.models import Cart, CartItem
from carts.services import FilledCart
from orders.addresses import address_read
from orders.errors import CheckoutBlocked
from orders.models import Order

TASK = "carts.complete_journeys"
BATCH = 1000
SETTLED_AFTER = timedelta(minutes=10)  # a request that placed an order has recorded it by then, or never will
OVERLAP = timedelta(days=1)
SEEN_WITHIN = timedelta(days=7)  # older carts may have been purged, or merged into others
DEVICES = {"?0": Device.WIDE, "?1": Device.NARROW}
KINDS: tuple[tuple[type[DomainError], ProblemKind], ...] = (
    (TooManyRequests, ProblemKind.LIMITED),
    (ServiceUnavailable, ProblemKind.PROVIDER_DOWN),
    (Declined, ProblemKind.DECLINED),
    (InvalidInput, ProblemKind.FORM),
)


def page_visit(request: HttpRequest, principal: Principal) -> Visit:
    """The device is known only where the browser gives the hint without being asked (Chromium)."""
    hint = request.headers.get("Sec-CH-UA-Mobile", "")
    return visit_of(Channel.PAGE, principal, DEVICES.get(hint, Device.UNKNOWN))


def api_visit(principal: Principal) -> Visit:
    return visit_of(Channel.API, principal)


def visit_of(channel: Channel, principal: Principal, device: Device = Device.UNKNOWN) -> Visit:
    user = principal.user
    return Visit(channel, device, is_signed_in=user is not None, is_staff=user is not None and user.is_staff)


def start(filled: FilledCart, visit: Visit) -> None:
    if filled.was_empty:
        journey_start(cart_id=filled.cart.pk, currency=filled.cart.currency, visit=visit)


def reach(cart: Cart, step: Step, visit: Visit) -> None:
    country = country_of(cart.draft.get("shipping")) if isinstance(cart.draft, dict) else ""
    journey_reach(cart_id=cart.pk, step=step, currency=cart.currency, country=country, visit=visit)


def placed(done: Checkout, visit: Visit, *, cart_id: UUID | None = None) -> None:
    order = done.placed.order
    if done.is_new:
        journey_place(
            cart_id=cart_id,
            order_id=order.pk,
            placed_at=order.created_at,
            currency=order.currency,
            country=country_of(order.shipping_address),
            visit=visit,
        )


def country_of(address: object) -> str:
    code = address_read(address).get("country", "")
    return code if re.fullmatch("[A-Z]{2}", code) else ""


@contextmanager
def problems_recorded(step: Step, visit: Visit, *, cart_id: UUID | None = None) -> Iterator[None]:
    """Record any error that passes."""
    try:
        yield
    except Exception as error:
        problem_add(error, step, visit, cart_id=cart_id)
        raise


def problem_add(error: Exception, step: Step, visit: Visit, *, cart_id: UUID | None) -> None:
    kind, codes = describe(error)
    journey_problems_add(step=step, kind=kind, codes=codes, visit=visit, cart_id=cart_id)


def form_problems_add(form: Any, step: Step, visit: Visit, *, cart_id: UUID) -> None:
    """The names of the fields with errors."""
    codes = [name if name in form.fields else OTHER for name in form.errors]
    journey_problems_add(step=step, kind=ProblemKind.FORM, codes=codes, visit=visit, cart_id=cart_id)


def describe(error: Exception) -> tuple[ProblemKind, list[str]]:
    """Kind and codes. Names of fields are left out if a client could have made them up."""
    if isinstance(error, CheckoutBlocked):
        return ProblemKind.CART, [problem.code for problem in error.problems]
    if isinstance(error, DomainError):
        kind = next((kind for base, kind in KINDS if isinstance(error, base)), ProblemKind.CART)
        return kind, [error.code]
    if isinstance(error, ValidationError):
        return ProblemKind.FORM, ["validation_error"]
    return ProblemKind.SERVER, [type(error).__name__.lower()]


def journeys_abandon() -> None:
    """Record what is in the carts of checkouts in which nothing has happened for an hour."""
    now = timezone.now()
    items = CartItem.objects.filter(cart=OuterRef("cart_id"), seen_currency=F("cart__currency"))
    carts = items.order_by().values("cart")
    worth = carts.annotate(sum=Sum(F("quantity") * F("seen_price_minor"))).values("sum")
    left = Journey.objects.filter(placed_at=None, last_at__lt=now - QUIET, last_at__gte=now - SEEN_WITHIN)
    left.filter(abandoned_minor=None, cart_id__isnull=False).update(
        abandoned_minor=Coalesce(Subquery(worth), 0)
    )


# ---- orders whose placing was not recorded ----------------------------------------------------------------------


def journeys_complete() -> int:
    """Add the journeys of orders that were placed before journeys were recorded, or whose recording failed. Of these
    only the placing is known. Returns how many orders were without one.

    It looks at the time since its last success, and at most as far back as journeys are kept.
    """
    now, count = timezone.now(), 0
    last = Heartbeat.objects.filter(pk=TASK).values_list("succeeded_at", flat=True).first()
    since = max(
        now - RULES["journeys"].kept, last - OVERLAP if last else datetime.min.replace(tzinfo=now.tzinfo)
    )
    rows = orders_without_journey(since, now - SETTLED_AFTER)
    chunk = list(rows[:BATCH])
    while chunk:
        journeys_backfill([backfilled(order) for order in chunk])
        count += len(chunk)
        at, pk = chunk[-1].created_at, chunk[-1].pk
        chunk = list(rows.filter(Q(created_at__gt=at) | Q(created_at=at, pk__gt=pk))[:BATCH])
    return count


def orders_without_journey(since: datetime, until: datetime) -> QuerySet[Order]:
    rows = Order.objects.filter(created_at__gte=since, created_at__lt=until)
    journeys = Journey.objects.filter(order_id=OuterRef("pk"))
    return rows.filter(~Exists(journeys)).select_related("cart", "user").order_by("created_at", "pk")


def backfilled(order: Order) -> Journey:
    cart: Cart | None = getattr(order, "cart", None)
    return Journey(
        cart_id=cart.pk if cart else None,
        order_id=order.pk,
        channel=Channel.UNKNOWN,
        is_signed_in=order.user_id is not None,
        is_staff=order.user is not None and order.user.is_staff,
        currency=order.currency,
        delivery_country=country_of(order.shipping_address),
        placed_at=order.created_at,
        last_at=order.created_at,
        is_backfilled=True,
    )
