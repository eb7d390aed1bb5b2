"""Executing a call to a provider: request, then the booking of its answer."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from payments.bookkeeping.provider_alerts import alert_raise, alerts_sync
from payments.bookkeeping.provider_calls import provider_call_postpone
from payments.models import ProviderCall
from payments.providers.contract import (
    ProviderError,
    Refused,
    RemoteMethod,
    RemotePayment,
    RemoteRefund,
    RemoteSetup,
    Unknown,
)
from payments.providers.registry import execute

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetachedMethod:
    """The provider does not hold this method any more."""

    method_id: str


Answer = RemotePayment | RemoteRefund | RemoteSetup | RemoteMethod | DetachedMethod
A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call went: its answer, a definite refusal, or neither when the outcome is not known yet."""

    answer: Answer | None = None
    refused: Refused | None = None


def execute_call(
    call: ProviderCall,
    operation: Callable[[Any], A],
    *,
    book: Callable[[A], None],
    refuse: Callable[[Refused], None],
) -> CallResult:
    """Ask, then book the answer or the refusal (each in a transaction of its own); unknown is tried again later."""
    try:
        answer = execute(call.provider, operation)
    except Refused as refused:
        alert_forbidden(call, refused)
        refuse(refused)
        return CallResult(refused=refused)
    except Unknown as unknown:
        alert_forbidden(call, unknown)
        provider_call_postpone(call, unknown)
        return CallResult()
    lists = dict(answer.lists) if isinstance(answer, RemotePayment) else {}
    alerts_sync(call.provider, {call.operation: ""} | lists)
    book(answer)
    return CallResult(answer=answer)


def alert_forbidden(call: ProviderCall, error: ProviderError) -> None:
    """That our credentials were refused is for staff at once: no repetition will help."""
    if error.is_forbidden:
        alert_raise(provider=call.provider, part=call.operation, detail=str(error))
