"""Durable calls to a provider: a row is committed first, the call runs outside any transaction, then its
result is booked.

After a crash the row stays open and the call is repeated with the same idempotency key, so that it takes
effect once.
"""

import logging
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from artisans.accounts.models import User
from artisans.core.security.encryption import encrypt, keyed_hash, keyed_hashes
from payments.errors import PaymentBusy
from payments.models import CallState, Operation, Payment, PaymentMethodInfo, PaymentRefund, ProviderCall
from payments.models.provider_call import BUYER, CREATES_OBJECT, METHOD_IDS, SECRETS
from payments.providers.contract import Unknown
from payments.providers.registry import key_lifetime

logger = logging.getLogger(__name__)

# Three requests with their timeouts. The idempotency key makes a call that overruns its lease harmless.
LEASE = timedelta(seconds=40)
# Reserves the call for the request that wrote it; refunds are left to the worker from the start.
HEAD_START = timedelta(seconds=15)
BUYER_RETURN = "return"
UNSEEN = timedelta(minutes=10)  # how long to wait for a payment that was never shown to the buyer
MAX_PAUSE = 600


def provider_call_enqueue(
    operation: Operation,
    *,
    payment: Payment | None = None,
    refund: PaymentRefund | None = None,
    method: PaymentMethodInfo | None = None,
    user: User | None = None,
    provider: str = "",
    request: dict[str, Any] | None = None,
) -> ProviderCall:
    """Write a call about a payment, or about a user's methods (give `provider` then), in the transaction that
    decides on it.

    Errors: PaymentBusy while another call of this payment is open.
    """
    try:
        with transaction.atomic():
            return ProviderCall.objects.create(
                provider=payment.payment_provider if payment else provider,
                operation=operation,
                payment=payment,
                refund=refund,
                method=method,
                user=user,
                request=encrypt_secrets(request or {}),
                next_try_at=timezone.now() + (timedelta() if refund else HEAD_START),
            )
    except IntegrityError:
        raise PaymentBusy from None


def encrypt_secrets(request: dict[str, Any]) -> dict[str, Any]:
    """The request as stored: secrets are encrypted, with a keyed hash beside the id of a payment method for lookups."""
    secrets = {name: str(request[name]) for name in SECRETS if request.get(name)}
    hashes = {f"{name}_hash": keyed_hash(text) for name, text in secrets.items() if name in METHOD_IDS}
    return request | {name: encrypt(text) for name, text in secrets.items()} | hashes


def calls_with_secret(name: str, text: str) -> Q:
    """Filter for calls whose request holds this secret value under `name`."""
    return Q(**{f"request__{name}_hash__in": keyed_hashes(text)})


def provider_call_claim(call_id: UUID) -> ProviderCall | None:
    """Claim an open call for this worker. None when another worker holds it or it has ended.

    `tries` counts claims, so that an attempt whose worker died is counted too.
    """
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    claimed = ProviderCall.objects.filter(free, pk=call_id, state=CallState.OPEN).update(
        lease_until=now + LEASE, tries=F("tries") + 1
    )
    if not claimed:
        return None
    earlier = ProviderCall.objects.filter(payment=OuterRef("payment"), created_at__lt=OuterRef("created_at"))
    calls = ProviderCall.objects.annotate(has_earlier=Exists(earlier))
    return calls.select_related("payment__order", "refund", "method", "user").get(pk=call_id)


def provider_call_postpone(call: ProviderCall, unknown: Unknown) -> None:
    """Schedule the next try of a call whose outcome is unknown, with increasing delays.

    A Retry-After of the provider applies to all workers: until then the call counts as claimed.
    """
    now = timezone.now()
    pause = random.uniform(1, min(MAX_PAUSE, 2 * 2 ** min(call.tries, 10)))  # noqa: S311  # spread
    wanted = timedelta(seconds=0 if unknown.is_outage else unknown.retry_after)
    ProviderCall.objects.filter(pk=call.pk, state=CallState.OPEN).update(
        next_try_at=now + timedelta(seconds=unknown.retry_after + pause),
        lease_until=now + wanted if wanted else None,
        error=str(unknown)[:300],
    )
    logger.warning(
        "provider_unknown", extra={"call": str(call.pk), "provider": call.provider, "why": unknown.code}
    )


def provider_call_finish(
    call: ProviderCall, state: CallState, *, object_id: str = "", error: str = ""
) -> bool:
    """Close the call in the transaction that books its outcome. False when it was closed before."""
    kept = {name: value for name, value in call.request.items() if name != BUYER}
    request = {"request": kept} if BUYER in call.request else {}
    return bool(
        ProviderCall.objects.filter(pk=call.pk, state=CallState.OPEN).update(
            state=state,
            object_id=object_id,
            error=error[:300],
            lease_until=None,
            finished_at=timezone.now(),
            **request,
        )
    )


def approval_request(payment: Payment, approval: str) -> dict[str, Any]:
    """What a capture remembers: its object, and which return or event of the provider reported the approval."""
    request = {"object_id": payment.provider_payment_id}
    return request | {approval_kind(approval): approval} if approval else request


def approval_kind(approval: str) -> str:
    return "approved_by_return" if approval == BUYER_RETURN else "approved_by_event"


def capture_of_approval(payment: Payment, approval: str) -> ProviderCall | None:
    """The capture that was made for this approval, if any; the caller holds the payment's lock.

    `approval`: BUYER_RETURN or an event's id. The buyer's return and an event report the same approval, in either
    order and with any delay: a report belongs to the first capture of the object that has none of its kind yet.
    """
    if not approval:
        return None
    kind = approval_kind(approval)
    captures = list(
        payment.calls.filter(
            operation=Operation.CONFIRM, request__object_id=payment.provider_payment_id
        ).order_by("created_at")
    )
    known = [call for call in captures if call.request.get(kind) == approval]
    if known and approval != BUYER_RETURN:
        return known[0]  # the event is processed once more
    call = next((call for call in captures if kind not in call.request), None)
    if call is not None:
        call.request[kind] = approval
        call.save(update_fields=["request"])
    return call


def provider_calls_due(*, limit: int = 100) -> list[UUID]:
    """Open calls that are due and not claimed, oldest first."""
    return list(open_calls_due().order_by("next_try_at").values_list("pk", flat=True)[:limit])


def open_calls_due() -> QuerySet[ProviderCall]:
    now = timezone.now()
    is_free = Q(lease_until=None) | Q(lease_until__lt=now)
    return ProviderCall.objects.filter(is_free, state=CallState.OPEN, next_try_at__lte=now)


def is_unseen(call: ProviderCall) -> bool:
    """Whether the call creates something that the buyer has not been shown yet, so that nobody can have paid
    it."""
    return call.operation in CREATES_OBJECT and not call.request.get("method_id")


def is_too_old(call: ProviderCall) -> bool:
    """Whether to stop repeating the call: the provider may have dropped its key, or no money can depend on
    it."""
    lifetime = UNSEEN if is_unseen(call) else key_lifetime(call.provider, call.operation)
    return call.created_at < timezone.now() - lifetime
