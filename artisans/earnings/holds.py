"""Holding back artisans' money, by staff, for disputes and as a reserve.

A hold is a fact of the ledger: while it lasts, its amount is on the artisan's held account. Locks: order, artisan.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.approvals.errors import SecondPersonRequired
from artisans.audit.services import Action, audit_record
from artisans.catalog.models import Artisan
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.earnings.errors import HoldAboveBalance, HoldEnded, HoldNotByStaff, NoPermission
from artisans.earnings.models import BY_STAFF, Hold, HoldReason
from artisans.earnings.selectors import available_minor
from artisans.ledger.accounts import AccountKey, AccountKind, transfer
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import Fact, difference, fact_book
from orders.errors import OwnMoney
from orders.models import Order
from orders.selectors import is_own_order, store_rules
from payments.errors import OwnOrder

PERMISSION = "earnings.change_holds"
CHUNK = 500


def artisan_lock(artisan_id: UUID) -> Artisan:
    """The artisan, locked until the transaction ends, so that no money is held twice. Errors: NotFound."""
    found = get_or_none(Artisan.objects.select_for_update(no_key=True).filter(pk=artisan_id))
    if found is None:
        raise NotFound(_("There is no such artisan."))
    return found


def hold_fact(hold: Hold) -> Fact:
    legs = transfer(
        hold.amount_minor,
        debit=AccountKey(AccountKind.SELLER_AVAILABLE, hold.currency, "", hold.artisan_id),
        credit=AccountKey(AccountKind.SELLER_HELD, hold.currency, "", hold.artisan_id),
    )
    return Fact(
        id=hold.pk,
        kind=EntryKind.HOLD if hold.is_active else EntryKind.HOLD_RELEASED,
        legs=legs if hold.is_active and hold.amount_minor else [],
        happened_at=hold.released_at or hold.created_at,
        order_id=hold.order_id,
    )


def hold_make(hold: Hold) -> Hold:
    """Insert a hold and book it. The caller holds the artisan's lock and has checked the amount."""
    hold.save(force_insert=True)
    fact_book(hold_fact(hold), is_new=True)
    return hold


def hold_finish(hold: Hold, *, by: User | None = None) -> None:
    """End a hold and book it. The caller holds the artisan's lock."""
    hold.released_at, hold.ended_by = timezone.now(), by
    hold.save(update_fields=["released_at", "ended_by", "updated_at"])
    fact_book(hold_fact(hold))


