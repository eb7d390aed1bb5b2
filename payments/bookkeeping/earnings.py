"""What artisans earn with an order: the state of its earnings, and what they require in the ledger.

One fact of the ledger per order. What it requires follows from the order's rows alone (`required_legs`), so that
refunds, cancellations, returns and releases book differences and never need to undo each other (docs/adr/0017).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Model, QuerySet, Sum, prefetch_related_objects
from django.utils import timezone

from artisans.core.compiled import compiled
from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import Fact, difference, fact_book
from orders.models import Order, OrderLine, Parcel
from orders.selectors import order_lock
from orders.services.placing import PlacedOrder
from orders.shares import frozen_shares
from orders.statuses import PARCELS_ENDED, CashHolder
from payments.bookkeeping.payment_fees import NO_FEE, FeeShare, fee_shares, read_fees
from payments.bookkeeping.split import NOTHING, Back, Item, OrderSplit, ParcelMoney, split_order, spread
from payments.models import Bearer, Earning, EarningStatus, PaymentRefund, Receipt, RefundShare
from payments.statuses import RefundStatus

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class OrderBooks:
    """An order with what decides who earns what.

    `lines`, `earnings` and `cash` (minor units recorded on delivery, by its holder): by parcel. `refunds`: all but
    failed ones, oldest first, with their lines and shares. `fees`: of its captures, in minor units, as far as they are
    known and artisans bear them.
    """

    order: Order
    parcels: Sequence[Parcel]
    lines: Mapping[UUID, Sequence[OrderLine]]
    earnings: dict[UUID, Earning] = field(default_factory=dict)
    refunds: Sequence[PaymentRefund] = ()
    cash: Mapping[UUID, Mapping[str, int]] = field(default_factory=dict)
    fees: Sequence[int] = ()

    @property
    def living(self) -> list[Parcel]:
        return [row for row in self.parcels if row.status not in PARCELS_ENDED] if self.order.is_alive else []

    @property
    def earned(self) -> list[Parcel]:
        return [row for row in self.living if self.is_earned(row)]

    @property
    def statuses(self) -> dict[UUID, str]:
        """The status of each earning, by parcel."""
        return {pk: row.status for pk, row in self.earnings.items()}

    @property
    def fee_shares(self) -> dict[UUID, FeeShare]:
        """What artisans bear of the fees, by parcel. They bear nothing of a parcel that was never earned, and keep
        bearing their part of one that is not earned any more."""
        shares = fee_shares(self.parcels, self.fees)
        return {pk: share for pk, share in shares.items() if pk in self.earnings}

    @property
    def stored_fee_shares(self) -> dict[UUID, FeeShare]:
        stored = {
            pk: FeeShare(row.payment_fee_minor, row.payment_fee_tax_minor)
            for pk, row in self.earnings.items()
        }
        return {pk: share for pk, share in stored.items() if share != NO_FEE}

    def is_earned(self, parcel: Parcel) -> bool:
        """Whether a living parcel's money is here: the order is paid, or the cash for this parcel was recorded."""
        if self.order.released_at is None:
            return False
        return not self.order.balance.outstanding or self.is_covered(parcel, self.cash.get(parcel.pk, {}))

    def is_held_by_artisan(self, parcel: Parcel) -> bool:
        """Whether the artisan has the parcel's money in cash, so that there is nothing to release."""
        cash = self.cash.get(parcel.pk, {})
        return CashHolder.ARTISAN in cash and self.is_covered(
            parcel, {CashHolder.ARTISAN: cash[CashHolder.ARTISAN]}
        )

    def is_covered(self, parcel: Parcel, cash: Mapping[str, int]) -> bool:
        completed = [row for row in self.refunds if row.status == RefundStatus.COMPLETED]
        due = sum(item.left for item in money_of(self, parcel, completed).items)
        return bool(cash) and sum(cash.values()) >= due


# ---- reading ---------------------------------------------------------------------------------------------------


