"""Reconciliation: compares a provider's transactions in a period with our records, daily and on request.

Anything that we missed is applied in the same way as a webhook event. Differences that remain are recorded
for review and the payment is flagged; nothing is corrected in any other way.

A period is compared day by day, and a day in batches as the provider lists it, so that memory does not grow with
the number of transactions. A run that crashes is continued by the next one.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.core.errors import InvalidInput
from artisans.core.models import save_columns
from artisans.core.security.redaction import scrub
from payments.bookkeeping.attempts import attempts_fill
from payments.bookkeeping.fraud_warnings import fraud_warning_record
from payments.bookkeeping.movements import movements_explain, movements_record
from payments.bookkeeping.provider_alerts import alerts_sync
from payments.bookkeeping.review_flags import flag_raise
from payments.gateway.connection import can, configured, execute
from payments.gateway.payments import payment_sync
from payments.gateway.sync import find_amount_mismatch, find_foreign_object
from payments.models import CallState, Capture, Dispute, FlagKind, Payment, ProviderCall, ReconciliationRun
from payments.providers.contract import (
    Capability,
    ObjectNotFound,
    PaymentProvider,
    ProviderError,
    RemoteAttempt,
    RemoteFraudWarning,
    RemotePayment,
)
from payments.providers.registry import find_facts, reports_late
from payments.reconciliation.books import (
    Facts,
    describe_facts,
    facts_from_books,
    facts_from_remote,
    has_new_dispute,
    ids_of,
    read_books,
)
from payments.reconciliation.closing import run_finish, runs_before, split_closed
from payments.reconciliation.differences import Difference, Kind
from payments.reconciliation.movements import (
    BalanceRow,
    ChangedMovement,
    balance_rows,
    changed_movements,
    find_differences,
    movements_since,
    sums_that_differ,
)
from payments.selectors import object_ids_of, payment_keys_of_objects
from payments.statuses import OPEN, DisputeStatus

T = TypeVar("T")

logger = logging.getLogger(__name__)

OVERLAP = timedelta(days=1)
FIRST_SPAN = timedelta(days=3)
MAX_SPAN = timedelta(days=31)
STEP = timedelta(days=1)  # after which a run that crashes need not be repeated
CRASHED_AFTER = timedelta(minutes=70)  # longer than the task may run
SECOND = timedelta(seconds=1)
BATCH = 100
ACCOUNT_BALANCE = "account balance"  # the part of a provider's API in alerts
STUCK_AFTER = timedelta(hours=1)
MOST_KEPT = 1000  # the log has all of them


# Records of the provider read so far, and the time up to which; the movements of its balance follow its payments.
Progress = Callable[[int, datetime], None]


def reconcile(
    name: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress = lambda done, day: None,
) -> ReconciliationRun:
    """Compare one provider's transactions with our records. Without `since`, continue a run that crashed, or start
    one day before the end of the last complete run.

    Errors: InvalidInput for a provider that cannot list payments, or a period that is empty or too long. If
    the provider does not respond, the run records the error and the next one starts where the last complete
    one ended.
    """
    if not can(name, Capability.LIST):
        raise InvalidInput(
            _("%(name)s is not configured or cannot list its payments. Available: %(providers)s.")
            % {"name": name, "providers": ", ".join(reconcilable_providers())}
        )
    run = run_begin(name, since, until or timezone.now())
    reconciler = Reconciler(run, progress)
    try:
        reconciler.compare_days()
    except ProviderError as error:
        reconciler.note_problem(error)
    else:
        reconciler.compare_open_disputes()
        reconciler.record([*stuck_calls(name), *unregistered_payments(name)])
        reconciler.compare_balance()
    with transaction.atomic():
        run_finish(run)
        reconciler.save_run("finished_at")
    return run


def run_begin(name: str, since: datetime | None, until: datetime) -> ReconciliationRun:
    """Errors: InvalidInput."""
    crashed = find_crashed_run(name) if since is None else None
    if crashed is not None and crashed.since < until <= crashed.since + MAX_SPAN:
        crashed.until = max(until, crashed.until)
        save_columns(crashed, ["until"])
        return crashed
    since = since or next_since(name, until)
    if not since < until <= since + MAX_SPAN:
        raise InvalidInput(_("The period must start before it ends and span at most 31 days."))
    return ReconciliationRun.objects.create(provider=name, since=since, until=until)


def find_crashed_run(name: str) -> ReconciliationRun | None:
    """The provider's last run, if it saved nothing for longer than a run may take."""
    last = ReconciliationRun.objects.filter(provider=name).order_by("-created_at").first()
    if last is None or last.finished_at or last.updated_at > timezone.now() - CRASHED_AFTER:
        return None
    return last