# ---- by staff --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """What staff want to hold back of an artisan: an amount of what is available (0 for none), pending earnings
    (`stops_releases`), or both. `order`: if it is about one order. `note`: why, for the artisan."""

    amount: Money
    reason: HoldReason
    note: str
    order: Order | None = None
    until: datetime | None = None
    stops_releases: bool = False


@transaction.atomic
def hold_place(
    *, artisan_id: UUID, request: HoldRequest, actor: User, approved_by: User | None = None
) -> Hold:
    """Hold back money of an artisan.

    Errors: NoPermission, OwnMoney, OwnOrder, NotFound, InvalidInput, HoldAboveBalance, SecondPersonRequired.
    """
    check_staff(actor, artisan_id, request.order)
    check_request(request)
    artisan, amount, order = artisan_lock(artisan_id), request.amount, request.order
    if order is not None and not order.parcels.filter(artisan=artisan).exists():
        raise InvalidInput(
            _("This artisan has no parcel in order %(number)s.") % {"number": order.order_number}
        )
    available = Money(available_minor(artisan_id, amount.currency), amount.currency)
    if amount and amount > available:
        raise HoldAboveBalance(max(available, Money(0, amount.currency)))
    before = Hold.objects.filter(
        artisan=artisan, currency=amount.currency, reason__in=BY_STAFF, released_at__isnull=True
    ).aggregate(sum=Sum("amount_minor", default=0))["sum"]
    check_second_person(
        amount + Money(before, amount.currency),
        stops_releases=request.stops_releases,
        actor=actor,
        approved_by=approved_by,
    )
    hold = hold_make(
        Hold(
            artisan=artisan,
            currency=amount.currency,
            amount_minor=amount.minor,
            reason=request.reason,
            note=request.note.strip()[:300],
            order=order,
            until=request.until,
            stops_releases=request.stops_releases,
            made_by=actor,
        )
    )
    facts = {
        "amount": str(amount),
        "reason": str(request.reason),
        "stops_releases": request.stops_releases,
    }
    audit_record(actor=actor, action=Action.HOLD_PLACE, target=hold, data=facts)
    return hold


def check_request(request: HoldRequest) -> None:
    """Errors: InvalidInput."""
    if request.reason not in BY_STAFF:
        raise InvalidInput(_("Holds for disputes and reserves are made automatically."))
    if not request.note.strip():
        raise InvalidInput(_("Enter why the money is held back; the artisan reads it."))
    if request.amount.minor < 0 or not (request.amount or request.stops_releases):
        raise InvalidInput(_("Enter an amount, or stop releases."))
    if request.until is not None and request.until <= timezone.now():
        raise InvalidInput(_("The hold must end in the future."))


@transaction.atomic
def hold_end(*, hold_id: UUID, actor: User, approved_by: User | None = None) -> Hold:
    """Make the money of a hold available again.

    Errors: NotFound, NoPermission, OwnMoney, OwnOrder, HoldEnded, HoldNotByStaff, SecondPersonRequired.
    """
    hold = hold_lock(hold_id)
    check_staff(actor, hold.artisan_id, hold.order)
    if not hold.is_active:
        raise HoldEnded
    if hold.reason == HoldReason.DISPUTE:
        raise HoldNotByStaff
    check_second_person(hold.amount, stops_releases=hold.stops_releases, actor=actor, approved_by=approved_by)
    hold_finish(hold, by=actor)
    audit_record(actor=actor, action=Action.HOLD_END, target=hold, data={"amount": str(hold.amount)})
    return hold


def hold_lock(hold_id: UUID) -> Hold:
    """The hold, after locking its artisan. Errors: NotFound."""
    artisan_id = Hold.objects.filter(pk=hold_id).values_list("artisan_id", flat=True).first()
    if artisan_id is None:
        raise NotFound(_("There is no such hold."))
    artisan_lock(artisan_id)
    return Hold.objects.select_related("artisan", "order").get(pk=hold_id)


def check_staff(actor: User, artisan_id: UUID, order: Order | None) -> None:
    """Whether they may decide about this artisan's money, and about the order that it is for.

    Errors: NoPermission, OwnMoney, OwnOrder.
    """
    if not (actor.is_staff and actor.has_perm(PERMISSION)):
        raise NoPermission
    check_not_own(actor, artisan_id)
    if order is not None and is_own_order(order, actor):
        raise OwnOrder


def check_not_own(actor: User, artisan_id: UUID) -> None:
    """Errors: OwnMoney."""
    if Artisan.objects.filter(pk=artisan_id, user=actor).exists():
        raise OwnMoney


def check_second_person(
    amount: Money, *, stops_releases: bool = False, actor: User, approved_by: User | None
) -> None:
    """A limit in another currency cannot be compared, so every amount counts as above it, as does everything that is
    not released. Errors: SecondPersonRequired."""
    limit = store_rules().second_person_above
    if limit is None:
        return
    is_above = stops_releases or amount.currency != limit.currency or amount > limit
    if is_above and (approved_by is None or approved_by.pk == actor.pk):
        raise SecondPersonRequired


# ---- by time ---------------------------------------------------------------------------------------------------


def holds_due_to_end() -> Iterator[UUID]:
    due = Hold.objects.filter(released_at__isnull=True, until__lte=timezone.now()).order_by("until")
    yield from due.values_list("pk", flat=True)[:CHUNK]


@transaction.atomic
def hold_expire(hold_id: UUID) -> bool:
    """End a hold whose time is over; False if it has ended, or lasts longer, by now."""
    hold = hold_lock(hold_id)
    if not hold.is_active or hold.until is None or hold.until > timezone.now():
        return False
    hold_finish(hold)
    audit_record(actor=None, action=Action.HOLD_END, target=hold, data={"amount": str(hold.amount)})
    return True


# ---- the ledger ------------------------------------------------------------------------------------------------


def differing(holds: Iterable[Hold]) -> list[Fact]:
    """Facts of these holds whose postings differ from what they require."""
    facts = [hold_fact(hold) for hold in holds]
    booked = legs_by_entry(fact.id for fact in facts)
    return [fact for fact in facts if difference(fact.legs, legs_of(booked[fact.id]))]


def unbooked_holds() -> Iterator[Fact]:
    """All holds that differ from the ledger. One that changes meanwhile is read again under its lock."""
    last = None
    while chunk := list(after(last)[:CHUNK]):
        for fact in differing(chunk):
            with transaction.atomic():
                found = differing([hold_lock(fact.id)])
            yield from found
        last = chunk[-1].pk


def after(last: UUID | None) -> QuerySet[Hold]:
    return Hold.objects.filter(Q(pk__gt=last) if last else Q()).order_by("pk")


@transaction.atomic
def hold_book(hold_id: UUID) -> LedgerEntry | None:
    """Book what is missing in the ledger for a hold."""
    return fact_book(hold_fact(hold_lock(hold_id)))
