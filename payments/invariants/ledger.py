"""The ledger has all money of payments and orders, none of it twice, and none of it on its way for too long."""

from collections.abc import Collection
from datetime import timedelta

from django.db.models import Case, Q, QuerySet, Sum, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Invariant, Mismatch, compare, flat
from artisans.core.money import Money
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from artisans.ledger.selectors import balances
from orders.invariants.rows import Found, Orders, of_orders, parcels_of
from orders.models import Order
from payments.bookkeeping.ledger import find_differences
from payments.bookkeeping.payment_fees import NO_FEE, fee_shares, read_fees
from payments.models import Capture, Dispute, Earning, PaymentRefund, Receipt

NEVER_NEGATIVE = (AccountKind.SELLER_PENDING, AccountKind.SELLER_HELD)
CASH = (AccountKind.CASH, AccountKind.COURIER_CASH)
# How long money may stay on accounts that it only passes through. Nothing yet books that money of a provider has
# arrived at the bank.
DAYS_IN_TRANSIT = {
    AccountKind.PAYOUT_TRANSIT: 7,
    AccountKind.SUSPENSE: 7,
    AccountKind.COURIER_CASH: 14,
    AccountKind.DISPUTED: 120,
}


def find_unbooked() -> Found:
    yield from map(Mismatch, find_differences())


def find_overdrawn_orders(chunk: Orders) -> Found:
    if LedgerEntry._meta.db_table not in chunk.filled:
        return
    orders = {order.pk: order for order in chunk.rows}
    postings = LedgerPosting.objects.filter(entry__order_id__in=orders, account__kind=AccountKind.ORDER)
    sums = (
        postings.order_by("entry__order_id").values_list("entry__order_id").annotate(sum=Sum("amount_minor"))
    )
    for key, minor in sums.filter(sum__gt=0):
        yield Mismatch(orders[key], orders[key].money(-minor))


def find_wrong_payment_fees(chunk: Orders) -> Found:
    parcels = parcels_of(chunk)
    earnings, fees = chunk.children(Earning, "parcel", flat(parcels)), read_fees(flat(parcels))
    for order in chunk.rows:
        shares = fee_shares(parcels[order.pk], fees.get(order.pk, ()))
        for parcel in parcels[order.pk]:
            due = Money.stored(shares.get(parcel.pk, NO_FEE).total, parcel.currency)
            for earning in earnings[parcel.pk]:
                yield from compare(parcel, earning.payment_fee, due)


def find_overdrawn_artisans() -> Found:
    return find_overdrawn(NEVER_NEGATIVE)


def find_overdrawn_cash() -> Found:
    return find_overdrawn(CASH)


def find_overdrawn(kinds: Collection[AccountKind]) -> Found:
    for balance in balances():
        if balance.account.kind in kinds and balance.on_account.minor < 0:
            yield Mismatch(balance.account, balance.on_account)


def find_long_in_transit() -> Found:
    """What came first leaves first; of disputes, by order, because they are decided in any order."""
    accounts = {row.pk: row for row in LedgerAccount.objects.filter(kind__in=DAYS_IN_TRANSIT)}
    rows = list(sums_in_transit()) if accounts else []
    orders = Order.objects.in_bulk([order for _account, order, *_sums in rows if order])
    for account_id, order, total, lately_in, lately_out in rows:
        account = accounts[account_id]
        old = max(0, total - lately_in) + min(0, total - lately_out)
        if old:
            name = f"{account} · {orders[order]}" if order in orders else account
            yield Mismatch(name, account.on_account(old), DAYS_IN_TRANSIT[AccountKind(account.kind)])


def sums_in_transit() -> QuerySet[LedgerPosting, tuple[int, object, int, int, int]]:
    """Minor units by account, and by order of disputes: now, and those that came and left within the days allowed.

    What was booked and reversed has moved nothing.
    """
    lately = Q(pk__in=[])
    for kind, days in DAYS_IN_TRANSIT.items():
        lately |= Q(account__kind=kind, entry__happened_at__gte=timezone.now() - timedelta(days=days))
    lately &= Q(entry__reverses=None, entry__reversal=None)
    order = Case(When(account__kind=AccountKind.DISPUTED, then="entry__order_id"))
    rows = LedgerPosting.objects.filter(account__kind__in=DAYS_IN_TRANSIT).annotate(order=order)
    return (
        rows.order_by("account", "order")
        .values_list("account", "order")
        .annotate(
            total=Sum("amount_minor"),
            lately_in=Sum("amount_minor", filter=lately & Q(amount_minor__gt=0), default=0),
            lately_out=Sum("amount_minor", filter=lately & Q(amount_minor__lt=0), default=0),
        )
    )


# ---- the list --------------------------------------------------------------------------------------------------

INVARIANTS = (
    Invariant(
        "ledger_complete",
        "P8",
        _("The ledger has all money that was received, earned and given back, exactly, and nothing else."),
        _("%(row)s"),
        find_unbooked,
        tables=(Capture, Receipt, PaymentRefund, Dispute),
        remedy=_("manage.py ledger fill books what is missing; see docs/runbook.md#ledgerdiffers."),
        is_nightly=False,  # payments.check_ledger
    ),
    of_orders(
        "ledger_order_money",
        "P8",
        _("The money that the ledger holds for an order is never negative."),
        _("Order %(row)s: the ledger holds %(stored)s for it."),
        find_overdrawn_orders,
    ),
    of_orders(
        "earning_payment_fee",
        "P8",
        _("Artisans bear their parts of the known fees of payments, or nothing if the shop bears them."),
        _("Parcel %(row)s: its artisan bears %(stored)s of the payment fee instead of %(expected)s."),
        find_wrong_payment_fees,
    ),
    Invariant(
        "ledger_artisan_money",
        "P8",
        _("What an artisan earned and is not released yet, and what is held back, is never negative."),
        _("%(row)s: the balance is %(stored)s."),
        find_overdrawn_artisans,
        tables=(LedgerPosting,),
    ),
    Invariant(
        "ledger_cash",
        "P8",
        _("The cash that the shop has, and what couriers have, is never negative."),
        _("%(row)s: the balance is %(stored)s."),
        find_overdrawn_cash,
        tables=(LedgerPosting,),
        remedy=_(
            "Compare the cash deposits and refunds in cash with what was there, and reverse the deposit that is wrong."
        ),
    ),
    Invariant(
        "ledger_transit",
        "P8",
        _(
            "Money is with a carrier for at most 14 days, disputed for at most 120, and unexplained or on its way to"
            " an artisan for at most 7."
        ),
        _("%(row)s: %(stored)s has been there for more than %(expected)s days."),
        find_long_in_transit,
        tables=(LedgerPosting,),
        remedy=_(
            "Ask the carrier, the bank or the provider where the money is, and record its arrival: "
            "docs/ledger.md#money-on-its-way."
        ),
    ),
)
