"""Errors, sent to a server that understands Sentry's protocol, such as Sentry or GlitchTip (docs/monitoring.md).

Only what is logged as an error is reported: with its stack, but without requests, users, values of variables or
breadcrumbs. A thread sends the reports, so that nothing waits for the server; it drops those that it cannot deliver.
"""

import re
from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from artisans.core.logs import event_of, extra_of, is_refusal
from artisans.core.requests import request_id
from artisans.core.security.redaction import scrub_error
from artisans.core.web.request_log import route_of

KEPT = {
    "event_id",
    "timestamp",
    "level",
    "logger",
    "platform",
    "release",
    "environment",
    "server_name",
    "exception",
    "sdk",
}
SPACED_TEXT = re.compile(
    r"""(['"])[^'"\n]*\s[^'"\n]*\1"""
)  # in quotes: a name or an address rather than an identifier


def start() -> None:
    """Errors: ValueError for a SENTRY_DSN that is not one."""
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.SITE_HOST,
        release=str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        before_send=reduce_event,
        default_integrations=False,
        integrations=[
            LoggingIntegration(level=None, sentry_logs_level=None),
            ExcepthookIntegration(),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        include_local_variables=False,
        send_default_pii=False,
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        shutdown_timeout=2,
    )


def reduce_event(event: Any, hint: dict[str, Any]) -> Any:
    """The event with the kept fields only, their texts scrubbed; None for a request that was refused."""
    record = hint.get("log_record")
    if record and is_refusal(record):
        return None
    found: dict[str, Any] = {name: value for name, value in event.items() if name in KEPT}
    found["tags"] = {"request_id": request_id.get()}
    for error in found.get("exception", {}).get("values", ()):
        error["value"] = SPACED_TEXT.sub("[text]", scrub_error(error.get("value") or "")[:2000])
    if record:
        found["logentry"] = {"message": event_of(record)}
        found["extra"] = extra_of(record)
        found["transaction"] = origin_of(record)
    return found


def origin_of(record: Any) -> str:
    """The route of the request, or the name of the task, that failed."""
    request, celery_task = getattr(record, "request", None), getattr(record, "data", None)
    if isinstance(celery_task, dict):
        return str(celery_task.get("name", ""))
    return route_of(request) if request is not None and request.resolver_match else ""
