"""What artisans have: balances and the lines of their accounts, each with the balance after it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.db.models import BigIntegerField, Max, Min, Prefetch, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from artisans.catalog.models import Artisan
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.earnings.models import Debt, Hold, HoldReason, Settlement, SettlementStatus
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerCheckpoint, LedgerPosting
from artisans.ledger.selectors import balance_minor
from orders.models import Parcel
from orders.selectors import store_rules
from payments.models import Earning, EarningStatus

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

ACCOUNTS = {  # the name of an artisan's account in addresses
    "available": AccountKind.SELLER_AVAILABLE,
    "pending": AccountKind.SELLER_PENDING,
    "held": AccountKind.SELLER_HELD,
}
ACCOUNT_LABELS = {
    "available": pgettext_lazy("an artisan’s money", "Available"),
    "pending": pgettext_lazy("an artisan’s money", "Pending"),
    "held": pgettext_lazy("an artisan’s money", "Held back"),
}
LINE_LABELS: dict[str, "_StrPromise"] = {
    EntryKind.SALE: gettext_lazy("Sale"),
    EntryKind.SALE_CANCELLED: gettext_lazy("Sale cancelled"),
    EntryKind.CLAWBACK: gettext_lazy("Refunded to the buyer"),
    EntryKind.CLAWBACK_REVERSED: gettext_lazy("Refund taken back"),
    EntryKind.RELEASE: gettext_lazy("Released"),
    EntryKind.HOLD: gettext_lazy("Held back"),
    EntryKind.HOLD_RELEASED: gettext_lazy("No longer held back"),
    EntryKind.SETTLEMENT: gettext_lazy("You paid the shop"),
    EntryKind.SETTLEMENT_REVERSED: gettext_lazy("Your payment was reversed"),
    EntryKind.WRITE_OFF: gettext_lazy("Debt written off"),
    EntryKind.WRITE_OFF_REVERSED: gettext_lazy("Write-off reversed"),
    EntryKind.RECEIPT: gettext_lazy("Cash that you collected"),
    EntryKind.RECEIPT_REVERSED: gettext_lazy("Cash that you collected: corrected"),
}


# ---- balances --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArtisanBalance:
    """An artisan's money in one currency. `available` is negative if they owe the shop; `promised`: what refunds in
    progress will take of released earnings."""

    currency: str
    pending: Money
    available: Money
    held: Money
    promised: Money

    @property
    def payable(self) -> Money:
        return max(Money(0, self.currency), self.available - self.promised)

    @property
    def owed(self) -> Money:
        """What they owe the shop."""
        return max(Money(0, self.currency), Money(0, self.currency) - self.available)


def balances_of(artisan: Artisan) -> list[ArtisanBalance]:
    """By currency; none before the first sale."""
    accounts = LedgerAccount.objects.filter(artisan=artisan).order_by("currency")
    sums: dict[str, dict[str, int]] = defaultdict(dict)
    for account in accounts:
        sums[account.currency][account.kind] = -balance_minor(account.pk)  # in favour of the artisan
    promised = promised_by_currency(artisan)
    return [
        ArtisanBalance(
            currency,
            **{name: Money(found.get(kind, 0), currency) for name, kind in ACCOUNTS.items()},
            promised=Money(promised.get(currency, 0), currency),
        )
        for currency, found in sums.items()
    ]


def promised_by_currency(artisan: Artisan) -> dict[str, int]:
    released = Earning.objects.filter(artisan=artisan, promised_minor__gt=0, status=EarningStatus.RELEASED)
    return dict(released.order_by().values_list("currency").annotate(Sum("promised_minor")))


def available_minor(artisan_id: UUID, currency: str) -> int:
    """What is available to an artisan now, negative if they owe it. The caller holds the artisan's lock."""
    account = get_or_none(
        LedgerAccount.objects.filter(
            artisan=artisan_id, currency=currency, kind=AccountKind.SELLER_AVAILABLE, scope=""
        )
    )
    return -balance_minor(account.pk) if account else 0


# ---- lines -----------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A posting on an artisan's account, as they see it: `amount` and the `balance` after it are positive in their
    favour. `parcel` is None unless it is about an order."""

    posting: LedgerPosting
    amount: Money
    balance: Money
    parcel: Parcel | None
    text: str


def account_of(artisan: Artisan, name: str, currency: str) -> LedgerAccount | None:
    return get_or_none(
        LedgerAccount.objects.filter(artisan=artisan, kind=ACCOUNTS[name], currency=currency, scope="")
    )


def postings_of(account: LedgerAccount | None) -> QuerySet[LedgerPosting]:
    if account is None:
        return LedgerPosting.objects.none()
    return LedgerPosting.objects.filter(account=account).select_related("entry").order_by("-id")


def with_start(
    rows: QuerySet[LedgerPosting], account: LedgerAccount | None, *, below: int | None = None
) -> QuerySet[LedgerPosting]:
    """The postings with `start`: the account's balance over the postings before `below`, or over all.

    One statement reads both, because a posting that is committed between two would make them differ.
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


def balances_after(rows: Iterable[LedgerPosting], start: int, *, is_ascending: bool) -> list[int]:
    """The account's balance after each of these neighbouring postings. `start` is the one before them if they are
    sorted oldest first, and the one after them if newest first."""
    found, balance = [], start
    for row in rows:
        if is_ascending:
            balance += row.amount_minor
        found.append(balance)
        if not is_ascending:
            balance -= row.amount_minor
    return found


