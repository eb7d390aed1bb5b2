"""Saving, removing and paying with saved payment methods. Nothing here runs inside a transaction of the
caller.

A card is saved by a token from the provider's script, or by a setup that the buyer completes in the browser
and that the return page, a webhook or the periodic task finishes. Card numbers never reach the server.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core.errors import NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.core.security.card_data import RawCardData
from artisans.core.security.encryption import keyed_hashes
from payments.bookkeeping.provider_calls import (
    calls_with_secret,
    provider_call_enqueue,
    provider_call_finish,
)
from payments.bookkeeping.saved_methods import (
    customer_forget,
    get_customer_id,
    get_own_method,
    list_changed,
    method_deactivate,
    method_mark_missing,
    user_lock,
)
from payments.declines import decline_message, not_started
from payments.errors import (
    MethodDeclined,
    MethodNotOffered,
    MethodNotUsable,
    MethodRemoved,
    NotConfirmable,
    PaymentDeclined,
    ProviderUnavailable,
    SaveInProgress,
)
from payments.gateway.connection import can, execute
from payments.gateway.operations import provider_call_execute
from payments.gateway.payments import (
    PaymentResult,
    payment_confirm,
    payment_replace_at_provider,
    payment_sync,
    reload_payment,
)
from payments.gateway.saved_methods import FIRST_SETUP_CHECK, find_duplicates, save_method
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.offer import brand_refusal
from payments.methods import PaymentMethod
from payments.models import CallState, Operation, Payment, PaymentMethodInfo, ProviderCall
from payments.providers.contract import (
    Action,
    Capability,
    CustomerNotFound,
    DeclineGroup,
    ObjectNotFound,
    PaymentProvider,
    Refused,
    RemoteMethod,
    RemoteSetup,
    Unknown,
)
from payments.providers.registry import charges_saved_on_create, config_of, find_facts, label_of, takes
from payments.statuses import OPEN, PaymentStatus

TOKEN = re.compile(r"(?=.*[A-Za-z])[\w-]{4,120}", re.ASCII)
CARD_NUMBER_PATTERN = re.compile(r"\d{12}")
UUID_LENGTH = 36
LONGEST_PAUSE = timedelta(hours=1)
SETUP_LASTS = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class MethodSetup:
    """A setup that the buyer completes in the browser. `method`: once it is saved; `action`: what the buyer
    has to do."""

    id: UUID
    provider: str
    setup_id: str
    method: PaymentMethodInfo | None = None
    action: Action | None = None


# ---- saving by token -------------------------------------------------------------------------------------------------


def method_save(*, user: User, provider: str, token: str, is_default: bool = False) -> PaymentMethodInfo:
    """Save the method of a provider's token, which its bank may have to approve. While the outcome is
    unknown, the same request continues the same call.

    Errors: MethodNotOffered, RawCardData, MethodNotUsable, MethodDeclined, SaveInProgress.
    """
    check_can_save(provider)
    check_token(token)
    call = find_open_save(user, provider, token) or enqueue_save(
        user, provider, token=token, is_default=is_default
    )
    call_result = provider_call_execute(call.pk)
    if call_result.refused is not None:
        raise build_refusal(call_result.refused, provider)
    call = ProviderCall.objects.select_related("method").get(pk=call.pk)
    if call.method is None:
        raise SaveInProgress
    return call.method


def find_open_save(user: User, provider: str, token: str) -> ProviderCall | None:
    saves = ProviderCall.objects.filter(operation=Operation.SAVE, state=CallState.OPEN, user=user)
    return saves.filter(calls_with_secret("token", token), provider=provider).first()


@transaction.atomic
def enqueue_save(user: User, provider: str, **request: object) -> ProviderCall:
    stored = request | {"customer_id": get_customer_id(user.pk, provider)}
    return provider_call_enqueue(Operation.SAVE, provider=provider, user=user, request=stored)


def build_refusal(refused: Refused, provider: str) -> MethodDeclined | MethodNotUsable:
    if refused.decline is None:
        return MethodNotUsable()
    if refused.decline == DeclineGroup.AUTHENTICATION:
        return MethodDeclined(
            _("The bank requires authentication, so the card has to be saved in the browser."),
            group=refused.decline.value,
        )
    facts = find_facts(provider)
    method = facts.methods[0].method if facts else ""
    return MethodDeclined(decline_message(refused.decline, method), group=refused.decline.value)


def check_can_save(provider: str) -> None:
    if not can(provider, Capability.SAVE):
        raise MethodNotOffered(_("Payment methods of this provider cannot be saved."))


def check_token(token: str) -> None:
    """Refuse anything that looks like a card number. Errors: RawCardData, MethodNotUsable."""
    if CARD_NUMBER_PATTERN.search(re.sub(r"[\s-]", "", token)):
        raise RawCardData
    if not TOKEN.fullmatch(token):
        raise MethodNotUsable


def token_for_card(provider: str, number: object) -> str:
    """The test token of a published test number, in test mode only. Errors: RawCardData for everything else."""
    facts = find_facts(provider)
    token = ""
    if facts is not None and settings.ALLOW_TEST_CARDS and isinstance(number, str):
        token = facts.test_token(config_of(facts), number)
    if not token:
        raise RawCardData
    return token


# ---- saving by setup -------------------------------------------------------------------------------------------------


def method_setup_start(*, user: User, provider: str, is_default: bool = False) -> MethodSetup:
    """Start a setup; the action says what the buyer's browser has to do.

    A setup whose response was lost was never shown to the buyer, so it is given up and the buyer starts
    again. Errors: MethodNotOffered, ProviderUnavailable.
    """
    check_can_save(provider)
    knew_customer = get_customer_id(user.pk, provider)
    call = enqueue_save(user, provider, is_default=is_default)
    call_result = provider_call_execute(call.pk)
    if call_result.refused is not None and knew_customer and not get_customer_id(user.pk, provider):
        # the customer no longer existed: try with a new one
        call = enqueue_save(user, provider, is_default=is_default)
        call_result = provider_call_execute(call.pk)
    if not isinstance(call_result.answer, RemoteSetup):
        provider_call_finish(call, CallState.REFUSED, error=_("No response; the buyer can start again."))
        raise ProviderUnavailable(label_of(provider))
    return MethodSetup(call.pk, call.provider, call_result.answer.setup_id, action=call_result.answer.action)


def method_setup_finish(setup_id: str, *, user: User | None = None) -> MethodSetup:
    """Read the setup from the provider and store the method that it saved; may be repeated, in any order.

    Errors: NotFound (also for another user's setup), ProviderUnavailable.
    """
    calls = ProviderCall.objects.select_related("method", "user").filter(operation=Operation.SAVE)
    own = calls.filter(user=user) if user else calls
    call = setup_id and own.filter(object_id=setup_id).first()
    if not call:
        raise NotFound(_("Setup not found."))
    return read_setup(call)


def method_setup_of(*, user: User, call_id: UUID) -> MethodSetup:
    """The same by our id, for the pages. Errors: NotFound, ProviderUnavailable."""
    call = get_or_none(ProviderCall.objects.filter(pk=call_id, user=user, operation=Operation.SAVE))
    return method_setup_finish(call.object_id if call else "", user=user)


def read_setup(call: ProviderCall) -> MethodSetup:
    if call.method is not None:
        list_changed(call.method.user_id)  # the process that stored it may still have to
    if call.method is not None or call.state != CallState.DONE:
        return MethodSetup(call.pk, call.provider, call.object_id, call.method)
    try:
        setup = execute(call.provider, lambda provider: fetch_setup(provider, call))
    except (CustomerNotFound, ObjectNotFound):
        return MethodSetup(call.pk, call.provider, call.object_id)
    except (Refused, Unknown):
        raise ProviderUnavailable(call.get_provider_display()) from None
    method = save_setup_method(call.pk, setup.method) if setup.is_done and setup.method else None
    return MethodSetup(call.pk, call.provider, call.object_id, method, setup.action)


def fetch_setup(provider: PaymentProvider, call: ProviderCall) -> RemoteSetup:
    if "payment_id" in call.request:
        paid = provider.read(call.object_id)
        setup = RemoteSetup(
            call.object_id, paid.customer_id, is_done=paid.method is not None, method=paid.method
        )
    else:
        setup = provider.save_read(call.object_id)
    return replace(setup, method=find_duplicates(provider, setup.method)) if setup.method else setup


@transaction.atomic
def save_setup_method(call_id: UUID, remote: RemoteMethod) -> PaymentMethodInfo | None:
    """Locks: the user, so that a concurrent report finds the method that the first one stored."""
    user_lock(ProviderCall.objects.values_list("user", flat=True).get(pk=call_id))
    call = ProviderCall.objects.select_related("method", "user").get(pk=call_id)
    if call.method is None:
        save_method(call, remote)
    else:
        list_changed(call.method.user_id)
    return call.method


def setups_due() -> list[UUID]:
    """Unfinished setups of the last day that are due for a check."""
    now = timezone.now()
    begun = ProviderCall.objects.filter(operation=Operation.SAVE, state=CallState.DONE, method=None)
    due = begun.filter(next_try_at__lte=now, created_at__gt=now - SETUP_LASTS).exclude(object_id="")
    return list(due.order_by("next_try_at").values_list("pk", flat=True)[:100])


def setup_check(call_id: UUID) -> None:
    """Check a setup for the periodic task, with increasing delays."""
    call = ProviderCall.objects.select_related("method", "user").get(pk=call_id)
    pause = min(LONGEST_PAUSE, FIRST_SETUP_CHECK * 2 ** min(call.tries, 12))
    ProviderCall.objects.filter(pk=call_id).update(tries=call.tries + 1, next_try_at=timezone.now() + pause)
    read_setup(call)


# ---- removing --------------------------------------------------------------------------------------------------------


def method_remove(*, user: User, method_id: UUID) -> None:
    """Remove the method here at once, and at the provider; the periodic task retries until the provider
    responds.

    Errors: NotFound, MethodInUse.
    """
    call = method_deactivate(user=user, method_id=method_id)
    provider_call_execute(call.pk)


# ---- paying ----------------------------------------------------------------------------------------------------------


def saved_method(user: User | None, provider: str, method_reference: str) -> PaymentMethodInfo | None:
    """The saved method that a client names, by our id or by the provider's token; None for a token that is
    not saved.

    A token straight from the provider's script belongs to no user and is used once. Errors: NotFound for
    another user's method or a removed one; RawCardData, MethodNotUsable.
    """
    try:
        method_id = UUID(method_reference) if len(method_reference) == UUID_LENGTH else None
    except ValueError:
        method_id = None
    if method_id is not None:
        return get_own_method(user, method_id)
    check_token(method_reference)
    known = PaymentMethodInfo.objects.filter(
        provider=provider, provider_method_hash__in=keyed_hashes(method_reference)
    )
    saved = known.order_by("-is_active").first()
    return get_own_method(user, saved.pk) if saved else None


def payment_pay(
    payment_id: UUID, *, user: User | None, method_reference: str = "", shown: Money | None = None
) -> PaymentResult:
    """Pay with a saved method or a token; without one, check whether the buyer paid in the browser. `shown`: the amount
    that the buyer was shown, if it has to be the amount charged.

    Errors: NotConfirmable, PaymentBusy, PaymentInProgress, AmountMismatch, PaymentDeclined,
    ProviderUnavailable, MethodRemoved, MethodNotUsable, AmountTooLarge, and those of `saved_method`.
    """
    payment = reload_payment(payment_id)
    if not payment.is_remote:
        raise NotConfirmable(_("This payment cannot be confirmed through the API. Follow its next_action."))
    if payment.status not in OPEN:
        return PaymentResult(payment)
    if not method_reference:
        return sync_or_unavailable(payment)
    method = saved_method(user, payment.payment_provider, method_reference)
    if method is not None:
        payment = payment_at_holder(payment, method)
        if charges_saved_on_create(method.provider):
            return pay_with_account(payment, method, shown)
        ensure_customer_payment(payment, method)
    token = method.provider_method_id if method else method_reference
    result = payment_confirm(payment.pk, method_id=token, shown=shown)
    if result.refused is None or result.payment.status not in {PaymentStatus.PENDING, PaymentStatus.FAILED}:
        return result
    if method is not None and is_gone(method) and method_mark_missing(method):
        raise MethodRemoved
    raise MethodNotUsable


def payment_at_holder(payment: Payment, method: PaymentMethodInfo) -> Payment:
    """A saved method is charged by the provider that holds it: a payment elsewhere gives way to a new one there.

    Errors: AmountTooLarge for its brand, NotFound when that provider does not take the payment's method; those of
    `payment_choose_method`.
    """
    if refusal := brand_refusal(method.provider, payment.payment_method, method.card_brand, payment.amount):
        raise refusal
    if method.provider == payment.payment_provider:
        return payment
    if not takes(method.provider, payment.payment_method):
        raise NotFound(_("Payment method not found."))
    chosen = payment_choose_method(
        order_id=payment.order_id,
        method=PaymentMethod(payment.payment_method),
        provider=method.provider,
        actor=method.user,
    )
    return chosen.payment


def sync_or_unavailable(payment: Payment) -> PaymentResult:
    try:
        return payment_sync(payment.pk, cause="confirmed by the client")
    except (Refused, Unknown):
        raise ProviderUnavailable(payment.get_payment_provider_display()) from None


def ensure_customer_payment(payment: Payment, method: PaymentMethodInfo) -> None:
    """Replace an object without a customer first, because a saved method only pays objects of its own
    customer."""
    customer_id = get_customer_id(method.user_id, method.provider)
    made = payment.calls.filter(
        operation=Operation.CREATE,
        object_id=payment.provider_payment_id or "-",
        request__customer_id=customer_id,
    )
    if not made.exists():
        payment_replace_at_provider(payment.pk, Operation.CREATE, request={"customer_id": customer_id})


def pay_with_account(
    payment: Payment, method: PaymentMethodInfo, shown: Money | None = None
) -> PaymentResult:
    """Some providers charge a saved account when the payment is created, without further approval by its owner.

    Errors: PaymentBusy, PaymentInProgress, AmountMismatch, PaymentDeclined, ProviderUnavailable, MethodRemoved.
    """
    request: dict[str, object] = {
        "customer_id": get_customer_id(method.user_id, method.provider),
        "method_id": method.provider_method_id,
    }
    result = payment_replace_at_provider(payment.pk, Operation.CREATE, request=request, shown=shown)
    if result.refused is None:
        is_waiting = result.action is None and result.payment.status == PaymentStatus.PENDING
        return sync_or_unavailable(result.payment) if is_waiting else result  # it may have to be captured
    decline = result.refused.decline
    if decline in {None, DeclineGroup.OTHER_CARD} and is_gone(method) and method_mark_missing(method):
        raise MethodRemoved
    message = result.payment.failure_reason or not_started()
    raise PaymentDeclined(message, payment_id=str(payment.pk), group=decline.value if decline else "")


def is_gone(method: PaymentMethodInfo) -> bool:
    """Whether the provider no longer has the method. Errors: ProviderUnavailable."""
    return read_method(method) is None


def read_method(method: PaymentMethodInfo) -> RemoteMethod | None:
    """The method as the provider has it now; None if it is gone, alone or with its customer, who is forgotten then.
    Errors: ProviderUnavailable."""
    customer_id = get_customer_id(method.user_id, method.provider)
    try:
        held = execute(method.provider, lambda provider: provider.saved_methods(customer_id))
    except (CustomerNotFound, ObjectNotFound):
        customer_forget(method.user_id, method.provider, customer_id)
        return None
    except (Refused, Unknown):
        raise ProviderUnavailable(method.get_provider_display()) from None
    return next((remote for remote in held if remote.method_id == method.provider_method_id), None)
