"""Holding back artisans' money, by staff, for disputes and as a reserve.

A hold is a fact of the ledger: while it lasts, its amount is on the artisan's held account. Locks: order, artisan.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.access import workshops_of
from artisans.catalog.models import Artisan
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.earnings.errors import HoldAboveBalance, HoldEnded, HoldNotByStaff, HoldRepeated, NoPermission
from artisans.earnings.models import BY_STAFF, Hold, HoldReason
from artisans.earnings.selectors import available_minor
from artisans.ledger.accounts import AccountKey, AccountKind, transfer
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import Fact, difference, fact_book
from orders.errors import OwnMoney
from orders.models import Order
from orders.selectors import is_own_order
from payments.bookkeeping.second_person import check_second_person
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
    """Insert a hold, book and audit it. The caller holds the artisan's lock and has checked the amount."""
    hold.save(force_insert=True)
    fact_book(hold_fact(hold), is_new=True)
    data = {"amount": str(hold.amount), "reason": str(hold.reason), "stops_releases": hold.stops_releases}
    audit_record(actor=hold.made_by, action=Action.HOLD_PLACE, target=hold, data=data)
    return hold


def hold_finish(hold: Hold, *, by: User | None = None) -> None:
    """End a hold, book and audit it. The caller holds the artisan's lock."""
    hold.released_at, hold.ended_by = timezone.now(), by
    hold.save(update_fields=["released_at", "ended_by", "updated_at"])
    fact_book(hold_fact(hold))
    audit_record(actor=by, action=Action.HOLD_END, target=hold, data={"amount": str(hold.amount)})


# ---- by staff --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """What staff want to hold back of an artisan: an amount of what is available (0 for none), pending earnings
    (`stops_releases`), or both. `order`: if it is about one order. `note`: why, for the artisan. `id`: that of the
    hold, so that the same request sent twice makes one."""

    amount: Money
    reason: HoldReason
    note: str
    order: Order | None = None
    until: datetime | None = None
    stops_releases: bool = False
    id: UUID = field(default_factory=uuid4)

    def row(self, artisan: Artisan, actor: User) -> Hold:
        return Hold(
            id=self.id,
            artisan=artisan,
            currency=self.amount.currency,
            amount_minor=self.amount.minor,
            reason=self.reason,
            note=self.note.strip()[:300],
            order=self.order,
            until=self.until,
            stops_releases=self.stops_releases,
            made_by=actor,
        )


@transaction.atomic
def hold_place(
    *, artisan_id: UUID, request: HoldRequest, actor: User, approved_by: User | None = None
) -> Hold:
    """Hold back money of an artisan.

    Errors: NoPermission, OwnMoney, OwnOrder, NotFound, InvalidInput, HoldRepeated, HoldAboveBalance,
    SecondPersonRequired.
    """
    check_staff(actor, artisan_id, request.order)
    check_request(request)
    artisan, amount, order = artisan_lock(artisan_id), request.amount, request.order
    if (known := get_or_none(Hold.objects.filter(pk=request.id))) is not None:
        return check_same(known, request.row(artisan, actor))
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
    held = None if request.stops_releases else amount + Money(before, amount.currency)
    check_second_person(held, actor=actor, approved_by=approved_by)
    return hold_make(request.row(artisan, actor))


def check_same(known: Hold, wanted: Hold) -> Hold:
    """The hold that the same request made before. Errors: HoldRepeated if it is another one."""
    columns = (
        "artisan_id",
        "currency",
        "amount_minor",
        "reason",
        "note",
        "order_id",
        "until",
        "stops_releases",
    )
    if any(getattr(known, name) != getattr(wanted, name) for name in columns):
        raise HoldRepeated
    return known


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
    check_second_person(None if hold.stops_releases else hold.amount, actor=actor, approved_by=approved_by)
    hold_finish(hold, by=actor)
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
    if artisan_id in workshops_of(actor):
        raise OwnMoney


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
