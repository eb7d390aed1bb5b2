"""Movements of our balance at a provider: what explains them, and what they require in the ledger.

Captures and refunds are booked when they happen; their movements add the fee, and what artisans bear of it. Fees
of the account, disputes and withdrawals are booked from their movements alone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.transactions import atomic_with_retry
from artisans.ledger.models import LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import (
    FACT_SOURCES,
    Fact,
    FactSource,
    difference,
    fact_book,
    facts_book_new,
)
from orders.models import Order
from orders.selectors import orders_locked
from orders.statuses import FeeBearer
from payments.bookkeeping.earnings import order_earnings_book
from payments.bookkeeping.ledger import disputes_fact
from payments.bookkeeping.movement_facts import (
    conversions_book,
    exchange_rows,
    find_losses,
    movement_fact,
)
from payments.errors import AlreadyRecorded, NoPermission
from payments.models import Capture, Dispute, Explanation, Payment, PaymentRefund, ProviderMovement
from payments.providers.contract import MovementKind, RemoteMovement
from payments.selectors import payment_lock

CHUNK = 500
ACCOUNT_KINDS = frozenset({MovementKind.FEE, MovementKind.DISPUTE_FEE, MovementKind.WITHDRAWAL})


class Known(NamedTuple):
    """Our rows that movements may be about, by the provider's ids."""

    captures: dict[str, Capture]
    refunds: dict[str, PaymentRefund]
    disputes: dict[str, Dispute]
    disputes_of_captures: dict[str, Dispute]  # the latest one


class Reason(NamedTuple):
    explained_by: Explanation
    row: Capture | PaymentRefund | Dispute | None = None

    @property
    def columns(self) -> dict[str, object]:
        """As a movement stores it."""
        if self.row is None:
            return {"explained_by": self.explained_by}
        return {
            "explained_by": self.explained_by,
            "payment_id": self.row.payment_id,
            self.explained_by.value: self.row,
        }


UNEXPLAINED = Reason(Explanation.NONE)


# ---- explaining --------------------------------------------------------------------------------------------------


def read_known(provider: str, sources: Collection[str], captures: Collection[str]) -> Known:
    """Four queries, however many movements."""
    ids = {*sources, *captures}
    found = {
        row.provider_capture_id: row
        for row in Capture.objects.filter(provider=provider, provider_capture_id__in=ids)
    }
    refunds = PaymentRefund.objects.filter(payment__payment_provider=provider, provider_refund_id__in=sources)
    disputes = Dispute.objects.filter(provider=provider)
    capture_of = {row.payment_id: capture_id for capture_id, row in found.items() if capture_id in captures}
    return Known(
        found,
        {str(row.provider_refund_id): row for row in refunds},
        {row.provider_dispute_id: row for row in disputes.filter(provider_dispute_id__in=sources)},
        {
            capture_of[row.payment_id]: row
            for row in disputes.filter(payment__in=capture_of).order_by("created_at")
        },
    )


def explain_conversion(source_id: str, capture_id: str, known: Known) -> Reason:
    """`source_id`: what the conversion was made for."""
    if refund := known.refunds.get(source_id):
        return Reason(Explanation.REFUND, refund)
    if capture := known.captures.get(source_id):
        return Reason(Explanation.CAPTURE, capture)
    if dispute := known.disputes_of_captures.get(capture_id):
        return Reason(Explanation.DISPUTE, dispute)
    return Reason(Explanation.ACCOUNT)


def explain(
    kind: str, source_id: str, capture_id: str, known: Known, *, is_given_back: bool = False
) -> Reason:
    """`is_given_back`: the provider returns a fee with it, which is about the capture whose fee it was. Until the shop
    knows the capture that it names, nothing explains it: artisans may have borne the fee."""
    if kind == MovementKind.CONVERSION:
        return explain_conversion(source_id, capture_id, known)
    dispute = known.disputes.get(source_id) or known.disputes_of_captures.get(capture_id)
    refund = known.refunds.get(source_id)
    if kind == MovementKind.PAYMENT and source_id in known.captures:
        return Reason(Explanation.CAPTURE, known.captures[source_id])
    if kind == MovementKind.FEE and is_given_back and capture_id:
        capture = known.captures.get(capture_id)
        return Reason(Explanation.CAPTURE, capture) if capture else UNEXPLAINED
    if kind in {MovementKind.REFUND, MovementKind.REFUND_FAILED, MovementKind.REVERSAL} and refund:
        return Reason(Explanation.REFUND, refund)
    if kind in {MovementKind.DISPUTE, MovementKind.REVERSAL, MovementKind.DISPUTE_FEE} and dispute:
        return Reason(Explanation.DISPUTE, dispute)
    return Reason(Explanation.ACCOUNT) if kind in ACCOUNT_KINDS else UNEXPLAINED


