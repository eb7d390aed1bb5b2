"""Provider events between adapter and inbox: what is stored of one, what it claims, and whether that is new."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from artisans.core.compiled import compiled
from artisans.core.money import Money
from artisans.core.security.encryption import decrypt_if_set, encrypt
from payments.bookkeeping.attempts import find_challenged
from payments.bookkeeping.refunds import STATUS_FROM_REMOTE as REFUND_STATUS_FROM_REMOTE
from payments.gateway.sync import DISPUTE_STATUS_FROM_REMOTE, STATUS_FROM_REMOTE
from payments.models import Capture, EventState, Payment, WebhookEvent
from payments.providers import contract
from payments.providers.contract import ProviderEvent, RemoteStatus
from payments.statuses import OPEN, RefundStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of processing an event. RECEIVED and WAITING are tried again later."""

    state: EventState
    note: str = ""
    payment_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A stored event as decoded, and what it is about, looked up once.

    `payment`: None for an unknown object, and for an event about a saved method. `object_id`: the object to
    read for the payment, "" for its current one. `foreign`: why the event is not about our account; "" if it
    is.
    """

    provider_event: ProviderEvent
    payment: Payment | None = None
    object_id: str = ""
    foreign: str = ""


# ---- storage -----------------------------------------------------------------------------------------------------

TEXT_FIELDS = (
    *("reference", "account", "status", "capture_id", "refund_id", "refund_status"),
    *("warning_id", "fraud_type"),
    *("dispute_id", "dispute_status", "challenge_id", "setup_id", "method_id", "customer_id"),
)
AMOUNT_FIELDS = ("amount", "refunded", "disputed")


def dump_event(provider_event: ProviderEvent) -> dict[str, Any]:
    """The event as JSON, without empty values. Amounts are text such as "99.99 USD"."""
    kept: dict[str, Any] = {"object_ids": list(provider_event.object_ids), "is_live": provider_event.is_live}
    kept |= {name: str(getattr(provider_event, name) or "") for name in TEXT_FIELDS}
    kept |= {
        name: str(amount) for name in AMOUNT_FIELDS if (amount := getattr(provider_event, name)) is not None
    }
    kept["method_id"] = encrypt(provider_event.method_id) if provider_event.method_id else ""
    kept["created_at"] = provider_event.created_at.isoformat() if provider_event.created_at else ""
    kept["payload"] = masked(dict(provider_event.payload), provider_event.method_id)
    return {name: value for name, value in kept.items() if value not in ("", {})}


def masked(value: Any, secret: str) -> Any:
    """The same JSON without ids of payment methods."""
    if isinstance(value, dict):
        return {name: masked(one, secret) for name, one in value.items()}
    return f"••••{secret[-4:]}" if secret and value == secret else value


def load_event(event: WebhookEvent) -> ProviderEvent:
    """Rebuild the event from its stored JSON."""
    kept = event.content
    return ProviderEvent(
        event_id=event.event_id,
        kind=event.kind,
        object_ids=tuple(kept["object_ids"]),
        is_live=kept["is_live"],
        reference=kept.get("reference", ""),
        account=kept.get("account", ""),
        created_at=datetime.fromisoformat(kept["created_at"]) if "created_at" in kept else None,
        amount=money_of(kept.get("amount")),
        status=RemoteStatus(kept["status"]) if "status" in kept else None,
        capture_id=kept.get("capture_id", ""),
        refunded=money_of(kept.get("refunded")),
        refund_id=kept.get("refund_id", ""),
        refund_status=contract.RemoteRefundStatus(kept["refund_status"]) if "refund_status" in kept else None,
        dispute_id=kept.get("dispute_id", ""),
        warning_id=kept.get("warning_id", ""),
        fraud_type=kept.get("fraud_type", ""),
        dispute_status=contract.RemoteDisputeStatus(kept["dispute_status"])
        if "dispute_status" in kept
        else None,
        disputed=money_of(kept.get("disputed")),
        challenge_id=kept.get("challenge_id", ""),
        setup_id=kept.get("setup_id", ""),
        customer_id=kept.get("customer_id", ""),
        method_id=decrypt_if_set(kept.get("method_id", "")),
        payload=kept.get("payload", {}),
    )


def money_of(text: str | None) -> Money | None:
    if text is None:
        return None
    amount, _, currency = text.partition(" ")
    try:
        return Money.parse(amount, currency)
    except ValueError:  # a negative amount: the object is read in any case
        return None


# ---- changes -----------------------------------------------------------------------------------------------------


def is_claim(provider_event: ProviderEvent) -> bool:
    """Whether the event says anything about money that the shop tracks."""
    is_news = provider_event.status not in {
        None,
        RemoteStatus.OPEN,
    }  # an object that awaits its buyer claims nothing
    return bool(
        is_news
        or provider_event.capture_id
        or provider_event.refund_id
        or provider_event.dispute_id
        or provider_event.warning_id
        or provider_event.refunded
    )


def has_news(provider_event: ProviderEvent, payment: Payment, object_id: str) -> bool:
    """Whether a claim of the event differs from our rows, so that the provider has to be read. Reads only.

    A failure always counts: a repeated one may have another reason, which the buyer sees. So does a capture
    without a status, such as a reversed one.
    """
    if provider_event.warning_id:
        return not payment.fraud_warnings.filter(provider_warning_id=provider_event.warning_id).exists()
    if provider_event.dispute_id:
        return not is_known_dispute(provider_event, payment)
    if provider_event.refund_id:
        return not is_known_refund(provider_event, payment)
    if provider_event.refunded is not None and provider_event.refunded.minor != payment.refunded_minor:
        return True
    if provider_event.capture_id and provider_event.status == RemoteStatus.SUCCEEDED:
        return not payment.received_minor or is_missing_capture(provider_event, payment)
    if provider_event.capture_id and provider_event.status is None:
        return True
    if provider_event.challenge_id and payment.status in OPEN:
        return find_challenged(payment.attempts.all(), provider_event.challenge_id) is None
    return provider_event.status is not None and is_new_status(provider_event.status, payment, object_id)


def is_missing_capture(provider_event: ProviderEvent, payment: Payment) -> bool:
    """Whether the event reports a capture that is not booked."""
    if not provider_event.capture_id or provider_event.status != RemoteStatus.SUCCEEDED:
        return False
    return not captures_by_id(payment.pk, provider_event.capture_id)


@compiled
def captures_by_id(payment_id: UUID, capture_id: str) -> QuerySet[Capture, tuple[UUID]]:
    found = Capture.objects.filter(payment=payment_id, provider_capture_id=capture_id)
    return found.order_by().values_list("pk")


def is_known_dispute(provider_event: ProviderEvent, payment: Payment) -> bool:
    """Compared by status and, where the event has one, amount."""
    known = payment.disputes.filter(provider_dispute_id=provider_event.dispute_id).first()
    wanted = (
        DISPUTE_STATUS_FROM_REMOTE.get(provider_event.dispute_status)
        if provider_event.dispute_status
        else None
    )
    if known is None or known.status != wanted:
        return False
    return provider_event.disputed in {None, known.amount}


def is_known_refund(provider_event: ProviderEvent, payment: Payment) -> bool:
    """A completed refund was pending before, so an event about a pending one is late."""
    if provider_event.refund_status in {None, contract.RemoteRefundStatus.UNKNOWN}:
        return False
    found = (
        payment.refunds.filter(provider_refund_id=provider_event.refund_id)
        .values_list("status", flat=True)
        .first()
    )
    wanted = REFUND_STATUS_FROM_REMOTE[provider_event.refund_status]
    return (found, wanted) == (RefundStatus.COMPLETED, RefundStatus.PROCESSING) or found == wanted


def is_new_status(status: RemoteStatus, payment: Payment, object_id: str) -> bool:
    """Only the current object changes an open payment's status; captures are compared separately."""
    is_present = object_id == payment.provider_payment_id
    if status == RemoteStatus.SUCCEEDED:
        return not is_present or payment.received_minor < payment.amount_minor
    if payment.status not in OPEN or not is_present:
        return False
    return status == RemoteStatus.FAILED or STATUS_FROM_REMOTE.get(status) != payment.status
