"""Liveness and readiness probes."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from artisans.core.migration_history import unapplied_migrations
from artisans.core.security.proxy import proxy_problem

# Reports that apps add to the response, by name; informational only.
REPORTS: dict[str, Callable[[], str]] = {"proxy": lambda: proxy_problem() or "ok"}


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """503 while the database is unavailable or not migrated."""
    checks: dict[str, str] = {}
    try:
        behind = unapplied_migrations(connection)
        checks["database"] = "ok"
        checks["migrations"] = "ok" if not behind else f"{len(behind)} not applied"  # not for translation
        if not behind:
            checks |= {name: report() for name, report in REPORTS.items()}
    except DatabaseError:
        checks["database"] = "unavailable"
    is_ready = checks.get("database") == "ok" and checks.get("migrations") == "ok"
    status = 200 if is_ready else 503
    return JsonResponse({"status": "ok" if is_ready else "not ready", "checks": checks}, status=status)
