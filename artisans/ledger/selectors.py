"""Balances, and what is wrong with the ledger itself."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from artisans.core.append_only import missing_triggers
from artisans.core.money import Money
from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.models import LedgerAccount, LedgerCheckpoint, LedgerEntry, LedgerPeriod, LedgerPosting


class Balance(NamedTuple):
    """Positive for a debit balance, negative for a credit balance."""

    account: LedgerAccount
    amount: Money


def balance_minor(account_id: int) -> int:
    """An account's balance now: the latest checkpoint, and the postings since."""
    latest = LedgerCheckpoint.objects.filter(account=account_id).order_by("-last_posting").first()
    since = LedgerPosting.objects.filter(account=account_id, id__gt=latest.last_posting if latest else 0)
    later = since.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return int(later + (latest.balance_minor if latest else 0))


def balances(on: date | None = None) -> list[Balance]:
    """The balances of all accounts that have postings: now, or at the end of a day."""
    sums = sums_now() if on is None else sums_of(LedgerPosting.objects.filter(entry__booked_on__lte=on))
    accounts = LedgerAccount.objects.filter(pk__in=sums).select_related("artisan")
    return [Balance(row, Money.stored(sums[row.pk], row.currency)) for row in accounts]


def sums_now() -> Counter[int]:
    """By account: the checkpoints of the last closed month, and the postings since."""
    checkpoints = list(LedgerCheckpoint.objects.filter(period=LedgerPeriod.objects.order_by("-last_day")[:1]))
    last = checkpoints[0].last_posting if checkpoints else 0
    sums = Counter({row.account_id: row.balance_minor for row in checkpoints})
    for account, minor in sums_of(LedgerPosting.objects.filter(id__gt=last)).items():
        sums[account] += minor
    return sums


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


def entries_of_order(order_id: UUID) -> QuerySet[LedgerEntry]:
    """Oldest first, with their postings and accounts."""
    entries = LedgerEntry.objects.filter(order_id=order_id).order_by("happened_at", "key")
    return entries.prefetch_related("postings__account__artisan")


def legs_by_entry(fact_ids: Iterable[UUID]) -> dict[UUID, dict[UUID, list[Leg]]]:
    """What was booked for each fact, by entry, oldest first."""
    found = defaultdict[UUID, dict[UUID, list[Leg]]](dict)
    postings = LedgerPosting.objects.filter(entry__fact_id__in=list(fact_ids)).order_by("id")
    for fact_id, entry_id, minor, kind, *account in postings.values_list(
        *("entry__fact_id", "entry_id", "amount_minor"),
        *("account__kind", "account__currency", "account__scope", "account__artisan_id"),
    ):
        leg = Leg(AccountKey(AccountKind(kind), *account), minor)
        found[fact_id].setdefault(entry_id, []).append(leg)
    return found


def legs_of(entries: Mapping[UUID, list[Leg]]) -> list[Leg]:
    return [leg for legs in entries.values() for leg in legs]


# ---- what must never be ----------------------------------------------------------------------------------------


def find_errors() -> Iterator[str]:
    """One sentence for each violated rule of the ledger itself. Reads all postings."""
    for name, table in missing_triggers(connection).items():
        if table.startswith("ledger_"):
            yield _("The trigger %(name)s of %(table)s is missing. Run manage.py migrate.") % {
                "name": name,
                "table": table,
            }
    yield from (
        _("%(entry)s does not sum to zero in %(currency)s: %(minor)s.")
        % {"entry": key, "currency": currency, "minor": minor}
        for key, currency, minor in unbalanced()
    )
    lonely = LedgerEntry.objects.annotate(count=Count("postings")).filter(count__lt=2).order_by()
    for key in lonely.values_list("key", flat=True):
        yield _("%(entry)s has fewer than two postings.") % {"entry": key}
    mixed = LedgerPosting.objects.exclude(currency=F("account__currency")).order_by()
    for key in mixed.values_list("entry__key", flat=True):
        yield _("%(entry)s has a posting in another currency than its account.") % {"entry": key}
    last = LedgerPeriod.objects.order_by("-last_day").first()
    if last is not None:
        yield from period_errors(last)


def period_errors(period: LedgerPeriod) -> Iterator[str]:
    if period.trial_balance != trial_balance(period.last_day):
        yield _("The trial balance of %(period)s is not the sum of its postings.") % {"period": period}
    for checkpoint in wrong_checkpoints(period):
        yield _("The checkpoint of %(account)s at the end of %(period)s is not the sum of its postings.") % {
            "account": checkpoint.account,
            "period": period,
        }


def unbalanced() -> QuerySet[LedgerPosting, tuple[str, str, int]]:
    sums = LedgerPosting.objects.order_by().values_list("entry__key", "currency")
    return sums.annotate(sum=Sum("amount_minor")).exclude(sum=0)


def wrong_checkpoints(period: LedgerPeriod) -> QuerySet[LedgerCheckpoint]:
    before = LedgerPosting.objects.filter(
        account=OuterRef("account"), id__lte=OuterRef("last_posting")
    ).order_by()
    total = Coalesce(Subquery(before.values("account").annotate(sum=Sum("amount_minor")).values("sum")), 0)
    return period.checkpoints.annotate(total=total).exclude(total=F("balance_minor"))
