"""Sends a stored call to its provider; its handler (operations.py, saved_methods.py) books the result."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.utils.translation import gettext as _

from payments.bookkeeping.provider_alerts import alert_raise, alerts_sync
from payments.bookkeeping.provider_calls import is_unseen, provider_call_postpone
from payments.bookkeeping.review_flags import flag_raise
from payments.gateway.connection import NOT_CONFIGURED, execute, note_credentials
from payments.models import FlagKind, Operation, Payment, ProviderCall
from payments.providers.contract import (
    PaymentProvider,
    ProviderError,
    Refused,
    RemoteMethod,
    RemotePayment,
    RemoteRefund,
    RemoteSetup,
    Unknown,
)

TAKES_PAYMENTS = frozenset({Operation.CREATE, Operation.HOSTED, Operation.CONFIRM})
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetachedMethod:
    """The provider no longer stores this method."""

    method_id: str


Answer = RemotePayment | RemoteRefund | RemoteSetup | RemoteMethod | DetachedMethod
A_co = TypeVar("A_co", bound=Answer, covariant=True)


@dataclass(frozen=True, slots=True)
class CallResult(Generic[A_co]):
    """The result of a call: its answer, a definite refusal, or neither while the outcome is unknown."""

    answer: A_co | None = None
    refused: Refused | None = None


def execute_call(call: ProviderCall, operation: Callable[[PaymentProvider], A_co]) -> CallResult[A_co]:
    """Make the call; the caller books its answer or refusal. An unknown outcome is retried later."""
    try:
        answer = execute(call.provider, operation)
    except Refused as refused:
        alert_forbidden(call, refused)
        return CallResult(refused=refused)
    except Unknown as unknown:
        alert_forbidden(call, unknown)
        if is_definite(call, unknown):
            definite = Refused(unknown.code, unknown.detail)
            definite.is_forbidden = True
            return CallResult(refused=definite)
        if call.payment is not None:
            flag_not_configured(call.payment, unknown)
        provider_call_postpone(call, unknown)
        return CallResult()
    lists = dict(answer.lists) if isinstance(answer, RemotePayment) else {}
    alerts_sync(call.provider, {call.operation: ""} | lists)
    if is_unseen(call):
        note_credentials(call.provider, are_refused=False)
    return CallResult(answer)


def is_definite(call: ProviderCall, unknown: Unknown) -> bool:
    """Whether refused credentials mean that nothing happened: no earlier try, or one that no buyer could pay."""
    is_first = call.tries == 1 or is_unseen(call)
    return unknown.is_forbidden and call.operation in TAKES_PAYMENTS and is_first


def flag_not_configured(payment: Payment, error: ProviderError) -> None:
    """A provider without keys, or one that is not registered any more, cannot be asked: a person has to."""
    if error.code == NOT_CONFIGURED:
        label = payment.get_payment_provider_display()
        flag_raise(payment, FlagKind.STUCK, _("%(label)s is not configured in this shop.") % {"label": label})


def alert_forbidden(call: ProviderCall, error: ProviderError) -> None:
    """Alert staff at once when our credentials are refused, because retrying will not help.

    Only a call that creates a payment without a saved method concerns no existing object: its refusal would meet every
    buyer, so the provider is not offered.
    """
    if not error.is_forbidden:
        return
    alert_raise(provider=call.provider, part=call.operation, detail=str(error))
    if is_unseen(call):
        note_credentials(call.provider, are_refused=True)
