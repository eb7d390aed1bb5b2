"""Checks of payment providers for `manage.py doctor`."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from artisans.core.doctor.database import clock_result
from artisans.core.doctor.registry import Check, Result, state_if
from artisans.core.heartbeats import restored
from payments.checks import find_step_errors
from payments.gateway.access import find_access, provider_time
from payments.gateway.connection import configured, is_configured
from payments.metrics import count_failed_events
from payments.models import PaymentAttempt, ReconciliationRun, WebhookEvent
from payments.providers import registry
from payments.providers.facts import ProviderFacts
from payments.reconciliation.runs import reconcilable_providers
from payments.selectors import alerts_open, reconciliation_runs_to_review

LONGEST = 120  # of an error's text
REMEDY = gettext_lazy(
    "See the provider's status page; compare its key with its dashboard, and the permissions with "
    "`manage.py check_providers`."
)
RECENT = timedelta(days=1)
EVENTS_SINCE = timedelta(days=30)
RECONCILED_WITHIN = timedelta(hours=26)


def check_access(facts: ProviderFacts) -> Iterator[Result]:
    """Every part of the API that the shop needs, with read-only requests."""
    if facts.name not in configured():
        return
    found = find_access(facts.name)
    refused = [access for access in found if access.error]
    works = ngettext("%(count)s part of its API responds", "%(count)s parts of its API respond", len(found))
    value = works % {"count": len(found)}
    if refused:
        parts = ", ".join(access.part for access in refused)
        value = _("failing: %(parts)s (%(error)s)") % {"parts": parts, "error": refused[0].error[:LONGEST]}
    yield Result(
        facts.label,
        state_if(problem=refused),
        f"{registry.account_of(facts.name)}; {value}",
        "",
        str(REMEDY),
    )


def check_clock(facts: ProviderFacts) -> Iterator[Result]:
    if facts.name not in configured():
        return
    before = timezone.now()
    theirs = provider_time(facts.name)
    if theirs is not None:
        yield clock_result(
            _("Clock compared with %(name)s") % {"name": facts.label},
            theirs,
            before,
            precision=timezone.now() - before + timedelta(seconds=1),  # the header has whole seconds
        )


def check_events() -> Iterator[Result]:
    now = timezone.now()
    for facts in registry.remote_providers():
        if not is_configured(facts):
            continue
        events = WebhookEvent.objects.filter(provider=facts.name, created_at__gte=now - EVENTS_SINCE)
        last = events.order_by("-created_at").values_list("created_at", flat=True).first()
        attempts = PaymentAttempt.objects.filter(provider=facts.name, created_at__gte=now - RECENT)
        is_silent = (last is None or last < now - RECENT) and attempts.exists()
        has_secret = registry.config_of(facts).can_verify_webhooks
        seen = date_format(timezone.localtime(last), "DATETIME_FORMAT") if last else _("none in 30 days")
        yield Result(
            _("Webhooks of %(name)s") % {"name": facts.label},
            state_if(problem=is_silent or not has_secret),
            _("last event: %(time)s") % {"time": seen} if has_secret else _("cannot be verified: no secret"),
            _("one within a day of each payment"),
            _(
                "Compare the webhook's address and secret in the provider's dashboard with the settings, and see there "
                "which deliveries failed and why."
            ),
        )


def check_failed_events() -> Iterator[Result]:
    failed = count_failed_events()
    yield Result(
        _("Webhook events that wait for staff"),
        state_if(problem=failed),
        str(failed),
        _("none"),
        _("Open them under Webhooks in the admin: each names the reason, and can be processed again."),
    )


def check_alerts() -> Iterator[Result]:
    parts = [
        f"{registry.label_of(name)}: {part}" for name, part in alerts_open().values_list("provider", "part")
    ]
    yield Result(
        _("Provider alerts"),
        state_if(problem=parts),
        ", ".join(sorted(parts)) or _("none"),
        "",
        _("See Provider alerts in the admin. They close automatically when the next request succeeds."),
    )


def check_reconciliation() -> Iterator[Result]:
    failing = set(reconciliation_runs_to_review().order_by().values_list("provider", flat=True))
    finished = ReconciliationRun.objects.filter(finished_at__isnull=False)
    for facts in registry.remote_providers():
        if not is_configured(facts):
            continue
        last = finished.filter(provider=facts.name).order_by("-created_at").first()
        is_late = last is not None and last.created_at < timezone.now() - RECONCILED_WITHIN
        value = date_format(timezone.localtime(last.created_at), "DATETIME_FORMAT") if last else _("never")
        if facts.name in failing:
            value = _("%(time)s: differences, or no answer") % {"time": value}
        yield Result(
            _("Reconciliation with %(name)s") % {"name": facts.label},
            state_if(problem=facts.name in failing, warning=is_late),
            value,
            _("every night, without differences"),
            _("Open the last run under Reconciliation in the admin, and review what differs."),
        )


def check_currencies() -> Iterator[Result]:
    errors = list(find_step_errors())
    yield Result(
        _("Currencies of the shop at its providers"),
        state_if(problem=errors),
        " ".join(str(error.msg) for error in errors) or _("every amount can be charged and refunded exactly"),
        "",
        " ".join(str(error.hint) for error in errors[:1]),
    )


def check_restored() -> Iterator[Result]:
    """What was paid after the backup is known to the providers only. Nothing is said of restores that are long ago."""
    found = restored()
    if found is None or found[0] < timezone.now() - EVENTS_SINCE:
        return
    at, of = found
    whole = ReconciliationRun.objects.filter(error="", finished_at__gte=at, since__lte=of)
    left = set(reconcilable_providers()) - set(whole.values_list("provider", flat=True))
    time = date_format(timezone.localtime(of), "DATETIME_FORMAT")
    yield Result(
        _("Restored database"),
        state_if(problem=left),
        _("of %(time)s; not reconciled since: %(names)s") % {"time": time, "names": ", ".join(sorted(left))}
        if left
        else _("of %(time)s; reconciled") % {"time": time},
        "",
        _(
            "Run `manage.py reconcile` with --since a day before that time: buyers may have paid for orders that the "
            "backup does not contain (docs/backup.md)."
        ),
    )


def provider_checks() -> dict[str, Check]:
    """Each provider has checks of its own, so that one that hangs does not hide the others."""
    checks = {
        "webhooks": Check(check_events),
        "failed webhook events": Check(check_failed_events),
        "provider alerts": Check(check_alerts),
        "reconciliation": Check(check_reconciliation),
        "restored": Check(check_restored),
        "currencies": Check(check_currencies),
    }
    for facts in registry.remote_providers():
        checks[f"{facts.name} access"] = Check(partial(check_access, facts), uses_network=True, remedy=REMEDY)
        checks[f"{facts.name} clock"] = Check(partial(check_clock, facts), uses_network=True, remedy=REMEDY)
    return checks
