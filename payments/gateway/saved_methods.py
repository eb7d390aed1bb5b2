"""Handlers of the calls that save and detach payment methods (see operations.py)."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core.idempotency.keys import effect_record
from payments.bookkeeping.provider_calls import is_too_old, provider_call_enqueue, provider_call_finish
from payments.bookkeeping.saved_methods import (
    customer_forget,
    customer_renew,
    customer_save,
    get_customer_id,
    method_store,
)
from payments.gateway.calls import CallResult, DetachedMethod, execute_call
from payments.models import CallState, Operation, Payment, ProviderCall
from payments.models.provider_call import GIVEN_UP
from payments.providers.contract import (
    CustomerNotFound,
    PaymentProvider,
    Refused,
    RemoteMethod,
    RemoteSetup,
    SaveRequest,
)

logger = logging.getLogger(__name__)

FIRST_SETUP_CHECK = timedelta(minutes=2)  # until then the buyer is filling in the form


def execute_save(call: ProviderCall) -> CallResult[RemoteMethod] | CallResult[RemoteSetup]:
    """Save the method of a token, or start a setup that the buyer completes in the browser."""
    if is_too_old(call):
        refuse_save(call, Refused(GIVEN_UP, _("No response within a day.")))
        return CallResult()
    request, token = save_request(call), call.secret("token")
    result: CallResult[RemoteMethod] | CallResult[RemoteSetup]
    if token:
        result = saved = execute_call(call, lambda provider: save_by_token(provider, request, token))
        if saved.answer:
            book_method(call, saved.answer)
    else:
        result = started = execute_call(call, lambda provider: provider.save_start(request))
        if started.answer:
            book_setup(call, started.answer)
    if result.refused:
        refuse_save(call, result.refused)
    return result


def save_by_token(provider: PaymentProvider, request: SaveRequest, token: str) -> RemoteMethod:
    return find_duplicates(provider, provider.save_token(request, token))


def find_duplicates(provider: PaymentProvider, remote: RemoteMethod) -> RemoteMethod:
    """The method with the other ids under which the customer has the same card. Errors: Refused, Unknown."""
    if not remote.fingerprint:
        return remote
    same = tuple(
        other.method_id
        for other in provider.saved_methods(remote.customer_id)
        if other.fingerprint == remote.fingerprint and other.method_id != remote.method_id
    )
    return replace(remote, duplicates=same)


def execute_detach(call: ProviderCall) -> CallResult[DetachedMethod]:
    """Detach the method, or delete the customer of a person whose data is erased. Repeating this is harmless, however
    late."""
    method_id, customer_id = call.secret("method_id"), call.request.get("customer_id", "")

    def forget(provider: PaymentProvider) -> DetachedMethod:
        if customer_id:
            provider.forget_customer(customer_id, key=call.key)
        else:
            provider.detach(method_id, key=call.key)
        return DetachedMethod(method_id)

    result = execute_call(call, forget)
    if result.answer or isinstance(result.refused, CustomerNotFound):
        provider_call_finish(call, CallState.DONE)
    elif result.refused:
        refuse_detach(call, result.refused)
    return result


def save_request(call: ProviderCall) -> SaveRequest:
    """The same for every repeat of the call."""
    back = f"{settings.SITE_URL}{reverse('payments:method_return', args=[call.pk])}"
    cancel = f"{settings.SITE_URL}{reverse('payments:method_list')}"
    return SaveRequest(
        key=call.key,
        user_id=str(owner_of(call).pk),
        customer_id=call.request.get("customer_id", ""),
        return_url=back,
        cancel_url=cancel,
    )


def owner_of(call: ProviderCall) -> User:
    if call.user is None:
        raise TypeError(f"{call.operation} without a user")
    return call.user


def consented_at(call: ProviderCall) -> datetime:
    """The request to save is the buyer's consent, or the request for a page that also saves the card."""
    return parse_datetime(call.request.get("consented_at", "")) or call.created_at


@transaction.atomic
def consent_record(
    payment: Payment, user: User, object_id: str, *, given_at: datetime | None = None
) -> ProviderCall:
    """Record a user's consent to save the card that pays this object, as a call that is done: the periodic task stores
    the card once it has paid."""
    request = {
        "payment_id": str(payment.pk),
        "customer_id": get_customer_id(user.pk, payment.payment_provider),
        "consented_at": (given_at or timezone.now()).isoformat(),
    }
    call = provider_call_enqueue(
        Operation.SAVE,
        provider=payment.payment_provider,
        user=user,
        request=request,
    )
    provider_call_finish(call, CallState.DONE, object_id=object_id)
    ProviderCall.objects.filter(pk=call.pk).update(next_try_at=timezone.now() + FIRST_SETUP_CHECK)
    return call


# ---- booking ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def book_method(call: ProviderCall, remote: RemoteMethod) -> None:
    if provider_call_finish(call, CallState.DONE):
        save_method(call, remote)


@transaction.atomic
def book_setup(call: ProviderCall, setup: RemoteSetup) -> None:
    """Keep the provider's id of the setup, by which events find its user."""
    if provider_call_finish(call, CallState.DONE, object_id=setup.setup_id):
        if setup.customer_id:
            renew_customer(call, setup.customer_id)
            customer_save(owner_of(call).pk, call.provider, setup.customer_id)
        ProviderCall.objects.filter(pk=call.pk).update(next_try_at=timezone.now() + FIRST_SETUP_CHECK)


def renew_customer(call: ProviderCall, customer_id: str) -> None:
    former = call.request.get("customer_id", "")
    customer_renew(owner_of(call).pk, call.provider, former=former, current=customer_id)


def save_method(call: ProviderCall, remote: RemoteMethod) -> None:
    """Store the method and its id on the call, in the caller's transaction. A method that cannot be stored
    closes the call."""
    renew_customer(call, remote.customer_id)
    call.method = method_store(
        user_id=owner_of(call).pk,
        provider=call.provider,
        remote=remote,
        consented_at=consented_at(call),
        is_default=call.request.get("is_default", False),
    )
    call.state = CallState.DONE if call.method else CallState.REFUSED
    call.save(update_fields=["method", "state", "updated_at"])
    if call.method is not None:
        effect_record(f"method:{call.method.pk}")


@transaction.atomic
def refuse_save(call: ProviderCall, refused: Refused) -> None:
    """Forget a customer that no longer exists at the provider, so that the next try creates a new one."""
    provider_call_finish(call, CallState.REFUSED, error=str(refused))
    if isinstance(refused, CustomerNotFound) and call.request["customer_id"]:
        customer_forget(owner_of(call).pk, call.provider, call.request["customer_id"])


@transaction.atomic
def refuse_detach(call: ProviderCall, refused: Refused) -> None:
    """The method can no longer be used here; staff see why the provider keeps it."""
    provider_call_finish(call, CallState.STUCK, error=str(refused))
    logger.error("detach_refused", extra={"call": str(call.pk), "why": refused.code})