class Reconciler:
    """One run. What it remembers of a day are the keys of the payments that it compared, and the ids of objects that
    belong to none of ours."""

    def __init__(self, run: ReconciliationRun, progress: Progress) -> None:
        self.run, self.progress = run, progress
        self.compared: set[UUID] = set()
        self.others: set[str] = set()
        self.read_in_full: set[UUID] = set()  # of the whole run; few
        self.other_count = 0

    def compare_days(self) -> None:
        """Errors: those of the provider when it lists its payments."""
        start = self.run.compared_until or self.run.since
        while start < self.run.until:
            end = min(start + STEP, self.run.until)
            self.compare_day(start, end)
            self.run.compared_until = start = end
            self.save_run("compared_until")
        if self.other_count:
            extra = {"provider": self.run.provider, "count": self.other_count}
            logger.info("reconciliation_of_others", extra=extra)

    def compare_day(self, since: datetime, until: datetime) -> None:
        name = self.run.provider
        self.compared, self.others = set(), set()
        for remotes in batches(name, lambda provider: provider.list_payments(since, until)):
            self.compare_objects(remotes)
            self.progress(self.run.seen, until)
        try:
            lists: dict[str, str] = {}
            other_lists: dict[str, str] = {}
            for pages in batches(name, lambda provider: provider.list_moved(since, until), size=1):
                self.compare_objects(self.read_unseen(pages[0].ids))
                self.record_fraud_warnings(pages[0].fraud_warnings)
                lists |= pages[0].lists
                other_lists |= pages[0].other_lists
        except ProviderError as error:
            self.note_problem(error)
        else:
            alerts_sync(name, lists | other_lists)
            self.note_problem("; ".join(f"{part}: {error}" for part, error in lists.items() if error))
        self.fill_attempts(since, until)
        unlisted = captured_between(name, since, min(until, self.run.until - reports_late(name)))
        self.compare_payments({payment: set() for payment in unlisted - self.compared}, changed=set())
        self.progress(self.run.seen, until)

    def record_fraud_warnings(self, warnings: Sequence[RemoteFraudWarning]) -> None:
        """Those whose event was lost; of payments that are ours."""
        name = self.run.provider
        keys = payment_keys_of_objects(name, [(warning.object_ids, "") for warning in warnings])
        payments = Payment.objects.in_bulk([key for key in keys if key is not None])
        for warning, key in zip(warnings, keys, strict=True):
            if key is not None:
                fraud_warning_record(
                    payment=payments[key],
                    warning_id=warning.warning_id,
                    fraud_type=warning.fraud_type,
                    warned_at=warning.warned_at,
                )

    def fill_attempts(self, since: datetime, until: datetime) -> None:
        """Record declined attempts that no read of their payment showed."""
        name = self.run.provider
        try:
            for listed in batches(name, lambda provider: provider.list_attempts(since, until)):
                keys = payment_keys_of_objects(name, [((row.object_id,), row.reference) for row in listed])
                found = defaultdict[UUID, list[RemoteAttempt]](list)
                for row, key in zip(listed, keys, strict=True):
                    if key is not None:
                        found[key].append(row.attempt)
                attempts_fill(name, found)
        except ProviderError as error:
            self.note_problem(error)

    def read_unseen(self, ids: Iterable[tuple[str, ...]]) -> list[RemotePayment]:
        """The payments with these ids that were not compared today, read in full; each has several ids."""
        found, objects, taken = [], list(ids), set[UUID | None]()
        keys = payment_keys_of_objects(self.run.provider, [(known, "") for known in objects])
        for known, key in zip(objects, keys, strict=True):
            if key in self.compared or key in taken or not self.others.isdisjoint(known):
                continue
            taken |= {key} - {None}
            try:
                found.append(read_current(self.run.provider, known[0]))
            except ProviderError as error:
                self.others.update(known)
                self.record([Difference(Kind.UNREADABLE, known[0], "", scrub(str(error))[:300])])
        return found

    def compare_objects(self, remotes: list[RemotePayment]) -> None:
        """A movement that refers to a payment which we do not have is a difference. Objects without a reference belong
        to other applications, and are counted."""
        self.run.seen += len(remotes)
        keys = payment_keys_of_objects(
            self.run.provider, [(ids_of(remote), remote.reference) for remote in remotes]
        )
        facts = defaultdict[UUID, Facts](set)
        books = read_books({key for key in keys if key is not None})
        changed: set[UUID] = set()
        for remote, key in zip(remotes, keys, strict=True):
            if key is None:
                self.note_other(remote)
                continue
            facts[key] |= facts_from_remote(remote)
            if has_new_dispute(books.disputes[key], remote):
                changed.add(key)
        self.compare_payments(facts, changed=changed)

    def note_other(self, remote: RemotePayment) -> None:
        self.others.update((remote.object_id, *remote.related_ids))
        if not remote.reference:
            self.other_count += 1
        elif facts := facts_from_remote(remote):
            amounts = [row.amount for row in remote.captures] + [row.amount for row in remote.refunds]
            currency = amounts[0].currency if amounts else ""  # disputes are described without amounts
            text = _("%(facts)s; reference: %(reference)s")
            detail = text % {"facts": describe_facts(facts, currency), "reference": remote.reference[:60]}
            self.record([Difference(Kind.MISSING_HERE, remote.object_id, "", detail)])

    def compare_payments(self, facts: dict[UUID, Facts], *, changed: Collection[UUID]) -> None:
        """`facts`: what the provider shows of each payment. Those that differ from our books, and those that changed,
        are read in full."""
        for keys in chunks(facts):
            books = read_books(keys)
            differing = [key for key in keys if facts[key] != books.facts[key] or key in changed]
            payments = Payment.objects.in_bulk(differing)
            for key in differing:
                before = books.facts[key]
                self.record(compare_payment_safely(payments[key], before, facts[key]))
                self.run.synced_count += facts_from_books(key) != before
            self.compared.update(keys)
            self.read_in_full.update(differing)

    def compare_open_disputes(self) -> None:
        """Closing a dispute moves no money, so no list of the period contains it."""
        open_ones = Dispute.objects.filter(provider=self.run.provider, status=DisputeStatus.OPEN).order_by()
        left = set(open_ones.values_list("payment_id", flat=True)) - self.read_in_full
        self.compare_payments({payment: set() for payment in left}, changed=left)

    def compare_balance(self) -> None:
        """Read what moved our balance at the provider, and compare it with our books. A movement that is made while
        they are read may make a difference, so a second reading decides."""
        name = self.run.provider
        if not can(name, Capability.MOVEMENTS):
            return
        try:
            until, changed = self.read_movements(movements_since(self.run))
            rows = self.read_balance(changed)
            if any(row["gap"] for row in rows):
                until, _again = self.read_movements(until - STEP)
                rows = self.read_balance(changed)
        except ProviderError as error:
            alerts_sync(name, {ACCOUNT_BALANCE: str(error)})
            self.note_problem(error)
            return
        alerts_sync(name, {ACCOUNT_BALANCE: ""})
        self.run.movements_until, self.run.balances = until, rows
        self.record([*changed_movements(changed), *find_differences(name), *sums_that_differ(self.run, rows)])
        self.save_run("balances", "movements_until")

    def read_movements(self, since: datetime) -> tuple[datetime, list[ChangedMovement]]:
        """Store those since then; returns until when, and which are not what they were. Errors: those of the
        provider."""
        name, until, done = self.run.provider, timezone.now() + SECOND, self.run.seen
        changed: dict[UUID, ChangedMovement] = {}
        for remotes in batches(name, lambda provider: provider.list_movements(since, until)):
            changed |= {row.pk: (row, remote) for row, remote in movements_record(name, remotes)}
            done += len(remotes)
            self.progress(done, remotes[-1].occurred_at)
        movements_explain(name)
        return until, list(changed.values())

    def read_balance(self, changed: list[ChangedMovement]) -> list[BalanceRow]:
        """Errors: those of the provider."""
        shown = execute(self.run.provider, lambda provider: provider.balance())
        return balance_rows(self.run, shown, changed)

    def record(self, differences: list[Difference]) -> None:
        rows = [difference._asdict() for difference in differences]
        found, closed = split_closed(runs_before(self.run).first(), rows)
        for row in found:
            logger.error("reconciliation_difference", extra={"provider": self.run.provider, **row})
        self.run.differences = [*self.run.differences, *found][:MOST_KEPT]
        self.run.closed = [*(self.run.closed or ()), *closed][:MOST_KEPT]

    def note_problem(self, problem: object) -> None:
        """Why the period has to be compared again."""
        text = scrub(str(problem))
        if text and text not in self.run.error:
            self.run.error = "; ".join(filter(None, [self.run.error, text]))[:300]

    def save_run(self, *columns: str) -> None:
        save_columns(self.run, ["seen", "synced_count", "differences", "closed", "error", *columns])


