"""The balance at a provider: its movements compared with our captures, refunds and disputes, their sum with the balance
that the provider shows, and what was booked for all of them with the ledger."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypedDict

from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.core.models import sums_by_currency
from artisans.core.money import Money
from artisans.core.transactions import snapshot
from artisans.ledger.accounts import AccountKind
from artisans.ledger.selectors import balances
from payments.bookkeeping.movement_facts import IS_EXCHANGE
from payments.models import (
    Capture,
    Dispute,
    Explanation,
    Payment,
    PaymentRefund,
    ProviderMovement,
    ReconciliationRun,
)
from payments.providers.contract import MovementKind, RemoteBalance, RemoteMovement
from payments.providers.registry import moves_late
from payments.reconciliation.differences import Difference, Kind
from payments.selectors import moved_in, taken_for_disputes
from payments.statuses import DisputeStatus, RefundStatus

OVERLAP = timedelta(days=7)  # movements may be listed late, or under the day on which they began
BEFORE_FIRST = timedelta(days=1)
MOST_LISTED = 1000


# A movement in its payment's currency, or that tells what of it was converted.
IN_KNOWN_CURRENCY = (
    Q(currency=F("payment__currency"))
    | Q(charged_currency=F("payment__currency"))
    | Q(kind=MovementKind.CONVERSION)
)
ChangedMovement = tuple[ProviderMovement, RemoteMovement]


class BalanceRow(TypedDict):
    """What a run stores of a currency, in minor units.

    `provider`: the balance that the provider shows; `opening`: its part from before the movements that the shop has
    read; `gap`: what neither explains. `ledger`: the ledger's account of the provider; `waiting`: its part without
    movements, less the movements that nothing explains; `ledger_gap`: its part without a reason.
    """

    currency: str
    provider: int
    opening: int
    gap: int
    ledger: int
    waiting: int
    ledger_gap: int


# ---- reading -----------------------------------------------------------------------------------------------------


def movements_since(run: ReconciliationRun) -> datetime:
    """From where to read: the first capture at first, then some days before the end of the last complete reading."""
    read = ReconciliationRun.objects.filter(provider=run.provider, movements_until__isnull=False)
    last = read.aggregate(last=Max("movements_until"))["last"]
    first = Capture.objects.filter(provider=run.provider).aggregate(first=Min("created_at"))["first"]
    usual = last - OVERLAP if last else (first or run.until) - BEFORE_FIRST
    return min(usual, run.since)


def changed_movements(changed: Iterable[ChangedMovement]) -> list[Difference]:
    text = _(
        "%(movement)s was %(before)s with a fee of %(fee_before)s, and is now %(now)s with a fee of %(fee_now)s."
    )
    return [
        of_movement(
            Kind.CHANGED,
            row,
            text,
            before=row.gross,
            fee_before=row.fee,
            now=remote.gross,
            fee_now=remote.fee,
        )
        for row, remote in changed
    ]


# ---- movements and what they are about ---------------------------------------------------------------------------


def find_differences(name: str) -> Iterator[Difference]:
    """Captures, refunds and disputes without movements, and the other way round. Those that are too young are left out:
    the provider lists a movement late, and our record of it may be late too."""
    before = timezone.now() - moves_late(name)
    yield from captures_without_movement(name, before)
    yield from refunds_without_movement(name, before)
    yield from disputes_without_movement(name, before)
    yield from fees_that_differ(name)
    yield from movements_in_other_currencies(name)
    yield from movements_unexplained(name, before)


def captures_without_movement(name: str, before: datetime) -> Iterator[Difference]:
    rows = with_moved(Capture.objects.filter(provider=name, created_at__lt=before))
    for row in rows.exclude(moved=F("amount_minor"))[:MOST_LISTED]:
        moved = Money.stored(row.moved, row.currency)
        text = (
            _("%(object)s was captured for %(ours)s, and the provider’s balance has %(moved)s for it.")
            if moved
            else _("%(object)s was captured for %(ours)s, and nothing reached the provider’s balance.")
        )
        values = {"object": row.provider_capture_id, "ours": row.amount, "moved": moved}
        kind = Kind.AMOUNT if moved else Kind.NO_MOVEMENT
        yield Difference(kind, row.provider_capture_id, str(row.payment_id), text % values)


def refunds_without_movement(name: str, before: datetime) -> Iterator[Difference]:
    """A refund that failed after its money had left has moved nothing in the end."""
    rows = with_moved(
        PaymentRefund.objects.filter(
            payment__payment_provider=name,
            processed_at__lt=before,
            status__in=[RefundStatus.COMPLETED, RefundStatus.FAILED],
        )
    )
    done = Q(status=RefundStatus.COMPLETED)
    for row in rows.exclude(done & Q(moved=-F("amount_minor"))).exclude(~done & Q(moved=0))[:MOST_LISTED]:
        ours = row.amount if row.status == RefundStatus.COMPLETED else row.amount - row.amount
        moved = Money.stored(-row.moved, row.currency)
        text = (
            _("%(refund)s went back for %(ours)s, and %(moved)s left the provider’s balance for it.")
            if moved
            else _("%(refund)s went back for %(ours)s, and nothing left the provider’s balance for it.")
        )
        values = {"refund": row.refund_number, "ours": ours, "moved": moved}
        kind = Kind.AMOUNT if moved else Kind.NO_MOVEMENT
        yield Difference(kind, row.provider_refund_id or "", str(row.payment_id), text % values)


def with_moved(rows: QuerySet[Any]) -> Any:
    """`moved`: minor units of their movements in their currency. Without rows that have a movement in an unknown one:
    that is a difference of its own."""
    elsewhere = ProviderMovement.objects.exclude(IS_EXCHANGE).exclude(currency=OuterRef("currency"))
    relation = "capture" if rows.model is Capture else "refund"
    return (
        rows.exclude(Exists(elsewhere.filter(**{relation: OuterRef("pk")})))
        .annotate(moved=Sum(moved_in("currency", "movements__"), default=0))
        .order_by("created_at")
    )


def disputes_without_movement(name: str, before: datetime) -> Iterator[Difference]:
    """Once all disputes of a payment are decided, the provider has kept what was lost."""
    decided = Dispute.objects.filter(provider=name, updated_at__lt=before).exclude(status=DisputeStatus.OPEN)
    undecided = Dispute.objects.filter(payment=OuterRef("pk")).filter(
        Q(status=DisputeStatus.OPEN) | Q(updated_at__gte=before) | ~Q(currency=OuterRef("currency"))
    )
    payments = Payment.objects.filter(pk__in=decided.order_by().values("payment")).exclude(Exists(undecided))
    taken = taken_for_disputes(payments.order_by().values_list("pk", flat=True))
    for row in payments.order_by("created_at").iterator():
        minor = taken.get(row.pk, 0)
        if minor == row.disputed_minor:
            continue
        text = _("%(ours)s of %(payment)s was lost in disputes, and the provider took %(taken)s for them.")
        lost, gone = Money.stored(row.disputed_minor, row.currency), Money.stored(minor, row.currency)
        values = {"ours": lost, "payment": row.payment_number, "taken": gone}
        kind = Kind.AMOUNT if minor else Kind.NO_MOVEMENT
        yield Difference(kind, row.provider_payment_id or "", str(row.pk), text % values)


def fees_that_differ(name: str) -> Iterator[Difference]:
    rows = ProviderMovement.objects.filter(
        provider=name, explained_by=Explanation.CAPTURE, kind=MovementKind.PAYMENT
    )
    known = rows.filter(capture__fee_minor__isnull=False, currency=F("capture__currency"))
    differing = known.exclude(fee_minor=F("capture__fee_minor")).select_related("capture")
    text = _("%(movement)s has a fee of %(fee)s; with the capture it was %(ours)s.")
    for row in differing.order_by("occurred_at")[:MOST_LISTED]:
        assert row.capture is not None  # noqa: S101  # by the filter
        ours = Money.stored(row.capture.fee_minor or 0, row.currency)
        yield of_movement(Kind.FEE, row, text, fee=row.fee, ours=ours)


def movements_in_other_currencies(name: str) -> Iterator[Difference]:
    rows = ProviderMovement.objects.filter(provider=name, payment__isnull=False)
    text = _("%(movement)s moved %(net)s, and its payment is for %(payment)s: it is not booked.")
    for row in (
        rows.exclude(IN_KNOWN_CURRENCY).select_related("payment").order_by("occurred_at")[:MOST_LISTED]
    ):
        assert row.payment is not None  # noqa: S101  # by the filter
        yield of_movement(Kind.CURRENCY, row, text, net=row.net, payment=row.payment.amount)


def movements_unexplained(name: str, before: datetime) -> Iterator[Difference]:
    rows = ProviderMovement.objects.filter(provider=name, explained_by="", closed_at=None)
    due = Q(kind=MovementKind.UNKNOWN) | Q(occurred_at__lt=before)
    text = _("%(movement)s (%(code)s) moved %(net)s on %(day)s, and the shop knows nothing of it (%(ours)s).")
    for row in rows.filter(due).order_by("occurred_at")[:MOST_LISTED]:
        day = date_format(timezone.localdate(row.occurred_at))
        yield of_movement(
            Kind.UNEXPLAINED, row, text, code=row.code, net=row.net, day=day, ours=row.net - row.net
        )


def of_movement(kind: Kind, row: ProviderMovement, text: str, **values: object) -> Difference:
    detail = text % {"movement": row.source_id or row.external_id, **values}
    return Difference(kind, row.external_id, str(row.payment_id or ""), detail)


# ---- sums --------------------------------------------------------------------------------------------------------


class Sums(NamedTuple):
    """By currency, in minor units."""

    required: Counter[str]
    waiting: Counter[str]
    ledger: Counter[str]


def balance_rows(
    run: ReconciliationRun, shown: Iterable[RemoteBalance], changed: Collection[ChangedMovement]
) -> list[BalanceRow]:
    """`changed`: movements that are not what was stored, and count as they are now."""
    name, sums, earlier = run.provider, read_sums(run.provider), earlier_balances(run)
    remote = {row.amount.currency: row for row in shown}
    rows = []
    for currency in sorted({*remote, *sums.required, *sums.ledger}):
        as_of = remote[currency].as_of if currency in remote else timezone.now()
        provider = remote[currency].amount.minor if currency in remote else 0
        moved = moved_until(name, currency, as_of) + sum(
            (now.net - stored.net).minor for stored, now in changed if stored.currency == currency
        )
        known = [row for _at, found in earlier for row in found if row["currency"] == currency]
        opening = known[0]["opening"] if known else 0 if earlier else provider - moved
        row = BalanceRow(
            currency=currency,
            provider=provider,
            opening=opening,
            gap=provider - moved - opening,
            ledger=sums.ledger[currency],
            waiting=sums.waiting[currency],
            ledger_gap=sums.ledger[currency] - sums.required[currency],
        )
        if any(row[part] for part in ("provider", "gap", "ledger", "ledger_gap")):
            rows.append(row)
    return rows


def moved_until(name: str, currency: str, as_of: datetime) -> int:
    rows = ProviderMovement.objects.filter(provider=name, currency=currency, occurred_at__lte=as_of)
    return int(rows.aggregate(sum=Sum("net_minor"))["sum"] or 0)


def read_sums(name: str) -> Sums:
    """What the ledger's account of the provider has to be, and what it is. They are read one after the other, as of
    one moment."""
    with snapshot():
        return sums_now(name)


def sums_now(name: str) -> Sums:
    required, waiting = Counter[str](), Counter[str]()
    captures = sums_by_currency(Capture.objects.filter(provider=name), "amount_minor")
    completed = PaymentRefund.objects.filter(payment__payment_provider=name, status=RefundStatus.COMPLETED)
    refunds = sums_by_currency(completed, "amount_minor")
    lost = lost_and_not_taken(name)
    movements = ProviderMovement.objects.filter(provider=name)
    in_books = movements.exclude(explained_by="").filter(Q(payment=None) | IN_KNOWN_CURRENCY)
    about_facts = in_books.filter(explained_by__in=[Explanation.CAPTURE, Explanation.REFUND])
    booked = sums_by_currency(in_books, "net_minor")
    moved = sums_by_currency(about_facts.exclude(IS_EXCHANGE), "gross_minor")
    converted = about_facts.filter(charged_minor__isnull=False).order_by().values_list("charged_currency")
    moved.update(dict(converted.annotate(Sum("charged_minor"))))
    everything = sums_by_currency(movements, "net_minor")
    for currency in {*captures, *refunds, *lost, *everything, *moved}:
        facts = captures[currency] - refunds[currency] - lost[currency]
        required[currency] = facts + booked[currency] - moved[currency]
        waiting[currency] = required[currency] - everything[currency]
    ledger = Counter[str]()
    for account, amount in balances():
        if account.kind == AccountKind.PROVIDER and account.scope == name:
            ledger[account.currency] += amount.minor
    return Sums(required, waiting, ledger)


def lost_and_not_taken(name: str) -> Counter[str]:
    found = Counter[str]()
    rows = Payment.objects.filter(payment_provider=name, disputed_minor__gt=0).order_by()
    lost = {
        pk: (currency, minor) for pk, currency, minor in rows.values_list("pk", "currency", "disputed_minor")
    }
    taken = taken_for_disputes(rows.values_list("pk", flat=True))
    for pk, (currency, minor) in lost.items():
        found[currency] += minor - min(minor, max(taken.get(pk, 0), 0))
    return found


def sums_that_differ(run: ReconciliationRun, rows: Iterable[BalanceRow]) -> Iterator[Difference]:
    earlier = earlier_balances(run)
    for row in rows:
        currency = row["currency"]
        provider, ledger = Money.stored(row["provider"], currency), Money.stored(row["ledger"], currency)
        if row["gap"]:
            gap = Money.stored(row["gap"], currency)
            text = _(
                "The provider’s balance is %(balance)s, and its movements add up to %(sum)s: a difference of %(gap)s"
                " since %(day)s."
            )
            day = date_format(began(earlier, currency, "gap"))
            values = {"balance": provider, "sum": provider - gap, "gap": gap, "day": day}
            yield Difference(Kind.BALANCE, currency, "", text % values)
        if row["ledger_gap"]:
            gap = Money.stored(row["ledger_gap"], currency)
            text = _(
                "The ledger has %(ledger)s at the provider, and its reasons add up to %(sum)s: a difference of %(gap)s"
                " since %(day)s."
            )
            day = date_format(began(earlier, currency, "ledger_gap"))
            values = {"ledger": ledger, "sum": ledger - gap, "gap": gap, "day": day}
            yield Difference(Kind.LEDGER, currency, "", text % values)


def earlier_balances(run: ReconciliationRun) -> list[tuple[datetime, list[BalanceRow]]]:
    """The newest first."""
    runs = ReconciliationRun.objects.filter(provider=run.provider, movements_until__isnull=False)
    found = runs.exclude(pk=run.pk).order_by("-created_at").values_list("created_at", "balances")
    return [(at, rows or []) for at, rows in found[:MOST_LISTED]]


def began(earlier: list[tuple[datetime, list[BalanceRow]]], currency: str, gap: str) -> date:
    """The day of the first of the latest runs that found this gap."""
    first = timezone.now()
    for at, rows in earlier:
        if not any(row["currency"] == currency and row[gap] for row in rows):  # type: ignore[literal-required]
            break
        first = at
    return timezone.localdate(first)