def read_books(orders: Iterable[Order]) -> list[OrderBooks]:
    """The books of these orders, in eight queries at most."""
    orders = list(orders)
    keys = [order.pk for order in orders]
    parcels = group(parcels_of_orders(keys), "order_id")
    lines = group(lines_of_orders(keys), "parcel_id")
    refunds = defaultdict[UUID, list[PaymentRefund]](list)
    live = live_refunds(keys)
    prefetch_related_objects(live, "lines", "shares")
    for refund in live:
        refunds[refund.payment.order_id].append(refund)
    every = [parcel for group in parcels.values() for parcel in group]
    cash, fees = read_cash(every), read_fees(every)
    return [
        OrderBooks(
            order,
            parcels[order.pk],
            lines,
            {row.pk: row.earning for row in parcels[order.pk] if hasattr(row, "earning")},
            refunds[order.pk],
            cash,
            fees.get(order.pk, ()),
        )
        for order in orders
    ]


def read_cash(parcels: Iterable[Parcel]) -> dict[UUID, dict[str, int]]:
    """Minor units of cash on delivery recorded for each parcel, by holder, without what was reversed."""
    paid = [parcel for parcel in parcels if parcel.cash_received_minor]
    if not paid:
        return {}
    named = Receipt.objects.filter(parcel__in=paid, reversal=None).order_by()
    found = defaultdict[UUID, dict[str, int]](dict)
    for parcel_id, holder, minor in named.values_list("parcel", "holder").annotate(sum=Sum("amount_minor")):
        found[parcel_id][holder] = minor
    return found


def read_placed(placed: PlacedOrder) -> OrderBooks:
    """The books of an order that was just released, so nothing was earned or refunded before."""
    fees = read_fees(placed.parcels).get(placed.order.pk, ())
    return OrderBooks(placed.order, placed.parcels, group(placed.lines, "parcel_id"), fees=fees)


def group(rows: Iterable[Row], column: str) -> dict[UUID, list[Row]]:
    found = defaultdict[UUID, list[Row]](list)
    for row in rows:
        found[getattr(row, column)].append(row)
    return found


@compiled
def parcels_of_orders(orders: list[UUID]) -> QuerySet[Parcel]:
    rows = Parcel.objects.filter(order__any=orders).select_related("earning")
    return rows.order_by("order_id", "number")


@compiled
def lines_of_orders(orders: list[UUID]) -> QuerySet[OrderLine]:
    return OrderLine.objects.filter(order__any=orders).order_by("order_id", "position")


@compiled
def live_refunds(orders: list[UUID]) -> QuerySet[PaymentRefund]:
    refunds = PaymentRefund.objects.filter(payment__order__any=orders).exclude(status=RefundStatus.FAILED)
    return refunds.select_related("payment").order_by("created_at", "pk")


# ---- arithmetic ------------------------------------------------------------------------------------------------


def back(refund: PaymentRefund, minor: int) -> Back:
    return Back(0, minor) if refund.keeps_commission else Back(minor, 0)


def money_of(books: OrderBooks, parcel: Parcel, refunds: Iterable[PaymentRefund]) -> ParcelMoney:
    """A parcel with what these refunds took of it; its shipping is the last item."""
    lines = books.lines[parcel.pk]
    named, by_shop, goodwill = defaultdict[UUID, Back](Back), Counter[UUID](), NOTHING
    for refund in refunds:
        amounts = [(row.order_line_id, row.amount_minor) for row in refund.lines.all()]
        shares = [share for share in refund.shares.all() if share.parcel_id == parcel.pk]
        amounts += [(parcel.pk, share.shipping_minor) for share in shares]
        for key, minor in amounts:
            if refund.borne_by == Bearer.SHOP:
                by_shop[key] += minor
            else:
                named[key] = named[key].plus(back(refund, minor))
        for share in shares:
            goodwill = goodwill.plus(back(refund, share.goodwill_minor))
    for line in lines:  # refunds of units that were cancelled later took nothing besides
        named[line.pk], by_shop[line.pk] = beyond_cancelled(line, named[line.pk], by_shop[line.pk])
    shares_of = frozen_shares(parcel, lines)
    keys = [*(line.pk for line in lines), parcel.pk]
    cancelled = [*(line.cancelled_minor for line in lines), 0]
    items = tuple(
        Item(shares, named[key], by_shop[key], minor)
        for key, shares, minor in zip(keys, shares_of, cancelled, strict=True)
    )
    return ParcelMoney(parcel.pk, parcel.artisan_id, items, goodwill)


