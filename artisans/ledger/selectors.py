"""Balances, and what is wrong with the ledger itself."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import BigIntegerField, OuterRef, Prefetch, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from artisans.core.compiled import compiled
from artisans.core.money import Money
from artisans.ledger.accounts import SCOPE_NAMES, AccountKey, AccountKind, Leg
from artisans.ledger.models import LedgerAccount, LedgerCheckpoint, LedgerEntry, LedgerPeriod, LedgerPosting


class Balance(NamedTuple):
    """`amount`: positive for a debit balance, negative for a credit balance."""

    account: LedgerAccount
    amount: Money

    @property
    def on_account(self) -> Money:
        """Positive on the side that increases the account."""
        return self.account.on_account(self.amount.minor)


def balance_minor(account_id: int, *, up_to: int | None = None) -> int:
    """An account's balance now, or after the posting `up_to`: the latest checkpoint, and the postings since."""
    checkpoints = LedgerCheckpoint.objects.filter(account=account_id).order_by("-last_posting")
    postings = LedgerPosting.objects.filter(account=account_id)
    if up_to is not None:
        checkpoints = checkpoints.filter(last_posting__lte=up_to)
        postings = postings.filter(id__lte=up_to)
    latest = checkpoints.first()
    since = postings.filter(id__gt=latest.last_posting if latest else 0)
    later = since.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return int(later + (latest.balance_minor if latest else 0))


def accounts_with_balances() -> QuerySet[LedgerAccount]:
    """Accounts with their balance now as `balance_minor`, which is computed only for the rows that are read."""
    checkpoints = LedgerCheckpoint.objects.order_by("-last_posting")
    last = checkpoints.filter(account=OuterRef(OuterRef("pk"))).values("last_posting")[:1]
    since = LedgerPosting.objects.filter(
        account=OuterRef("pk"), id__gt=Coalesce(Subquery(last), 0)
    ).order_by()
    sums = since.values("account").annotate(sum=Sum("amount_minor")).values("sum")
    checked = checkpoints.filter(account=OuterRef("pk")).values("balance_minor")[:1]
    balance = Coalesce(Subquery(checked), 0) + Coalesce(Subquery(sums), 0)
    return LedgerAccount.objects.annotate(balance_minor=balance).select_related("artisan")


def balances(on: date | None = None) -> list[Balance]:
    """The balances of all accounts that have postings: now, or at the end of a day."""
    if on is not None:
        return balances_from(sums_of(LedgerPosting.objects.filter(entry__booked_on__lte=on)))
    sums = sums_now()
    return [balance_of(row, sums) for row in all_accounts() if row.pk in sums]


@compiled
def all_accounts() -> QuerySet[LedgerAccount]:
    return LedgerAccount.objects.select_related("artisan")


def balance_of(account: LedgerAccount, sums: Mapping[int, int]) -> Balance:
    return Balance(account, Money.stored(sums[account.pk], account.currency))


def balances_from(sums: Mapping[int, int]) -> list[Balance]:
    """From minor units by account."""
    accounts = LedgerAccount.objects.filter(pk__in=sums).select_related("artisan")
    return [balance_of(row, sums) for row in accounts]


def sums_now() -> Counter[int]:
    """By account: the checkpoints of the last closed month, and the postings since."""
    checkpoints = last_checkpoints()
    if not checkpoints:
        return Counter(dict(sums_of_all()))
    sums = Counter({row.account_id: row.balance_minor for row in checkpoints})
    for account, minor in sums_of(LedgerPosting.objects.filter(id__gt=checkpoints[0].last_posting)).items():
        sums[account] += minor
    return sums


@compiled
def last_checkpoints() -> QuerySet[LedgerCheckpoint]:
    return LedgerCheckpoint.objects.filter(period=LedgerPeriod.objects.order_by("-last_day")[:1])


@compiled
def sums_of_all() -> QuerySet[LedgerPosting, tuple[int, int]]:
    return LedgerPosting.objects.order_by().values_list("account").annotate(Sum("amount_minor"))


def sums_of(postings: QuerySet[LedgerPosting]) -> Counter[int]:
    return Counter(dict(postings.order_by().values_list("account").annotate(Sum("amount_minor"))))


