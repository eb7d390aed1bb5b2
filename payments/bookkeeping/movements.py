"""Movements of our balance at a provider: what explains them, and what they require in the ledger.

Captures and refunds are booked when they happen; their movements add the fee. Fees of the account, disputes and
withdrawals are booked from their movements alone.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import FACT_SOURCES, Fact, FactSource, difference, fact_book
from payments.bookkeeping.ledger import disputes_fact
from payments.models import Capture, Dispute, Explanation, PaymentRefund, ProviderMovement
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


def explain(kind: str, source_id: str, capture_id: str, known: Known) -> Reason:
    dispute = known.disputes.get(source_id) or known.disputes_of_captures.get(capture_id)
    refund = known.refunds.get(source_id)
    if kind == MovementKind.PAYMENT and source_id in known.captures:
        return Reason(Explanation.CAPTURE, known.captures[source_id])
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
    stored = ProviderMovement.objects.filter(provider=provider, external_id__in=ids)
    changed = [
        (row, remote) for row in stored if values_of(remote := ids.pop(row.external_id)) != values_stored(row)
    ]
    known = read_known(
        provider, {row.source_id for row in ids.values()}, {row.capture_id for row in ids.values()} - {""}
    )
    for remote in sorted(ids.values(), key=lambda row: row.occurred_at):
        try:
            movement_add(provider, remote, explain(remote.kind, remote.source_id, remote.capture_id, known))
        except IntegrityError:  # another run was first
            if not ProviderMovement.objects.filter(
                provider=provider, external_id=remote.movement_id
            ).exists():
                raise
    return changed


def values_of(remote: RemoteMovement) -> tuple[object, ...]:
    return (remote.kind.value, remote.gross, remote.fee)


def values_stored(row: ProviderMovement) -> tuple[object, ...]:
    return (row.kind, row.gross, row.fee)


@transaction.atomic
def movement_add(provider: str, remote: RemoteMovement, reason: Reason) -> ProviderMovement:
    if reason.row is not None:
        payment_lock(reason.row.payment_id)
    row = ProviderMovement.objects.create(
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
        occurred_at=remote.occurred_at,
        available_on=remote.available_on,
        **reason.columns,
    )
    movement_book(row, is_new=True)
    return row


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
            reason = explain(row.kind, row.source_id, row.provider_capture_id, known)
            if reason.row is not None:
                movement_explain(row.pk, reason)


@transaction.atomic
def movement_explain(movement_id: UUID, reason: Reason) -> None:
    assert reason.row is not None  # noqa: S101  # those of the account are explained from the start
    payment_lock(reason.row.payment_id)
    unexplained = ProviderMovement.objects.filter(pk=movement_id, explained_by="")
    if unexplained.update(**reason.columns):
        movement_book(ProviderMovement.objects.get(pk=movement_id))


def chunks(rows: QuerySet[ProviderMovement]) -> Iterator[list[ProviderMovement]]:
    """All rows in order of their keys."""
    chunk = list(rows.order_by("pk")[:CHUNK])
    while chunk:
        yield chunk
        chunk = list(rows.order_by("pk").filter(pk__gt=chunk[-1].pk)[:CHUNK])


# ---- the ledger --------------------------------------------------------------------------------------------------


def movement_fact(row: ProviderMovement) -> Fact:
    return Fact(
        id=row.pk,
        kind=entry_kind(row),
        legs=movement_legs(row),
        happened_at=row.occurred_at,
        order_id=row.payment.order_id if row.payment else None,
    )


def entry_kind(row: ProviderMovement) -> EntryKind:
    if row.explained_by == Explanation.DISPUTE and row.gross_minor:
        return EntryKind.DISPUTE_TAKEN if row.gross_minor < 0 else EntryKind.DISPUTE_BACK
    return EntryKind.WITHDRAWAL if row.kind == MovementKind.WITHDRAWAL else EntryKind.PROVIDER_FEE


def movement_legs(row: ProviderMovement) -> list[Leg]:
    """None for a movement that nothing explains, or in another currency than its payment: these are findings."""
    if not row.explained_by or (row.payment and row.payment.currency != row.currency):
        return []

    def account(kind: AccountKind) -> AccountKey:
        return AccountKey(kind, row.currency, row.provider)

    is_of_dispute = row.explained_by == Explanation.DISPUTE or row.kind == MovementKind.DISPUTE_FEE
    fee_kind = AccountKind.DISPUTE_FEE if is_of_dispute else AccountKind.PROVIDER_FEE
    moved = row.gross_minor
    if row.explained_by in {Explanation.CAPTURE, Explanation.REFUND}:
        moved = 0  # booked with the capture or refund
    from_kind = AccountKind.DISPUTED if is_of_dispute else AccountKind.BANK_TRANSIT
    legs = [
        Leg(account(fee_kind), row.fee_minor),
        Leg(account(from_kind), -moved),
        Leg(account(AccountKind.PROVIDER), moved - row.fee_minor),
    ]
    return [leg for leg in legs if leg.minor]


def movement_book(row: ProviderMovement, *, is_new: bool = False) -> LedgerEntry | None:
    """The caller holds the lock of its payment, if it has one."""
    entry = fact_book(movement_fact(row), is_new=is_new)
    if row.explained_by == Explanation.DISPUTE and row.payment:
        fact_book(disputes_fact(row.payment))
    return entry


def movements_unbooked() -> Iterator[Fact]:
    """Facts whose postings differ from what they require."""
    for chunk in chunks(ProviderMovement.objects.select_related("payment")):
        booked = legs_by_entry(row.pk for row in chunk)
        facts = map(movement_fact, chunk)
        yield from (fact for fact in facts if difference(fact.legs, legs_of(booked[fact.id])))


@transaction.atomic
def movement_book_again(movement_id: UUID) -> LedgerEntry | None:
    row = ProviderMovement.objects.get(pk=movement_id)
    if row.payment_id:
        payment_lock(row.payment_id)
    else:
        ProviderMovement.objects.select_for_update().get(pk=movement_id)
    return movement_book(ProviderMovement.objects.select_related("payment").get(pk=movement_id))


# imported by the tasks, which every process imports
FACT_SOURCES.append(
    FactSource(rows=ProviderMovement.objects.all, unbooked=movements_unbooked, book=movement_book_again)
)