def beyond_cancelled(line: OrderLine, named: Back, by_shop: int) -> tuple[Back, int]:
    """What refunds of a line took for units that were not cancelled, and how much of it the shop bears. They are set
    against cancelled units first where the shop bears them."""
    left = line.goods_refunded(named.total + by_shop)
    usual = min(named.with_commission, left)
    kept = min(named.without_commission, left - usual)
    return Back(usual, kept), left - usual - kept


def split_books(books: OrderBooks, *, with_pending: bool = False, disputed: int = 0) -> OrderSplit:
    """The split after completed refunds, or `with_pending` ones, as if those had completed. `disputed`: as if lost
    disputes had taken so many minor units more."""
    refunds = [row for row in books.refunds if with_pending or row.status == RefundStatus.COMPLETED]
    living, balance = {row.pk for row in books.living}, books.order.balance
    moneys = [money_of(books, parcel, refunds) for parcel in books.earned]
    shared = sum(s.goodwill_minor for refund in refunds for s in refund.shares.all() if s.parcel_id in living)
    of_shop = sum(refund.goodwill_minor for refund in refunds) - shared
    # What refunds and disputes that name nothing took: earned parcels cannot keep more than what was received and did
    # not go back.
    going = disputed + sum(row.amount_minor for row in refunds if row.status != RefundStatus.COMPLETED)
    kept = sum(item.left for money in moneys for item in money.items)
    kept -= sum(money.goodwill.total for money in moneys)
    short = kept - (balance.net_received - going) - of_shop
    return split_order(
        moneys,
        worth=balance.worth,
        unassigned=min(balance.refunded + going, max(0, short)),
        goodwill_of_shop=of_shop,
    )


def required_legs(books: OrderBooks, split: OrderSplit, fees: Mapping[UUID, FeeShare]) -> list[Leg]:
    """What the order requires in the ledger, besides the money that came in and went back.

    `fees`: what artisans bear, by parcel. They are taken from what is pending of the parcel, and beyond that from what
    is available, so that nothing pending is ever negative.
    """
    currency = books.order.currency
    sums: Counter[AccountKey] = Counter()

    def add(kind: AccountKind, minor: int, artisan: UUID | None = None) -> None:
        sums[AccountKey(kind, currency, "", artisan)] += minor

    add(AccountKind.ORDER, -split.goodwill)
    add(AccountKind.GOODWILL, split.goodwill)
    for part in split.parcels:
        remaining = part.remaining
        add(AccountKind.ORDER, remaining.total - part.by_shop)
        add(AccountKind.GOODWILL, part.by_shop)
        status = books.earnings[part.parcel_id].status
        is_released = status == EarningStatus.RELEASED
        account = AccountKind.SELLER_AVAILABLE if is_released else AccountKind.SELLER_PENDING
        add(account, -remaining.net, part.artisan_id)
        add(AccountKind.COMMISSION, -remaining.commission)
        add(AccountKind.FEE_TAX, -remaining.commission_tax)
        add(AccountKind.SALES_TAX, -remaining.remitted_tax)
    nets = {part.parcel_id: part.remaining.net for part in split.parcels}
    for parcel_id, fee in fees.items():
        earning = books.earnings[parcel_id]
        is_pending = earning.status == EarningStatus.PENDING
        of_pending = min(fee.total, nets.get(parcel_id, 0)) if is_pending else 0
        add(AccountKind.SELLER_PENDING, of_pending, earning.artisan_id)
        add(AccountKind.SELLER_AVAILABLE, fee.total - of_pending, earning.artisan_id)
        add(AccountKind.FEE_RECOVERED, fee.tax - fee.total)
        add(AccountKind.FEE_TAX, -fee.tax)
    return [Leg(account, minor) for account, minor in sums.items() if minor]


# ---- changes ---------------------------------------------------------------------------------------------------


def order_earnings_book(
    order: Order, *, placed: PlacedOrder | None = None, is_late: bool = False, has_moved: bool = True
) -> LedgerEntry | None:
    """Bring the order's earnings up to date and book the difference; None if nothing changed.

    `placed`: the order with its lines and parcels, if this transaction released it. `is_late`: a process of an earlier
    release should have done it. `has_moved`: whether its money may have moved since it was booked. The caller holds the
    order's lock and has saved its sums.
    """
    if order.released_at is None:
        return None
    is_new = placed is not None and not order.refunded_minor
    books = read_placed(placed) if placed and is_new else read_books([order])[0]
    at = (order.paid_at or order.updated_at) if is_late and not books.earnings else None
    return books_apply(books, is_new=is_new, at=at, has_moved=has_moved)