def batches(
    name: str, open_list: Callable[[PaymentProvider], Iterable[T]], size: int = BATCH
) -> Iterator[list[T]]:
    """Parts of a list at the provider; each is a call of its own, so that a long list counts neither as slow nor as one
    that nobody answers. Errors: those of the provider."""
    rows: list[Iterator[T]] = []

    def take(provider: PaymentProvider) -> list[T]:
        rows[:] = rows or [iter(open_list(provider))]
        return list(islice(rows[0], size))

    while batch := execute(name, take):
        yield batch


def chunks(keys: Iterable[UUID]) -> Iterator[list[UUID]]:
    left = iter(keys)
    while chunk := list(islice(left, BATCH)):
        yield chunk


def captured_between(name: str, since: datetime, until: datetime) -> set[UUID]:
    booked = Capture.objects.filter(provider=name, created_at__gte=since, created_at__lt=until).order_by()
    return set(booked.values_list("payment_id", flat=True))


def reconcilable_providers() -> list[str]:
    return [name for name in configured() if can(name, Capability.LIST)]


def next_since(name: str, until: datetime) -> datetime:
    good = ReconciliationRun.objects.filter(provider=name, error="", finished_at__isnull=False)
    last = good.order_by("-until").values_list("until", flat=True).first()
    since = min(last, until) - OVERLAP if last else until - FIRST_SPAN
    return max(since, until - MAX_SPAN)


