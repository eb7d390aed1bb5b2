"""Saving the card that pays an order, with its buyer's consent. Nothing here runs inside a transaction of the caller.

The consent is a SAVE call about the payment's object. Once that is paid, the return page or the periodic task stores
the card, as for a setup (saved_methods.py).
"""

from contextlib import suppress
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from payments.bookkeeping.saved_methods import customer_renew, customer_save, get_customer_id, user_lock
from payments.errors import MethodNotOffered, ProviderUnavailable
from payments.gateway.connection import can, execute
from payments.gateway.payments import PaymentResult, payment_replace_at_provider, reload_payment
from payments.gateway.saved_methods import consent_record, save_request
from payments.lifecycle.saved_methods import read_setup
from payments.models import CallState, Operation, Payment, ProviderCall
from payments.providers.contract import Capability, Refused, Unknown
from payments.statuses import OPEN, PaymentStatus


def payment_save_method(payment_id: UUID, *, user: User, is_wanted: bool) -> None:
    """Save the card that will pay this payment, or no longer. Repeating this has no effect.

    Errors: MethodNotOffered, ProviderUnavailable.
    """
    payment = reload_payment(payment_id)
    object_id = payment.provider_payment_id
    if payment.status not in OPEN or not object_id or not can_save_on_payment(payment):
        raise MethodNotOffered(_("The card of this payment cannot be saved."))
    consent = find_consent(payment, user)
    if consent is None and is_wanted:
        consent = consent_record(payment, user, object_id)
    if consent is None:
        return
    request = save_request(consent)
    try:
        customer_id = execute(
            consent.provider,
            lambda provider: provider.save_on_payment(request, object_id, is_wanted=is_wanted),
        )
    except (Refused, Unknown):
        if is_wanted:
            consent_withdraw(consent)  # the page says that the card is not saved
        raise ProviderUnavailable(payment.get_payment_provider_display()) from None
    with transaction.atomic():
        user_lock(user.pk)
        customer_renew(user.pk, consent.provider, former=request.customer_id, current=customer_id)
        customer_save(user.pk, consent.provider, customer_id)
        if not is_wanted:
            consent_withdraw(consent)


def can_save_on_payment(payment: Payment) -> bool:
    return can(payment.payment_provider, Capability.SAVE_ON_PAYMENT)


def find_consent(payment: Payment, user: User) -> ProviderCall | None:
    """The user's consent to save the card that pays the payment's present object."""
    calls = ProviderCall.objects.select_related("user").filter(operation=Operation.SAVE, state=CallState.DONE)
    return calls.filter(user=user, object_id=payment.provider_payment_id or "-").first()


def consent_withdraw(consent: ProviderCall) -> None:
    ProviderCall.objects.filter(pk=consent.pk, method=None).update(
        state=CallState.REFUSED, error=_("The card is not to be saved.")
    )


def payment_open_hosted(payment_id: UUID, *, saves_for: User | None = None) -> PaymentResult:
    """Replace the payment's object by the provider's page. `saves_for`: the user who wants the card saved; their
    consent is part of the call that creates the page, and recorded with its result.

    Errors: as payment_replace_at_provider.
    """
    payment = reload_payment(payment_id)
    if saves_for is None or not can_save_on_payment(payment):
        return payment_replace_at_provider(payment_id, Operation.HOSTED)
    customer_id = get_customer_id(saves_for.pk, payment.payment_provider)
    request = {"save": True, "saves_for": str(saves_for.pk), "customer_id": customer_id}
    return payment_replace_at_provider(payment_id, Operation.HOSTED, request=request)


def payment_save_finish(payment: Payment) -> None:
    """Store the card that the payment saved, if its buyer wanted that. Without a response the periodic task does."""
    calls = ProviderCall.objects.select_related("method", "user").filter(
        operation=Operation.SAVE, state=CallState.DONE, method=None
    )
    consent = calls.filter(object_id=payment.provider_payment_id or "-").first()
    if consent is None or payment.status != PaymentStatus.COMPLETED:
        return
    with suppress(ProviderUnavailable):
        read_setup(consent)
