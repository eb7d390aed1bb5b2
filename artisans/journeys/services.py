"""Records the steps of a checkout. Called after the change that it reports, outside of its transaction.

A checkout never depends on it: whatever fails here is logged. A placed order that was missed is added at night.
"""

import functools
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ParamSpec
from uuid import UUID

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Case, DateTimeField, F, QuerySet, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from artisans.core.changes import changes_note
from artisans.core.compiled import CompiledUpdate, compiled_update, insert
from artisans.journeys.models import (
    COLUMNS,
    QUIET,
    Channel,
    Device,
    Journey,
    JourneyProblem,
    ProblemKind,
    Step,
)

logger = logging.getLogger(__name__)

SEEN_SECONDS = 7 * 24 * 3600
MAX_PROBLEMS = 20  # of one request
CODE = re.compile(r"[a-z0-9_.]{1,60}")
OTHER = "other"
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Visit:
    """How somebody shops; nothing of it identifies a person."""

    channel: Channel
    device: Device = Device.UNKNOWN
    is_signed_in: bool = False
    is_staff: bool = False


def savepoint() -> Any:
    """Only in a transaction, as in tests: alone, one statement needs none."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


def never_fails(record: Callable[P, None]) -> Callable[P, None]:
    """Log what fails, whatever it is."""

    @functools.wraps(record)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with savepoint():
                record(*args, **kwargs)
        except Exception:
            logger.warning("journey_not_recorded", exc_info=True)

    return run


def first_times(step: Step, at: datetime) -> dict[str, datetime]:
    """The columns that reaching a step fills: its own and those of the steps before."""
    steps = list(Step)
    return {COLUMNS[one]: at for one in steps[: steps.index(step) + 1]}


@never_fails
def journey_start(*, cart_id: UUID, currency: str, visit: Visit) -> None:
    """An item was added to an empty cart. A cart that was emptied before keeps its journey."""
    now = timezone.now()
    row = Journey(cart_id=cart_id, currency=currency, started_at=now, last_at=now, **asdict(visit))
    insert([row], ignore_conflicts=True)


@never_fails
def journey_reach(*, cart_id: UUID, step: Step, currency: str, country: str = "", visit: Visit) -> None:
    """A step was shown. Only the first time is stored; the cache saves the statement of later ones.

    `country`: of delivery, in two letters; "" if it is not known yet.
    """
    if not cache.add(f"journey:{cart_id}:{step}", 1, SEEN_SECONDS):
        return
    now = timezone.now()
    row = Journey(cart_id=cart_id, currency=currency, delivery_country=country, **asdict(visit))
    write_step(row, step, now)


@never_fails
def journey_place(
    *, cart_id: UUID | None, order_id: UUID, placed_at: datetime, currency: str, country: str, visit: Visit
) -> None:
    """The order was placed, from this cart or in one call without one."""
    row = Journey(
        cart_id=cart_id, order_id=order_id, currency=currency, delivery_country=country, **asdict(visit)
    )
    write_step(row, Step.PLACED, placed_at)


def write_step(row: Journey, step: Step, at: datetime) -> None:
    """Update the cart's journey unless it had reached the step before; insert `row` if there is none."""
    times = first_times(step, at)
    if row.cart_id and update_step(row, step, times):
        return
    for column, time in times.items():
        setattr(row, column, time)
    row.last_at = at
    if row.cart_id is None:
        insert([row])
        return
    insert([row], ignore_conflicts=True)
    update_step(row, step, times)  # if another request has inserted it since


def update_step(row: Journey, step: Step, times: dict[str, datetime]) -> bool:
    at = times[COLUMNS[step]]
    known: dict[str, Any] = {"currency": row.currency, "is_signed_in": row.is_signed_in}
    known |= {
        name: value for name in ("is_staff", "delivery_country", "order_id") if (value := getattr(row, name))
    }
    update = step_update(step, tuple(known))
    return bool(update(row.cart_id, at, at - QUIET, *known.values()))


@functools.cache
def step_update(step: Step, names: tuple[str, ...]) -> CompiledUpdate[Any]:
    """The update that sets these columns too. Compiled, because Django builds it in 1 ms, 3% of an order."""

    @compiled_update
    def update(
        cart_id: UUID, at: datetime, quiet_since: datetime, *values: Any
    ) -> tuple[QuerySet[Journey], dict[str, Any]]:
        times = {
            column: Coalesce(column, at, output_field=DateTimeField()) for column in first_times(step, at)
        }
        was_abandoned = Case(When(last_at__lt=quiet_since, then=True), default=F("was_abandoned"))
        others = {"was_abandoned": was_abandoned, "last_at": at, "abandoned_minor": None}
        found = Journey.objects.filter(cart_id=cart_id, **{f"{COLUMNS[step]}__isnull": True})
        return found, times | others | dict(zip(names, values, strict=True))

    return update


@never_fails
def journeys_merge(*, guest_cart_id: UUID, cart_id: UUID) -> None:
    """The guest's cart was merged into the cart of the account, so their journeys are one."""
    with transaction.atomic():
        found = {
            row.cart_id: row
            for row in Journey.objects.filter(cart_id__in=[guest_cart_id, cart_id])
            .select_for_update(no_key=True)
            .order_by("pk")
        }
        guest, own = found.get(guest_cart_id), found.get(cart_id)
        if guest is None or guest.placed_at:
            return
        if own is None:
            Journey.objects.filter(pk=guest.pk).update(cart_id=cart_id, is_signed_in=True)
            return
        columns = [*COLUMNS.values()]
        times = {name: [at for row in (guest, own) if (at := getattr(row, name))] for name in columns}
        earliest = {name: min(known) for name, known in times.items() if known}
        last_at = timezone.now()  # the figures of the days on which they began change now
        merged = {"last_at": last_at, "abandoned_minor": None, "is_signed_in": True}
        Journey.objects.filter(pk=own.pk).update(**earliest, **merged)
        Journey.objects.filter(pk=guest.pk).update(is_merged=True, last_at=last_at)
        changes_note(("journeys", own.started_at))  # it may have begun on an earlier day now


@never_fails
def journey_problems_add(
    *,
    step: Step,
    kind: ProblemKind,
    codes: Iterable[str],
    visit: Visit,
    cart_id: UUID | None = None,
    order_id: UUID | None = None,
) -> None:
    """`codes`: names of fields, or error codes. Without a journey, the problem is recorded alone."""
    now = timezone.now()
    key = {"order_id": order_id} if order_id else {"cart_id": cart_id}
    journey = Journey.objects.filter(**key).first() if cart_id or order_id else None
    known = dict.fromkeys(code if CODE.fullmatch(code) else OTHER for code in codes)
    rows = [
        JourneyProblem(
            journey=journey,
            channel=visit.channel,
            step=step,
            kind=kind,
            code=code,
            is_staff=visit.is_staff,
            at=now,
        )
        for code in [*known][:MAX_PROBLEMS]
    ]
    JourneyProblem.objects.bulk_create(rows)


def journeys_backfill(rows: Sequence[Journey]) -> None:
    """Add journeys of orders of which only the placing is known; of carts that have a journey, complete it."""
    carts = [row.cart_id for row in rows if row.cart_id]
    begun = dict(Journey.objects.filter(cart_id__in=carts).values_list("cart_id", "started_at"))
    Journey.objects.bulk_create([row for row in rows if row.cart_id not in begun], ignore_conflicts=True)
    for row in rows:
        if row.cart_id in begun and row.placed_at:
            with transaction.atomic():
                update_step(row, Step.PLACED, first_times(Step.PLACED, row.placed_at))
                changes_note(("journeys", begun[row.cart_id]))
