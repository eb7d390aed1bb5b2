"""Movements of money on both sides: the provider's from its objects, ours read for many payments at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID

from artisans.core.money import Money
from payments.models import Capture, Dispute, PaymentRefund
from payments.providers.contract import RemoteDisputeStatus, RemotePayment, RemoteRefundStatus
from payments.statuses import DisputeStatus, RefundStatus


class Fact(NamedTuple):
    """A movement of money on which both sides must agree. `minor` is 0 where amounts are not comparable."""

    what: str
    id: str
    minor: int


Facts = set[Fact]
DisputeState = tuple[str, str, Money]  # id, status, amount


class Books(NamedTuple):
    """Our records of some payments, by the payment's key; both are empty for a payment without any."""

    facts: Mapping[UUID, Facts]
    disputes: Mapping[UUID, set[DisputeState]]


def read_books(payments: Collection[UUID]) -> Books:
    """Three queries, however many payments."""
    facts, states = defaultdict[UUID, Facts](set), defaultdict[UUID, set[DisputeState]](set)
    captures = Capture.objects.filter(payment__in=payments).order_by()
    for payment, capture_id, minor in captures.values_list(
        "payment_id", "provider_capture_id", "amount_minor"
    ):
        facts[payment].add(Fact("capture", capture_id, minor))
    refunds = PaymentRefund.objects.filter(payment__in=payments, status=RefundStatus.COMPLETED)
    booked = refunds.exclude(provider_refund_id=None).order_by()
    for payment, refund_id, minor in booked.values_list("payment_id", "provider_refund_id", "amount_minor"):
        facts[payment].add(Fact("refund", str(refund_id), minor))
    for dispute in Dispute.objects.filter(payment__in=payments).order_by():
        states[dispute.payment_id].add((dispute.provider_dispute_id, dispute.status.lower(), dispute.amount))
        if dispute.status == DisputeStatus.LOST:
            facts[dispute.payment_id].add(Fact("lost dispute", dispute.provider_dispute_id, 0))
    return Books(facts, states)


def facts_from_books(payment: UUID) -> Facts:
    return read_books([payment]).facts[payment]


def facts_from_remote(remote: RemotePayment) -> Facts:
    """The movements at the provider. A failed refund is none."""
    done, lost = RemoteRefundStatus.SUCCEEDED, RemoteDisputeStatus.LOST
    return {
        *(Fact("capture", capture.capture_id, capture.amount.minor) for capture in remote.captures),
        *(Fact("refund", row.refund_id, row.amount.minor) for row in remote.refunds if row.status == done),
        *(Fact("lost dispute", row.dispute_id, 0) for row in remote.disputes if row.status == lost),
    }


def has_new_dispute(known: set[DisputeState], remote: RemotePayment) -> bool:
    """Whether a dispute differs from our record of it; an open one is no movement, but may be new."""
    return any((row.dispute_id, row.status.value, row.amount) not in known for row in remote.disputes)


def ids_of(remote: RemotePayment) -> tuple[str, ...]:
    return (remote.object_id, *remote.related_ids, *(capture.capture_id for capture in remote.captures))


def describe_facts(facts: Facts, currency: str) -> str:
    return ", ".join(
        f"{fact.what} {fact.id}" + (f" of {Money(fact.minor, currency)}" if fact.minor else "")
        for fact in sorted(facts)
    )