def trial_balance(last_day: date) -> list[dict[str, Any]]:
    """The balances at the end of a day, as a closed month keeps them."""
    return [
        {
            "account": account.pk,
            "kind": account.kind,
            "scope": account.scope,
            "artisan": str(account.artisan_id) if account.artisan_id else None,
            "currency": account.currency,
            "balance_minor": amount.minor,
        }
        for account, amount in balances(on=last_day)
    ]


# ---- lines of an account ---------------------------------------------------------------------------------------


class AccountLine(NamedTuple):
    """A posting, and the balance after it; both positive on the side that increases the account."""

    posting: LedgerPosting
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Newest first. `older` and `newer` are the postings before and after which the next pages begin."""

    lines: list[AccountLine]
    older: int | None
    newer: int | None


def with_start(
    rows: QuerySet[LedgerPosting], account: LedgerAccount | None, *, below: int | None = None
) -> QuerySet[LedgerPosting]:
    """The postings with `start`: the account's balance over the postings before `below`, or over all.

    It starts from a checkpoint. One statement reads both, because a posting that is committed between two would make
    them differ.
    """
    if account is None:
        return rows
    checkpoints = LedgerCheckpoint.objects.filter(account=account).order_by("-last_posting")
    if below is not None:
        checkpoints = checkpoints.filter(last_posting__lt=below)
    latest = checkpoints.first()
    since = LedgerPosting.objects.filter(account=account, id__gt=latest.last_posting if latest else 0)
    if below is not None:
        since = since.filter(id__lt=below)
    later = Subquery(since.order_by().values("account").annotate(sum=Sum("amount_minor")).values("sum"))
    known = Value(latest.balance_minor if latest else 0, BigIntegerField())
    return rows.annotate(start=Coalesce(later, Value(0), output_field=BigIntegerField()) + known)


def lines_from(
    account: LedgerAccount, rows: Sequence[LedgerPosting], *, is_ascending: bool
) -> list[AccountLine]:
    """Neighbouring postings of `with_start` as lines. `start` of the first is the balance before them if they are
    sorted oldest first, and the one after them if newest first."""
    found, balance = [], rows[0].start if rows else 0  # type: ignore[attr-defined]
    for row in rows:
        if is_ascending:
            balance += row.amount_minor
        found.append(AccountLine(row, account.on_account(row.amount_minor), account.on_account(balance)))
        if not is_ascending:
            balance -= row.amount_minor
    return found


def account_page(
    account: LedgerAccount, *, before: int | None = None, after: int | None = None, size: int = 50
) -> AccountPage:
    """A page of an account's postings with its running balance, in the order in which they were booked.

    It costs the same on every page.
    """
    postings, is_ascending = LedgerPosting.objects.filter(account=account.pk), after is not None
    if after is not None:
        rows = with_start(postings.filter(id__gt=after).order_by("id"), account, below=after + 1)
    else:
        older = postings if before is None else postings.filter(id__lt=before)
        rows = with_start(older.order_by("-id"), account, below=before)
    found = list(rows[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if not found:  # a page before the first posting or after the last leads nowhere
        return AccountPage([], None, None)
    lines = lines_from(account, found, is_ascending=is_ascending)
    if is_ascending:
        has_older = is_any(postings.filter(id__lt=found[0].pk).order_by("-id"))
        return AccountPage(
            lines[::-1], found[0].pk if has_older else None, found[-1].pk if has_more else None
        )
    has_newer = before is not None and is_any(postings.filter(id__gte=before).order_by("id"))
    return AccountPage(lines, found[-1].pk if has_more else None, found[0].pk if has_newer else None)


def is_any(ordered: QuerySet[LedgerPosting]) -> bool:
    """`exists` drops the order, and PostgreSQL may then read the whole table instead of the index."""
    return bool(ordered.values_list("id")[:1])


# ---- trial balance ---------------------------------------------------------------------------------------------


class TrialRow(NamedTuple):
    """Accounts of one kind, scope and currency. Those of artisans are one row."""

    kind: AccountKind
    scope: str
    currency: str
    minor: int
    accounts: int

    @property
    def name(self) -> str:
        scope = SCOPE_NAMES.get(self.scope, self.scope)
        return " · ".join(filter(None, (str(self.kind.label), scope, self.currency)))

    @property
    def debit(self) -> Money | None:
        return Money.stored(self.minor, self.currency) if self.minor > 0 else None

    @property
    def credit(self) -> Money | None:
        return Money.stored(-self.minor, self.currency) if self.minor < 0 else None


def balances_at_end_of(day: date) -> list[Balance]:
    """As `balances(on=day)`, from the trial balance of the last month that was closed by then."""
    return balances_from(sums_at_end_of(day))


def sums_at_end_of(day: date, accounts: Collection[int] | None = None) -> Counter[int]:
    """By account: of all that have postings, or of these."""
    period = LedgerPeriod.objects.filter(last_day__lte=day).order_by("-last_day").first()
    postings = LedgerPosting.objects.filter(entry__booked_on__lte=day)
    if accounts is not None:
        postings = postings.filter(account__in=accounts)
    sums: Counter[int] = Counter()
    if period is not None:
        sums.update({row["account"]: row["balance_minor"] for row in period.trial_balance})
        postings = postings.filter(entry__booked_on__gte=period.open_from)
        if period.first_open_posting:  # otherwise PostgreSQL may read the postings of all years
            postings = postings.filter(id__gte=period.first_open_posting)
    for account, minor in sums_of(postings).items():
        sums[account] += minor
    return sums


def trial_rows(found: Iterable[Balance]) -> list[TrialRow]:
    """By currency, then in the order of the chart of accounts."""
    sums: Counter[tuple[str, str, str]] = Counter()
    counts: Counter[tuple[str, str, str]] = Counter()
    for account, amount in found:
        key = (account.currency, account.kind, account.scope)
        sums[key] += amount.minor
        counts[key] += 1
    order = list(AccountKind.values)
    rows = [
        TrialRow(
            AccountKind(kind), scope, currency, sums[currency, kind, scope], counts[currency, kind, scope]
        )
        for currency, kind, scope in counts
    ]
    return sorted(rows, key=lambda row: (row.currency, order.index(row.kind), row.scope))


class TrialTotal(NamedTuple):
    """The sums of one currency's debit and credit balances, which are equal."""

    debit: Money
    credit: Money