def compare_payment_safely(payment: Payment, before: Facts, remote_facts: Facts) -> list[Difference]:
    """The differences of one payment; an error becomes a difference, so that the other payments are still
    compared."""
    try:
        return compare_payment(payment, before, remote_facts)
    except Exception as error:
        logger.exception("reconciliation_unreadable", extra={"payment": str(payment.pk)})
        detail = scrub(f"{type(error).__name__}: {error}")[:300]
        return [Difference(Kind.UNREADABLE, payment.provider_payment_id or "", str(payment.pk), detail)]


def compare_payment(payment: Payment, before: Facts, remote_facts: Facts) -> list[Difference]:
    """Read each object of a payment, apply changes, and return the differences that remain; the payment is
    flagged for them.

    Bookings happen concurrently, so what was booked `before` the read must be at the provider, and what the
    provider shows must be booked after it. Errors: those of the provider and of `payment_sync`.
    """
    ours, found, is_whole = str(payment.pk), [], True
    for object_id in sorted(object_ids_of(payment)):
        try:
            payment_sync(payment.pk, cause="found by reconciliation", object_id=object_id)
            # the line above may have captured it
            remote = read_current(payment.payment_provider, object_id)
        except ObjectNotFound:
            continue
        remote_facts = remote_facts | facts_from_remote(remote)
        is_whole = is_whole and remote.is_whole
        if problem := find_foreign_object(payment, remote) or find_amount_mismatch(payment, remote):
            found.append(Difference(Kind.MISMATCH, object_id, ours, problem))
    gone = before - remote_facts if is_whole else set()  # a list that could not be fetched proves nothing
    for kind, facts in (
        (Kind.NOT_BOOKED, remote_facts - facts_from_books(payment.pk)),
        (Kind.NOT_THERE, gone),
    ):
        found += [
            Difference(kind, fact.id, ours, f"{describe_facts({fact}, payment.currency)}.")
            for fact in sorted(facts)
        ]
    if found:
        flag_raise(
            payment,
            FlagKind.MISMATCH,
            _("Reconciliation: %(kind)s: %(detail)s") % {"kind": found[0].kind, "detail": found[0].detail},
        )
    return found