def earnings_facts(orders: Iterable[Order]) -> list[Fact]:
    """What these orders require in the ledger, as if their earnings were up to date. For checks: writes nothing."""
    facts = []
    for books in read_books(orders):
        split = split_books(books)
        for part in split.parcels:
            if part.parcel_id not in books.earnings:
                books.earnings[part.parcel_id] = Earning(
                    artisan_id=part.artisan_id, status=EarningStatus.PENDING
                )
        legs = required_legs(books, split, books.fee_shares) if books.order.released_at else []
        order = books.order
        facts.append(
            Fact(
                id=order.pk,
                kind=EntryKind.SALE,
                legs=legs,
                happened_at=order.updated_at,
                order_id=order.pk,
            )
        )
    return facts


def books_apply(
    books: OrderBooks,
    *,
    before: Mapping[UUID, str] | None = None,
    is_new: bool = False,
    at: datetime | None = None,
    has_moved: bool = True,
) -> LedgerEntry | None:
    """The same for books that were read under the order's lock. `before`: the statuses of the earnings before the
    caller changed them. `at`: when it happened, if that is not now."""
    refund_shares_write(books)
    before = books.statuses if before is None else before
    fees_before = books.stored_fee_shares
    split = earnings_save(books)
    after, fees = books.statuses, books.fee_shares
    if not has_moved and before == after and fees == fees_before:
        return None
    legs = required_legs(books, split, fees_before)
    booked = {} if is_new or not (before or legs) else legs_by_entry([books.order.pk])[books.order.pk]
    fact = Fact(
        id=books.order.pk,
        kind=kind_of(before, after, difference(legs, legs_of(booked))),
        legs=legs,
        happened_at=at or timezone.now(),
        order_id=books.order.pk,
    )
    entry = fact_book(fact, booked=booked)
    if fees == fees_before:
        return entry
    # An entry of its own, so that artisans see the fee beside the sale.
    legs = required_legs(books, split, fees)
    return fact_book(replace(fact, kind=EntryKind.FEE_SHARE, legs=legs)) or entry


def kind_of(before: Mapping[UUID, str], after: Mapping[UUID, str], due: Sequence[Leg]) -> EntryKind:
    """Why the earnings of an order changed; the weightiest reason if there are several."""
    changed = {(before.get(pk), status) for pk, status in after.items() if before.get(pk) != status}
    if any(old in {None, EarningStatus.CANCELLED} for old, _new in changed):
        return EntryKind.SALE
    if any(new == EarningStatus.CANCELLED for _old, new in changed):
        return EntryKind.SALE_CANCELLED
    if changed:
        return EntryKind.RELEASE
    if any(leg.account.kind == AccountKind.FEE_RECOVERED for leg in due):
        return EntryKind.FEE_SHARE
    of_order = sum(leg.minor for leg in due if leg.account.kind == AccountKind.ORDER)
    return EntryKind.CLAWBACK_REVERSED if of_order > 0 else EntryKind.CLAWBACK


def earnings_save(books: OrderBooks) -> OrderSplit:
    """Write the earnings that follow from the order's rows, and return how its money is split."""
    split = split_books(books)
    pending = split_books(books, with_pending=True) if has_pending(books) else split
    fees = fee_shares(books.parcels, books.fees)
    new = []
    for part, later in zip(split.parcels, pending.parcels, strict=True):
        earning = books.earnings.get(part.parcel_id) or Earning(
            parcel_id=part.parcel_id, artisan_id=part.artisan_id, currency=books.order.currency
        )
        values = {
            **released_at_once(books, part.parcel_id, earning),
            "net_minor": part.shares.net,
            "returned_minor": part.returned.net,
            "returned_commission_minor": part.returned.commission,
            "returned_commission_tax_minor": part.returned.commission_tax,
            "returned_remitted_tax_minor": part.returned.remitted_tax,
            "promised_minor": max(0, later.returned.net - part.returned.net),
            **fee_columns(fees.get(part.parcel_id, NO_FEE)),
        }
        if part.parcel_id in books.earnings:
            earning_update(earning, values)
        else:
            for column, value in values.items():
                setattr(earning, column, value)
            new.append(earning)
            books.earnings[part.parcel_id] = earning
    Earning.objects.bulk_create(new)
    earned = {part.parcel_id for part in split.parcels}
    for pk, earning in books.earnings.items():
        if pk not in earned:
            cancelled = {"status": EarningStatus.CANCELLED, "promised_minor": 0, "released_at": None}
            earning_update(earning, cancelled | fee_columns(fees.get(pk, NO_FEE)))
    return split