def trial_totals(rows: Iterable[TrialRow]) -> list[TrialTotal]:
    sides: dict[str, list[int]] = {}
    for row in rows:
        side = sides.setdefault(row.currency, [0, 0])
        side[row.minor < 0] += abs(row.minor)
    return [
        TrialTotal(Money.stored(debit, currency), Money.stored(credit, currency))
        for currency, (debit, credit) in sorted(sides.items())
    ]


# ---- orders and facts ------------------------------------------------------------------------------------------


# For entries: in one statement, while Django would take one for each of the three tables.
POSTINGS = Prefetch("postings", LedgerPosting.objects.select_related("account__artisan"))


def entries_of_order(order_id: UUID) -> QuerySet[LedgerEntry]:
    """Oldest first, with their postings and accounts."""
    entries = LedgerEntry.objects.filter(order_id=order_id).order_by("happened_at", "key")
    return entries.prefetch_related(POSTINGS)


def balances_of_order(order_id: UUID) -> list[Balance]:
    """What the order's entries add up to on each account."""
    return balances_from(sums_of(LedgerPosting.objects.filter(entry__order_id=order_id)))


def legs_by_entry(fact_ids: Iterable[UUID]) -> dict[UUID, dict[UUID, list[Leg]]]:
    """What was booked for each fact, by entry, oldest first."""
    found = defaultdict[UUID, dict[UUID, list[Leg]]](dict)
    for fact_id, entry_id, minor, kind, *account in postings_of_facts(list(fact_ids)):
        leg = Leg(AccountKey(AccountKind(kind), *account), minor)
        found[fact_id].setdefault(entry_id, []).append(leg)
    return found


@compiled
def postings_of_facts(fact_ids: list[UUID]) -> QuerySet[LedgerPosting, Any]:
    postings = LedgerPosting.objects.filter(entry__fact_id__any=fact_ids).order_by("id")
    return postings.values_list(
        *("entry__fact_id", "entry_id", "amount_minor"),
        *("account__kind", "account__currency", "account__scope", "account__artisan_id"),
    )


def legs_of(entries: Mapping[UUID, list[Leg]]) -> list[Leg]:
    return [leg for legs in entries.values() for leg in legs]