def lines_of(artisan: Artisan, rows: Sequence[LedgerPosting], balances: Iterable[int]) -> list[Line]:
    """Postings with their balances as lines, in two more queries."""
    orders = {row.entry.order_id for row in rows}
    parcels = Parcel.objects.filter(artisan=artisan, order__in=orders - {None}).select_related("order")
    by_order = {parcel.order_id: parcel for parcel in parcels}
    details = details_of(rows)
    return [
        Line(
            row,
            Money(-row.amount_minor, row.currency),
            Money(-balance, row.currency),
            by_order.get(row.entry.order_id) if row.entry.order_id else None,
            line_text(row, details),
        )
        for row, balance in zip(rows, balances, strict=True)
    ]


HELD = {EntryKind.HOLD, EntryKind.HOLD_RELEASED}
SETTLED = {
    *(EntryKind.SETTLEMENT, EntryKind.SETTLEMENT_REVERSED),
    *(EntryKind.WRITE_OFF, EntryKind.WRITE_OFF_REVERSED),
}


def details_of(rows: Collection[LedgerPosting]) -> Mapping[UUID, str]:
    """The reason of a hold, and the number of a debt, by what was booked."""
    held = {row.entry.fact_id for row in rows if row.entry.kind in HELD}
    settled = {row.entry.fact_id for row in rows if row.entry.kind in SETTLED}
    found: dict[UUID, str] = {}
    if held:
        found |= {hold.pk: str(hold.get_reason_display()) for hold in Hold.objects.filter(pk__in=held)}
    if settled:
        found |= dict(Settlement.objects.filter(pk__in=settled).order_by().values_list("pk", "debt__number"))
    return found


def line_text(row: LedgerPosting, details: Mapping[UUID, str]) -> str:
    label = str(LINE_LABELS.get(row.entry.kind, row.entry.get_kind_display()))
    if detail := details.get(row.entry.fact_id):
        return _("%(kind)s: %(reason)s") % {"kind": label, "reason": detail}
    return label


def all_lines(artisan: Artisan, account: LedgerAccount | None, *, chunk: int = 1000) -> Iterator[Line]:
    """Oldest first, for downloads: a short query at a time, however many there are."""
    last, balance = 0, 0
    while rows := list(postings_of(account).order_by("id").filter(id__gt=last)[:chunk]):
        balances = balances_after(rows, balance, is_ascending=True)
        yield from lines_of(artisan, rows, balances)
        last, balance = rows[-1].pk, balances[-1]


def default_currency(artisan: Artisan) -> str:
    """The currency in which they earned last; the store's before the first sale."""
    last = Earning.objects.filter(artisan=artisan).order_by("-created_at").values_list("currency", flat=True)
    return last.first() or store_rules().currency


class LinesPage(NamedTuple):
    """Newest first. `older` and `newer`: the keys to go on from, None at an end."""

    lines: list[Line]
    older: int | None = None
    newer: int | None = None


def lines_page(
    artisan: Artisan,
    account: LedgerAccount | None,
    *,
    before: int | None = None,
    after: int | None = None,
    size: int,
) -> LinesPage:
    """The lines next to a key: older ones `before` it, or newer ones `after` it; the newest without either."""
    is_ascending = after is not None
    rows = postings_of(account)
    if after is not None:
        rows = with_start(rows.filter(id__gt=after).order_by("id"), account, below=after + 1)
    elif before is not None:
        rows = with_start(rows.filter(id__lt=before), account, below=before)
    else:
        rows = with_start(rows, account)
    found = list(rows[: size + 1])
    shown, has_more = found[:size], len(found) > size
    if not shown:
        return LinesPage([])
    start: int = shown[0].start  # type: ignore[attr-defined]
    lines = lines_of(artisan, shown, balances_after(shown, start, is_ascending=is_ascending))
    if is_ascending:
        return LinesPage(lines[::-1], older=shown[0].pk, newer=shown[-1].pk if has_more else None)
    newer = shown[0].pk if before is not None else None
    return LinesPage(lines, older=shown[-1].pk if has_more else None, newer=newer)


def open_debts(artisan: Artisan) -> QuerySet[Debt]:
    """Each with what was paid of it or written off, as `recorded`."""
    recorded = Settlement.objects.filter(status=SettlementStatus.RECORDED)
    debts = Debt.objects.filter(artisan=artisan, ended_at__isnull=True).order_by("currency")
    return debts.prefetch_related(Prefetch("settlements", recorded, to_attr="recorded"))


def active_holds(artisan: Artisan) -> QuerySet[Hold]:
    """Without reserves, of which each release has one."""
    active = Hold.objects.filter(artisan=artisan, released_at__isnull=True)
    return active.exclude(reason=HoldReason.RESERVE).order_by("-created_at")


class Reserve(NamedTuple):
    """What is held of an artisan's releases in a currency; parts of it are freed from `first` until `last`."""

    amount: Money
    first: datetime
    last: datetime


def reserves_of(artisan: Artisan) -> list[Reserve]:
    active = Hold.objects.filter(artisan=artisan, reason=HoldReason.RESERVE, released_at__isnull=True)
    sums = active.order_by("currency").values_list("currency")
    found = sums.annotate(Sum("amount_minor"), Min("until"), Max("until"))
    return [Reserve(Money(minor, currency), first, last) for currency, minor, first, last in found]
