"""Provider events about saved methods: a setup was completed, a method was detached. The provider is read
each time."""

from django.utils.translation import gettext as _

from artisans.core.errors import NotFound
from artisans.core.security.encryption import keyed_hashes
from payments.bookkeeping.saved_methods import method_mark_missing
from payments.errors import ProviderUnavailable
from payments.lifecycle.saved_methods import is_gone, method_setup_finish
from payments.models import EventState, PaymentMethodInfo, WebhookEvent
from payments.providers.contract import ProviderEvent, Unknown
from payments.webhooks.events import Outcome


def process_method_event(event: WebhookEvent, provider_event: ProviderEvent) -> Outcome:
    """Errors: Unknown while the provider does not respond; the event is retried then."""
    try:
        return (
            process_setup_event(provider_event)
            if provider_event.setup_id
            else process_method_removal(event.provider, provider_event)
        )
    except ProviderUnavailable as error:
        raise Unknown("no_answer", error.detail) from None


def process_setup_event(provider_event: ProviderEvent) -> Outcome:
    try:
        saving = method_setup_finish(provider_event.setup_id)
    except NotFound:
        return Outcome(EventState.IGNORED, _("No setup found for this event."))
    if saving.method is None:
        return Outcome(EventState.IGNORED, _("Read from the provider; nothing is saved yet."))
    return Outcome(EventState.DONE, _("Read from the provider; the method is saved."))


def process_method_removal(provider: str, provider_event: ProviderEvent) -> Outcome:
    known = PaymentMethodInfo.objects.filter(
        provider=provider, provider_method_hash__in=keyed_hashes(provider_event.method_id)
    )
    method = known.filter(is_active=True).first()
    if method is None or not is_gone(method):
        return Outcome(EventState.IGNORED, "Nothing new.")
    method_mark_missing(method.pk)
    return Outcome(EventState.DONE, _("The method no longer exists at the provider and was removed."))
