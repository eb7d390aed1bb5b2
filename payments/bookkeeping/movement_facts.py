"""What movements of our balance at a provider require in the ledger, with conversions and exchange differences.

A balance may be in another currency than the payment. What a refund or a lost dispute then costs differs from what the
payment brought: the rate has changed, and providers keep a margin. The difference is realised in proportion to what was
given back, so that a payment that is given back in full leaves nothing on the account of exchanged currencies.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from artisans.core.money import half_up
from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import Fact, difference, fact_book
from payments.models import Explanation, ProviderMovement
from payments.providers.contract import MovementKind
from payments.statuses import DisputeStatus

IS_EXCHANGE = Q(kind=MovementKind.CONVERSION) | Q(charged_minor__isnull=False)


def movement_fact(row: ProviderMovement, *, loss: int = 0, kind: EntryKind | None = None) -> Fact:
    """`loss`: the exchange difference that it realises; negative for a gain. `kind`: that of a movement if None."""
    return Fact(
        id=row.pk,
        kind=kind or entry_kind(row),
        legs=movement_legs(row) + difference_legs(row.currency, loss),
        happened_at=row.occurred_at,
        order_id=row.payment.order_id if row.payment else None,
    )


def entry_kind(row: ProviderMovement) -> EntryKind:
    if row.exchanged:
        return EntryKind.CONVERSION
    if row.explained_by == Explanation.DISPUTE and row.gross_minor:
        return EntryKind.DISPUTE_TAKEN if row.gross_minor < 0 else EntryKind.DISPUTE_BACK
    return EntryKind.WITHDRAWAL if row.kind == MovementKind.WITHDRAWAL else EntryKind.PROVIDER_FEE


def movement_legs(row: ProviderMovement) -> list[Leg]:
    """None for a movement that nothing explains, or whose part in its payment's currency is unknown: these are
    findings."""
    if not row.explained_by or is_in_unknown_currency(row):
        return []

    def account(kind: AccountKind, currency: str) -> AccountKey:
        return AccountKey(kind, currency, row.provider)

    is_of_dispute = row.explained_by == Explanation.DISPUTE or row.kind == MovementKind.DISPUTE_FEE
    fee_kind = AccountKind.DISPUTE_FEE if is_of_dispute else AccountKind.PROVIDER_FEE
    from_kind = AccountKind.DISPUTED if is_of_dispute else AccountKind.BANK_TRANSIT
    moved = row.charged or row.gross
    if row.explained_by in {Explanation.CAPTURE, Explanation.REFUND} or row.kind == MovementKind.CONVERSION:
        moved -= moved  # booked with the capture or refund, or only exchanged
    legs = [
        Leg(account(fee_kind, row.currency), row.fee_minor),
        Leg(account(AccountKind.PROVIDER, row.currency), -row.fee_minor),
        Leg(account(from_kind, moved.currency), -moved.minor),
        Leg(account(AccountKind.PROVIDER, moved.currency), moved.minor),
        *exchange_legs(row),
    ]
    return merged(legs)


def is_in_unknown_currency(row: ProviderMovement) -> bool:
    known = {row.currency, row.charged_currency}
    return (
        row.payment is not None and row.kind != MovementKind.CONVERSION and row.payment.currency not in known
    )


def merged(legs: Iterable[Leg]) -> list[Leg]:
    """One leg for each account."""
    return difference(legs, [])


# ---- conversions -----------------------------------------------------------------------------------------------------


def exchange_rows(payments: Iterable[UUID | None]) -> QuerySet[ProviderMovement]:
    """The movements of these payments that were converted, or convert."""
    rows = ProviderMovement.objects.filter(IS_EXCHANGE, payment__in=payments)
    return rows.select_related("payment", "dispute")


def exchange_legs(row: ProviderMovement) -> list[Leg]:
    """What a conversion moves between our balances at the provider."""
    return [
        leg
        for part in row.exchanged
        for leg in (
            Leg(AccountKey(AccountKind.PROVIDER, part.currency, row.provider), part.minor),
            Leg(AccountKey(AccountKind.FX_POSITION, part.currency), -part.minor),
        )
    ]


def difference_legs(currency: str, loss: int) -> list[Leg]:
    """`loss`: negative for a gain."""
    position, result = AccountKey(AccountKind.FX_POSITION, currency), AccountKey(AccountKind.FX, currency)
    return [Leg(result, loss), Leg(position, -loss)] if loss else []


def find_losses(rows: Iterable[ProviderMovement]) -> dict[UUID, int]:
    """The loss that each movement realises, in minor units of its currency, of all rows of some payments."""
    by_payment = defaultdict[Any, list[ProviderMovement]](list)
    for row in rows:
        by_payment[row.payment].append(row)
    return {
        key: loss
        for payment, found in by_payment.items()
        for key, loss in losses_of(payment.currency, found).items()
    }


def losses_of(currency: str, rows: Sequence[ProviderMovement]) -> dict[UUID, int]:
    """Of one payment in `currency`: what was given back, less its part of what the payment brought, cumulative.

    A payment that was settled in several currencies realises nothing: what its parts brought is not comparable.
    """
    if len({part.currency for row in rows for part in row.exchanged} - {currency}) != 1:
        return {}
    brought: Counter[bool] = Counter()  # by whether it is in the payment's currency
    for row in rows:
        if row.explained_by == Explanation.CAPTURE:
            brought.update(sides(row, currency))
    charged, received = -brought[True], brought[False]
    if charged <= 0 or received <= 0:
        return {}
    losses: dict[UUID, int] = {}
    back: Counter[bool] = Counter()
    for row in sorted(rows, key=lambda row: (row.occurred_at, row.currency != currency, row.pk)):
        if row.explained_by == Explanation.CAPTURE or not is_given_back(row, rows):
            continue
        back.update(sides(row, currency))
        if row.currency != currency:
            share = half_up(received * max(0, back[True]), charged)
            losses[row.pk] = -back[False] - share - sum(losses.values())
    return losses


def sides(row: ProviderMovement, currency: str) -> dict[bool, int]:
    return {part.currency == currency: part.minor for part in row.exchanged}


def is_given_back(row: ProviderMovement, rows: Iterable[ProviderMovement]) -> bool:
    """A dispute counts once it is lost, or once the provider has returned what it took for it."""
    if row.dispute is None or row.dispute.status == DisputeStatus.LOST:
        return True
    about = [part for other in rows if other.dispute_id == row.dispute_id for part in other.exchanged]
    return row.payment is not None and not sum(
        part.minor for part in about if part.currency == row.payment.currency
    )


def conversions_book(payments: Collection[UUID | None]) -> list[LedgerEntry]:
    """Book what these payments' conversions and the differences that they realise require. The caller holds the
    payments' locks. One query if nothing was converted."""
    if not (rows := list(exchange_rows(payments))):
        return []
    losses, booked = find_losses(rows), legs_by_entry(row.pk for row in rows)
    entries = []
    for row in rows:
        legs, loss = legs_of(booked[row.pk]), losses.get(row.pk, 0)
        so_far = sum(leg.minor for leg in legs if leg.account.kind == AccountKind.FX)
        entries.append(fact_book(movement_fact(row, loss=so_far), booked=booked[row.pk]))
        if loss != so_far:
            entries.append(fact_book(movement_fact(row, loss=loss, kind=EntryKind.FX_REALISED)))
    return [entry for entry in entries if entry is not None]