def fee_columns(fee: FeeShare) -> dict[str, object]:
    return {"payment_fee_minor": fee.total, "payment_fee_tax_minor": fee.tax}


def released_at_once(books: OrderBooks, parcel_id: UUID, earning: Earning) -> dict[str, object]:
    """The status of something earned: as it is, or released if its artisan has the cash."""
    status = EarningStatus.PENDING if earning.status == EarningStatus.CANCELLED else earning.status
    parcel = next(row for row in books.parcels if row.pk == parcel_id)
    if status == EarningStatus.PENDING and books.is_held_by_artisan(parcel):
        return {"status": EarningStatus.RELEASED, "released_at": timezone.now()}
    return {"status": status}


def earning_update(earning: Earning, values: Mapping[str, object]) -> None:
    """Save the columns that change."""
    changed = [column for column, value in values.items() if getattr(earning, column) != value]
    for column in changed:
        setattr(earning, column, values[column])
    if changed:
        earning.save(update_fields=[*changed, "updated_at"])


def has_pending(books: OrderBooks) -> bool:
    return any(refund.is_pending for refund in books.refunds)


def refund_shares_write(books: OrderBooks) -> None:
    """Spread shipping and goodwill of refunds over parcels, by what is left of each, once per refund.

    Goodwill that artisans bear is shared as soon as something is earned.
    """
    for number, refund in enumerate(books.refunds):
        known = refund.shares.all()
        shipping = 0 if any(share.shipping_minor for share in known) else refund.shipping_minor
        goodwill = 0 if any(share.goodwill_minor for share in known) else refund.goodwill_minor
        if not (shipping or goodwill):
            continue
        until = [
            *books.refunds[: number + 1],
            *(row for row in books.refunds[number + 1 :] if row.shares.all()),
        ]
        by_parcel: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
        living = [money_of(books, parcel, until) for parcel in books.living]
        earned = {parcel.pk for parcel in books.earned} if refund.borne_by == Bearer.ARTISAN else set()
        parts = spread(shipping, [money.items[-1].left for money in living])
        for money, minor in zip(living, parts, strict=True):
            by_parcel[money.parcel_id][0] += minor
        bearing = [money for money in living if money.parcel_id in earned]
        for money, minor in zip(bearing, spread(goodwill, [m.left for m in bearing]), strict=True):
            by_parcel[money.parcel_id][1] += minor
        rows = [
            RefundShare(
                refund=refund,
                parcel_id=parcel_id,
                currency=refund.currency,
                shipping_minor=shipping_minor,
                goodwill_minor=goodwill_minor,
            )
            for parcel_id, (shipping_minor, goodwill_minor) in by_parcel.items()
            if shipping_minor or goodwill_minor
        ]
        RefundShare.objects.bulk_create(rows)
        refund.refresh_from_db(fields=["shares"])  # forgets those that were read
        prefetch_related_objects([refund], "shares")


def earnings_release(*, order_id: UUID, parcel_ids: Collection[UUID]) -> int:
    """Release the pending earnings of these parcels to their artisans; returns how many were pending.

    The caller has decided that they are due. Locks: order.
    """
    with transaction.atomic():
        order = order_lock(order_id)
        books = read_books([order])[0]
        due = [
            books.earnings[pk]
            for pk in parcel_ids
            if pk in books.earnings and books.earnings[pk].status == EarningStatus.PENDING
        ]
        released_at = timezone.now()
        before = books.statuses
        for earning in due:
            earning_update(earning, {"status": EarningStatus.RELEASED, "released_at": released_at})
        if due:
            books_apply(books, before=before)
        return len(due)