def read_current(name: str, object_id: str) -> RemotePayment:
    return execute(name, lambda provider: provider.read(object_id))


def unregistered_payments(name: str) -> list[Difference]:
    """Payments that this provider does not take; of one that is not registered any more, what is unfinished."""
    facts = find_facts(name)
    payments = Payment.objects.filter(payment_provider=name)
    if facts is not None:
        payments = payments.exclude(payment_method__in=[method.method for method in facts.methods])
    else:
        payments = payments.filter(Q(status__in=OPEN) | Q(refund_reserved_minor__gt=0))
    return [
        Difference(
            Kind.UNREGISTERED,
            payment.provider_payment_id or "",
            str(payment.pk),
            _("%(method)s is not processed by %(provider)s.")
            % {
                "method": payment.get_payment_method_display(),
                "provider": payment.get_payment_provider_display(),
            },
        )
        for payment in payments.order_by("created_at")
    ]


def reconcile_unregistered() -> None:
    """List the same for providers that no run of `reconcile` reaches."""
    names = set(Payment.objects.order_by().values_list("payment_provider", flat=True).distinct())
    now = timezone.now()
    for name in sorted(names - set(reconcilable_providers())):
        if found := unregistered_payments(name):
            kept = [difference._asdict() for difference in found[:MOST_KEPT]]
            with transaction.atomic():
                run = ReconciliationRun(provider=name, since=now - OVERLAP, until=now, differences=kept)
                run_finish(run)
                run.save(force_insert=True)
            logger.error("reconciliation_unregistered", extra={"provider": name, "payments": len(found)})


def stuck_calls(name: str) -> list[Difference]:
    old = ProviderCall.objects.filter(
        provider=name, state=CallState.OPEN, created_at__lt=timezone.now() - STUCK_AFTER
    )
    return [
        Difference(
            Kind.STUCK,
            call.key,
            str(call.payment_id or ""),
            ngettext("%(call)s, tried %(tries)s time", "%(call)s, tried %(tries)s times", call.tries)
            % {"call": call, "tries": call.tries},
        )
        for call in old.order_by("created_at")
    ]
