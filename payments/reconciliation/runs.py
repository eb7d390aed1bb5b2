"""Reconciliation: compares a provider's transactions in a period with our records, daily and on request.

Anything that we missed is applied in the same way as a webhook event. Differences that remain are recorded
for review and the payment is flagged; nothing is corrected in any other way.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.core.errors import InvalidInput
from artisans.core.models import save_columns
from artisans.core.money import Money
from artisans.core.security.redaction import scrub
from payments.bookkeeping.provider_alerts import alerts_sync
from payments.bookkeeping.review_flags import flag_raise
from payments.gateway.connection import can, configured, execute
from payments.gateway.payments import payment_sync
from payments.gateway.sync import find_amount_mismatch, find_foreign_object
from payments.models import CallState, Capture, Dispute, FlagKind, Payment, ProviderCall, ReconciliationRun
from payments.providers import contract
from payments.providers.contract import Capability, ObjectNotFound, ProviderError, RemotePayment
from payments.providers.registry import find_facts, reports_late
from payments.selectors import object_ids_of, payment_of_object
from payments.statuses import OPEN, DisputeStatus, RefundStatus

logger = logging.getLogger(__name__)

OVERLAP = timedelta(days=1)
FIRST_SPAN = timedelta(days=3)
MAX_SPAN = timedelta(days=31)
STUCK_AFTER = timedelta(hours=1)
MOST_KEPT = 1000  # the log has all of them


class Kind(StrEnum):
    """The kinds of difference. `MISSING_HERE`: the provider moved money, and no payment of ours belongs to it.
    `UNREGISTERED`: no registered provider takes this payment.
    """

    MISSING_HERE = "missing here"
    NOT_BOOKED = "not booked"
    NOT_THERE = "not at the provider"
    MISMATCH = "not ours"
    UNREADABLE = "unreadable"
    STUCK = "stuck"
    UNREGISTERED = "unregistered"


class Difference(NamedTuple):
    kind: Kind
    object_id: str
    payment: str
    detail: str


class Fact(NamedTuple):
    """A movement of money on which both sides must agree. `minor` is 0 where amounts are not comparable."""

    what: str
    id: str
    minor: int


Facts = set[Fact]
Progress = Callable[[int, int], None]


def reconcile(
    name: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress = lambda done, of: None,
) -> ReconciliationRun:
    """Compare one provider's transactions with our records. Without `since`, start one day before the end of
    the last complete run.

    Errors: InvalidInput for a provider that cannot list payments, or a period that is empty or too long. If
    the provider does not respond, the run records the error and the next one starts where the last complete
    one ended.
    """
    if not can(name, Capability.LIST):
        raise InvalidInput(
            _("%(name)s is not configured or cannot list its payments. Available: %(providers)s.")
            % {"name": name, "providers": ", ".join(reconcilable_providers())}
        )
    until = until or timezone.now()
    since = since or next_since(name, until)
    if not since < until <= since + MAX_SPAN:
        raise InvalidInput(_("The period must start before it ends and span at most 31 days."))
    run = ReconciliationRun.objects.create(provider=name, since=since, until=until)
    try:
        remotes = execute(name, lambda provider: list(provider.list_payments(since, until)))
    except ProviderError as error:
        run.error = scrub(str(error))[:300]
    else:
        moved, unread, run.error = moved_between(name, remotes, since, until)
        remotes += moved
        run.seen = len(remotes)
        remote_facts, disputed, unknown = collect_remote_facts(name, remotes)
        run.synced_count, found = find_differences(
            name, remote_facts, disputed, since=since, until=until, progress=progress
        )
        found = [*unread, *unknown, *found, *stuck_calls(name), *unregistered_payments(name)]
        run.differences = [difference._asdict() for difference in found[:MOST_KEPT]]
        for difference in found:
            logger.error("reconciliation_difference", extra={"provider": name} | difference._asdict())
    run.finished_at = timezone.now()
    save_columns(run, ["seen", "synced_count", "differences", "error", "finished_at"])
    return run


def moved_between(
    name: str, listed: list[RemotePayment], since: datetime, until: datetime
) -> tuple[list[RemotePayment], list[Difference], str]:
    """Payments with activity in the period, read in full; those that could not be read; and why the period
    has to be compared again, "" if it need not."""
    try:
        moved = execute(name, lambda provider: provider.list_moved(since, until))
    except ProviderError as error:
        return [], [], scrub(str(error))[:300]
    alerts_sync(name, moved.lists)
    seen = {known for remote in listed for known in ids_of(remote)}
    remotes, unread = [], []
    for ids in moved.ids:
        if seen.isdisjoint(ids):
            try:
                remotes.append(read_current(name, ids[0]))
            except ProviderError as error:
                unread.append(Difference(Kind.UNREADABLE, ids[0], "", scrub(str(error))[:300]))
            else:
                seen.update(ids_of(remotes[-1]))
    return (
        remotes,
        unread,
        "; ".join(f"{part}: {error}" for part, error in moved.lists.items() if error)[:300],
    )


def ids_of(remote: RemotePayment) -> tuple[str, ...]:
    return (remote.object_id, *remote.related_ids, *(capture.capture_id for capture in remote.captures))


def reconcilable_providers() -> list[str]:
    return [name for name in configured() if can(name, Capability.LIST)]


def next_since(name: str, until: datetime) -> datetime:
    good = ReconciliationRun.objects.filter(provider=name, error="", finished_at__isnull=False)
    last = good.order_by("-until").values_list("until", flat=True).first()
    since = min(last, until) - OVERLAP if last else until - FIRST_SPAN
    return max(since, until - MAX_SPAN)


# ---- both sides -----------------------------------------------------------------------------------------------------


def facts_from_books(payment: Payment) -> Facts:
    """The movements in our records."""
    captures = payment.captures.order_by().values_list("provider_capture_id", "amount_minor")
    refunds = (
        payment.refunds.filter(status=RefundStatus.COMPLETED).exclude(provider_refund_id=None).order_by()
    )
    lost = payment.disputes.filter(status=DisputeStatus.LOST).order_by()
    return {
        *(Fact("capture", *row) for row in captures),
        *(Fact("refund", str(row.provider_refund_id), row.amount_minor) for row in refunds),
        *(Fact("lost dispute", row, 0) for row in lost.values_list("provider_dispute_id", flat=True)),
    }


def facts_from_remote(remote: RemotePayment) -> Facts:
    """The movements at the provider. A failed refund is none."""
    done, lost = contract.RemoteRefundStatus.SUCCEEDED, contract.RemoteDisputeStatus.LOST
    return {
        *(Fact("capture", capture.capture_id, capture.amount.minor) for capture in remote.captures),
        *(Fact("refund", row.refund_id, row.amount.minor) for row in remote.refunds if row.status == done),
        *(Fact("lost dispute", row.dispute_id, 0) for row in remote.disputes if row.status == lost),
    }


def collect_remote_facts(
    name: str, remotes: Iterable[RemotePayment]
) -> tuple[dict[UUID, Facts], set[UUID], list[Difference]]:
    """The provider's movements of our payments; payments with changed disputes; and movements that refer to a
    payment which we do not have. Objects without a reference belong to other applications, and are counted."""
    remote_facts, disputed, found, others = defaultdict[UUID, Facts](set), set(), [], 0
    for remote in remotes:
        known = payment_of_object(name, ids_of(remote), remote.reference)
        if known is not None:
            remote_facts[known[0].pk] |= facts_from_remote(remote)
            if is_dispute_new(known[0], remote):
                disputed.add(known[0].pk)
        elif not remote.reference:
            others += 1
        elif facts := facts_from_remote(remote):
            currency = remote.captures[0].amount.currency if remote.captures else "XXX"
            text = _("%(facts)s; reference: %(reference)s")
            detail = text % {"facts": describe_facts(facts, currency), "reference": remote.reference[:60]}
            found.append(Difference(Kind.MISSING_HERE, remote.object_id, "", detail))
    if others:
        logger.info("reconciliation_of_others", extra={"provider": name, "count": others})
    return remote_facts, disputed, found


def find_differences(
    name: str,
    remote_facts: dict[UUID, Facts],
    disputed: set[UUID],
    *,
    since: datetime,
    until: datetime,
    progress: Progress,
) -> tuple[int, list[Difference]]:
    """How many payments were updated, and the differences that remain."""
    disputed = disputed | payments_with_open_disputes(name)
    booked = Capture.objects.filter(
        provider=name, created_at__gte=since, created_at__lt=until - reports_late(name)
    )
    payments = Payment.objects.in_bulk(
        {*remote_facts, *booked.values_list("payment_id", flat=True), *disputed}
    ).values()
    synced_count, found = 0, []
    for place, payment in enumerate(payments, start=1):
        before, theirs = facts_from_books(payment), remote_facts.get(payment.pk, set())
        if before != theirs or payment.pk in disputed:
            found += compare_payment_safely(payment, before, theirs)
            synced_count += facts_from_books(payment) != before
        progress(place, len(payments))
    return synced_count, found


def payments_with_open_disputes(name: str) -> set[UUID]:
    """Payments with open disputes: closing one moves no money, so no list of the period contains it."""
    open_ones = Dispute.objects.filter(provider=name, status=DisputeStatus.OPEN).order_by()
    return set(open_ones.values_list("payment_id", flat=True))


def is_dispute_new(payment: Payment, remote: RemotePayment) -> bool:
    """Whether a dispute differs from our record of it; an open one is no movement, but may be new."""
    ours = {(row.provider_dispute_id, row.status.lower(), row.amount) for row in payment.disputes.all()}
    return any((row.dispute_id, row.status.value, row.amount) not in ours for row in remote.disputes)


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
    for kind, facts in ((Kind.NOT_BOOKED, remote_facts - facts_from_books(payment)), (Kind.NOT_THERE, gone)):
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
            ReconciliationRun.objects.create(
                provider=name, since=now - OVERLAP, until=now, differences=kept, finished_at=now
            )
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


def describe_facts(facts: Facts, currency: str) -> str:
    return ", ".join(
        f"{fact.what} {fact.id}" + (f" of {Money(fact.minor, currency)}" if fact.minor else "")
        for fact in sorted(facts)
    )
