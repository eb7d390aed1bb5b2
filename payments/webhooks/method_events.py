"""Provider events about saved methods: a setup was completed, a method was detached. The provider is read
each time."""

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from artisans.core.errors import NotFound
from artisans.core.security.encryption import keyed_hashes
from payments.bookkeeping.saved_methods import customer_forget, method_mark_missing, method_refresh
from payments.errors import ProviderUnavailable
from payments.gateway.connection import execute
from payments.gateway.operations import release_object
from payments.lifecycle.saved_methods import method_setup_finish, read_method
from payments.models import (
    EventState,
    Payment,
    PaymentMethodInfo,
    ProviderCall,
    ProviderCustomer,
    WebhookEvent,
)
from payments.providers.contract import ProviderEvent, Unknown
from payments.statuses import OPEN
from payments.webhooks.events import Outcome


def process_method_event(event: WebhookEvent, provider_event: ProviderEvent) -> Outcome:
    """Errors: Unknown while the provider does not respond; the event is retried then."""
    if provider_event.customer_id:
        return process_customer_removal(event.provider, provider_event.customer_id)
    try:
        return (
            process_setup_event(provider_event)
            if provider_event.setup_id
            else process_method_change(event.provider, provider_event)
        )
    except ProviderUnavailable as error:
        raise Unknown("no_answer", error.detail) from None


def process_customer_removal(provider: str, customer_id: str) -> Outcome:
    """Forget a customer that was deleted, and replace open payments of it, which could not be paid any more.
    Errors: Unknown."""
    known = ProviderCustomer.objects.filter(provider=provider, customer_id=customer_id).first()
    if known is None or execute(provider, lambda configured: configured.has_customer(customer_id)):
        return Outcome(EventState.IGNORED, _("Nothing new."))
    customer_forget(known.user_id, provider, customer_id)
    for payment in payments_of_customer(known):
        release_object(payment.pk)
    return Outcome(EventState.DONE, _("The customer no longer exists at the provider and was forgotten."))


def payments_of_customer(customer: ProviderCustomer) -> QuerySet[Payment]:
    """Open payments whose current object was created for this customer."""
    created = ProviderCall.objects.filter(
        payment=OuterRef("pk"),
        object_id=OuterRef("provider_payment_id"),
        request__customer_id=customer.customer_id,
    )
    own = Payment.objects.filter(
        payment_provider=customer.provider, user_id=customer.user_id, status__in=OPEN
    )
    return own.filter(Exists(created))


def process_setup_event(provider_event: ProviderEvent) -> Outcome:
    try:
        saving = method_setup_finish(provider_event.setup_id)
    except NotFound:
        return Outcome(EventState.IGNORED, _("No setup found for this event."))
    if saving.method is None:
        return Outcome(EventState.IGNORED, _("Read from the provider; nothing is saved yet."))
    return Outcome(EventState.DONE, _("Read from the provider; the method is saved."))


def process_method_change(provider: str, provider_event: ProviderEvent) -> Outcome:
    """The owner or the provider removed the method, or the card network replaced the card."""
    known = PaymentMethodInfo.objects.filter(
        provider=provider, provider_method_hash__in=keyed_hashes(provider_event.method_id)
    )
    method = known.filter(is_active=True).first()
    if method is None:
        return Outcome(EventState.IGNORED, _("Nothing new."))
    remote = read_method(method)
    if remote is None and method_mark_missing(method):
        return Outcome(EventState.DONE, _("The method no longer exists at the provider and was removed."))
    if remote is not None and method_refresh(method.pk, remote):
        return Outcome(EventState.DONE, _("The card was replaced; its new details are stored."))
    return Outcome(EventState.IGNORED, _("Nothing new."))
