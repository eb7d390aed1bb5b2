"""What artisans have: balances and the lines of their accounts, each with the balance after it."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.db.models import Max, Min, Prefetch, QuerySet, Sum, prefetch_related_objects
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from artisans.catalog.models import Artisan
from artisans.core.models import get_or_none, sums_by_currency
from artisans.core.money import Money
from artisans.earnings.models import Debt, Hold, HoldReason, Settlement, SettlementStatus
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerPosting
from artisans.ledger.selectors import AccountLine, AccountPage, account_page, balance_minor
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
    EntryKind.FEE_SHARE: gettext_lazy("Payment fee"),
    EntryKind.RELEASE: gettext_lazy("Released"),
    EntryKind.HOLD: gettext_lazy("Held back"),
    EntryKind.HOLD_RELEASED: gettext_lazy("No longer held back"),
    EntryKind.SETTLEMENT: gettext_lazy("You paid the shop"),
    EntryKind.SETTLEMENT_REVERSED: gettext_lazy("Your payment was reversed"),
    EntryKind.WRITE_OFF: gettext_lazy("Debt written off"),
    EntryKind.WRITE_OFF_REVERSED: gettext_lazy("Write-off reversed"),
    EntryKind.RECEIPT: gettext_lazy("Cash that you collected"),
    EntryKind.REFUND: gettext_lazy("Cash that you handed back"),
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
    return sums_by_currency(released, "promised_minor")


def available_minor(artisan_id: UUID, currency: str) -> int:
    """What is available to an artisan now, negative if they owe it. The caller holds the artisan's lock."""
    account = get_or_none(
        LedgerAccount.objects.filter(
            artisan=artisan_id, currency=currency, kind=AccountKind.SELLER_AVAILABLE, scope=""
        )
    )
    return -balance_minor(account.pk) if account else 0


NO_LINES = AccountPage([], None, None)  # of an account on which nothing was booked


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
    return LedgerPosting.objects.filter(account=account).order_by("-id")


def lines_of(artisan: Artisan, lines: Sequence[AccountLine]) -> list[Line]:
    """Lines of an account as its artisan sees them, in three more queries."""
    rows = [line.posting for line in lines]
    prefetch_related_objects(rows, "entry")
    orders = {row.entry.order_id for row in rows}
    parcels = Parcel.objects.filter(artisan=artisan, order__in=orders - {None}).select_related("order")
    by_order = {parcel.order_id: parcel for parcel in parcels}
    details = details_of(rows)
    return [
        Line(
            *line,
            by_order.get(line.posting.entry.order_id) if line.posting.entry.order_id else None,
            line_text(line.posting, details),
        )
        for line in lines
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
    page = account_page(account, after=0, size=chunk) if account else NO_LINES
    while page.lines:
        yield from lines_of(artisan, page.lines[::-1])
        page = account_page(account, after=page.newer, size=chunk) if account and page.newer else NO_LINES


def default_currency(artisan: Artisan) -> str:
    """The currency in which they earned last; the store's before the first sale."""
    last = Earning.objects.filter(artisan=artisan).order_by("-created_at").values_list("currency", flat=True)
    return last.first() or store_rules().currency


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
