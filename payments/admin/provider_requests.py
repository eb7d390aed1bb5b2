"""Requests to providers: how long their answers took, and how they ended."""

from urllib.parse import urlencode

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    PLAIN,
    WARN,
    ReadOnlyAdmin,
    admin_list_url,
    column,
    two_lines,
    when,
)
from payments.codes import provider_code_text
from payments.models import Payment, ProviderRequest
from payments.providers.round_trips import RequestOutcome

TONES = {
    RequestOutcome.ANSWERED.value: GOOD,
    RequestOutcome.DECLINED.value: PLAIN,
    RequestOutcome.REFUSED.value: WARN,
    RequestOutcome.UNKNOWN.value: BAD,
}


def requests_address(payment: Payment) -> str:
    """The requests to its provider from the day on which it was made to that of its last change."""
    first, last = (timezone.localdate(at) for at in (payment.created_at, payment.updated_at))
    query = {
        "provider__exact": payment.payment_provider,
        "started_at_from": first,
        "started_at_to": last,
    }
    return admin_list_url(ProviderRequest, urlencode(query))


@admin.register(ProviderRequest)
class ProviderRequestAdmin(ReadOnlyAdmin):
    views = {
        "": _("All"),
        "outcome__exact=unknown": _("No usable answer"),
        "outcome__exact=refused": _("Refused"),
    }
    list_display = (
        "started",
        "provider",
        "operation",
        "duration",
        "state",
        "status_code",
        "error",
        "request_id",
    )
    list_filter = ("provider", "outcome", "is_test", ("started_at", DayRangeFilter))
    list_filter_submit = True
    fields = list_display
    ordering = ("-started_at",)

    @column(_("Time"), ordering="started_at", file="started_at")
    def started(self, row: ProviderRequest) -> str:
        return when(row.started_at)

    @column(_("Duration"), file="duration_ms")
    def duration(self, row: ProviderRequest) -> str:
        return gettext("%(count)s ms") % {"count": row.duration_ms}

    @column(_("Outcome"), label=TONES)
    def state(self, row: ProviderRequest) -> tuple[str, str]:
        return row.outcome, str(row.get_outcome_display())

    @column(_("Error"), ordering="error_code", file="error_code")
    def error(self, row: ProviderRequest) -> str:
        return two_lines(provider_code_text(row.error_code), row.error_code) if row.error_code else ""