def movements_record(
    provider: str, remotes: Sequence[RemoteMovement]
) -> list[tuple[ProviderMovement, RemoteMovement]]:
    """Store and book those that are new. Returns those that are stored with other values than they have now."""
    ids = {remote.movement_id: remote for remote in remotes}
    stored = ProviderMovement.objects.filter(provider=provider, external_id__in=list(ids))
    changed = [
        (row, remote) for row in stored if values_of(remote := ids.pop(row.external_id)) != values_stored(row)
    ]
    new = sorted(ids.values(), key=lambda row: row.occurred_at)
    known = read_known(provider, {row.source_id for row in new}, {row.capture_id for row in new} - {""})
    reasons = {
        row.movement_id: explain(
            row.kind, row.source_id, row.capture_id, known, is_given_back=row.fee.minor < 0
        )
        for row in new
    }
    while new:
        try:
            movements_add(provider, new, reasons)
            break
        except IntegrityError:  # other runs were first with some of them
            names = [row.movement_id for row in new]
            if not (added := set(stored_again(provider, names))):
                raise
            new = [row for row in new if row.movement_id not in added]
    return changed


def stored_again(provider: str, names: list[str]) -> QuerySet[ProviderMovement, str]:
    rows = ProviderMovement.objects.filter(provider=provider, external_id__in=names)
    return rows.values_list("external_id", flat=True)


def values_of(remote: RemoteMovement) -> tuple[object, ...]:
    return (remote.kind.value, remote.gross, remote.fee)


def values_stored(row: ProviderMovement) -> tuple[object, ...]:
    return (row.kind, row.gross, row.fee)


@atomic_with_retry
def movements_add(provider: str, remotes: Collection[RemoteMovement], reasons: Mapping[str, Reason]) -> None:
    """Store new ones and book them. `reasons`: by their ids. Locks: the orders and payments that they are about."""
    explained = (reasons[remote.movement_id].row for remote in remotes)
    payments = payments_lock({row.payment_id for row in explained if row})
    rows = [
        ProviderMovement(
            provider=provider,
            external_id=remote.movement_id,
            kind=remote.kind,
            code=remote.code,
            source_id=remote.source_id,
            provider_capture_id=remote.capture_id,
            currency=remote.gross.currency,
            gross_minor=remote.gross.minor,
            fee_minor=remote.fee.minor,
            net_minor=remote.net.minor,
            charged_minor=remote.charged.minor if remote.charged else None,
            charged_currency=remote.charged.currency if remote.charged else "",
            occurred_at=remote.occurred_at,
            available_on=remote.available_on,
            **reasons[remote.movement_id].columns,
        )
        for remote in remotes
    ]
    for row in rows:
        row.payment = payments.get(row.payment_id)
    ProviderMovement.objects.bulk_create(rows)
    facts_book_new(map(movement_fact, rows))
    for key in {row.payment_id for row in rows if row.explained_by == Explanation.DISPUTE}:
        fact_book(disputes_fact(payments[key]))
    if converted := {row.payment_id for row in rows if row.payment and row.exchanged}:
        conversions_book(converted)
    fees_share({row.payment_id for row in rows if changes_fee(row)})


def changes_fee(row: ProviderMovement) -> bool:
    """Whether it tells the fee of a payment, or gives a part of it back."""
    return row.explained_by == Explanation.CAPTURE or (
        row.explained_by == Explanation.REFUND and row.fee_minor != 0
    )


def fees_share(payments: Collection[UUID | None]) -> None:
    """Book what artisans bear of the fees of these payments, whose movements are stored. The caller holds the locks of
    their orders."""
    borne = Order.objects.filter(payments__in=payments, parcels__payment_fee_bearer=FeeBearer.ARTISAN)
    for order in borne.distinct():
        order_earnings_book(order, has_moved=False)


def payments_lock(keys: set[UUID]) -> dict[UUID | None, Payment]:
    """As `payment_lock`, for several."""
    orders = Payment.objects.filter(pk__in=keys).order_by().values("order")
    list(orders_locked().filter(pk__in=orders).order_by("pk"))
    locked = Payment.objects.select_for_update(of=("self",), no_key=True)
    return {payment.pk: payment for payment in locked.filter(pk__in=keys).order_by("pk")}


def movements_explain(provider: str) -> None:
    """Look again for what explains the others, which may have been reported after their movements."""
    rows = ProviderMovement.objects.filter(provider=provider, explained_by="").exclude(
        kind=MovementKind.UNKNOWN
    )
    for chunk in chunks(rows):
        known = read_known(
            provider, {row.source_id for row in chunk}, {row.provider_capture_id for row in chunk} - {""}
        )
        for row in chunk:
            reason = explain(
                row.kind,
                row.source_id,
                row.provider_capture_id,
                known,
                is_given_back=row.fee_minor < 0,
            )
            if reason.row is not None:
                movement_explain(row.pk, reason)


@atomic_with_retry
def movement_explain(movement_id: UUID, reason: Reason) -> None:
    assert reason.row is not None  # noqa: S101  # those of the account are explained from the start
    payment_lock(reason.row.payment_id)
    unexplained = ProviderMovement.objects.filter(pk=movement_id, explained_by="")
    if unexplained.update(**reason.columns, **OPEN):
        movement_book(ProviderMovement.objects.get(pk=movement_id))


# ---- findings that staff close -----------------------------------------------------------------------------------

OPEN: dict[str, Any] = {"closed_at": None, "closed_by": None, "close_reason": ""}
CLOSE = "payments.resolve_flag"


@transaction.atomic
def movement_close(*, movement_id: UUID, reason: str, actor: User) -> ProviderMovement:
    """Close an unexplained movement as not the shop's, so that no further run lists it.

    Errors: NoPermission, NotFound, InvalidInput without a reason, AlreadyRecorded.
    """
    row = movement_lock(movement_id, actor)
    if not reason.strip():
        raise InvalidInput(_("Enter whose movement it is, or how you know that it is not the shop’s."))
    if row.explained_by:
        raise AlreadyRecorded(_("The shop now knows what this movement belongs to. Reload the page."))
    if row.closed_at:
        raise AlreadyRecorded(_("%(actor)s has already closed this movement.") % {"actor": row.closed_by})
    row.closed_at, row.closed_by, row.close_reason = timezone.now(), actor, reason.strip()[:200]
    return movement_save_closing(row, Action.MOVEMENT_CLOSE, row.close_reason, actor)


@transaction.atomic
def movement_reopen(*, movement_id: UUID, reason: str, actor: User) -> ProviderMovement:
    """List a movement again that was closed. Errors: as of `movement_close`."""
    row = movement_lock(movement_id, actor)
    if not reason.strip():
        raise InvalidInput(_("Enter why it is reopened."))
    if not row.closed_at:
        raise AlreadyRecorded(_("This movement is not closed. Reload the page."))
    for column, value in OPEN.items():
        setattr(row, column, value)
    return movement_save_closing(row, Action.MOVEMENT_REOPEN, reason.strip()[:200], actor)


def movement_lock(movement_id: UUID, actor: User) -> ProviderMovement:
    """Errors: NoPermission, NotFound."""
    if not (actor.is_staff and actor.has_perm(CLOSE)):
        raise NoPermission
    row = get_or_none(ProviderMovement.objects.select_for_update(no_key=True).filter(pk=movement_id))
    if row is None:
        raise NotFound(_("Movement not found."))
    return row


def movement_save_closing(
    row: ProviderMovement, action: Action, reason: str, actor: User
) -> ProviderMovement:
    row.save(update_fields=[*OPEN, "updated_at"])
    data = {"movement": row.external_id, "amount": str(row.net), "reason": reason}
    audit_record(actor=actor, action=action, target=row, data=data)
    return row


def chunks(rows: QuerySet[ProviderMovement]) -> Iterator[list[ProviderMovement]]:
    """All rows in order of their keys."""
    chunk = list(rows.order_by("pk")[:CHUNK])
    while chunk:
        yield chunk
        if len(chunk) < CHUNK:
            return
        chunk = list(rows.order_by("pk").filter(pk__gt=chunk[-1].pk)[:CHUNK])


# ---- the ledger --------------------------------------------------------------------------------------------------


def movement_book(row: ProviderMovement) -> LedgerEntry | None:
    """The caller holds the lock of its payment, if it has one."""
    if row.payment and row.exchanged:
        entry = next(iter(conversions_book([row.payment_id])), None)
    else:
        entry = fact_book(movement_fact(row))
    if row.explained_by == Explanation.DISPUTE and row.payment:
        fact_book(disputes_fact(row.payment))
    if changes_fee(row):
        fees_share([row.payment_id])
    return entry


def movements_unbooked() -> Iterator[Fact]:
    """Facts whose postings differ from what they require. A movement that is explained meanwhile, or whose dispute is
    decided, is read again under its lock."""
    for chunk in chunks(ProviderMovement.objects.select_related("payment")):
        for suspect in differing(chunk):
            with transaction.atomic():
                found = differing([movement_read_locked(suspect.id)])
            yield from found


def differing(rows: Collection[ProviderMovement]) -> list[Fact]:
    losses = find_losses(exchange_rows({row.payment_id for row in rows if row.exchanged}))
    facts = [movement_fact(row, loss=losses.get(row.pk, 0)) for row in rows]
    booked = legs_by_entry(fact.id for fact in facts)
    return [fact for fact in facts if difference(fact.legs, legs_of(booked[fact.id]))]


def movement_read_locked(movement_id: UUID) -> ProviderMovement:
    """The movement, after locking its payment, or itself if it has none.

    One that is explained while its lock is awaited has a payment then. Its payment can be locked after it: nobody
    who has locked a payment waits for a movement that is explained.
    """
    rows = ProviderMovement.objects.select_related("payment")
    row = rows.get(pk=movement_id)
    if row.payment_id is None:
        row = rows.select_for_update(of=("self",), no_key=True).get(pk=movement_id)
    if row.payment_id is not None:
        payment_lock(row.payment_id)
        row = rows.get(pk=movement_id)
    return row


@transaction.atomic
def movement_book_again(movement_id: UUID) -> LedgerEntry | None:
    return movement_book(movement_read_locked(movement_id))


# imported by the tasks, which every process imports
FACT_SOURCES.append(
    FactSource(rows=ProviderMovement.objects.all, unbooked=movements_unbooked, book=movement_book_again)
)
