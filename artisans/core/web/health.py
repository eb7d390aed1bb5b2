"""Is the process alive, and is it ready to serve?"""

from datetime import timedelta

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

LATE = timedelta(minutes=15)


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """503 while the database is away or not migrated. Late mails are told, they do not stop the shop."""
    checks: dict[str, str] = {}
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
        checks["database"] = "ok"
        checks["migrations"] = "ok" if not behind else f"{len(behind)} not applied"
        if not behind:
            mails = apps.get_model("notifications", "Notification").objects
            late = mails.filter(state="waiting", created_at__lt=timezone.now() - LATE).count()
            rules = apps.get_model("orders", "StoreRules").objects.first()
            checks["shop"] = "ok" if rules and rules.is_open else "takes no orders yet"
            checks["mail"] = "ok" if not late else f"{late} waiting too long"
    except DatabaseError:
        checks["database"] = "unavailable"
    is_ready = checks.get("database") == "ok" and checks.get("migrations") == "ok"
    status = 200 if is_ready else 503
    return JsonResponse({"status": "ok" if is_ready else "not ready", "checks": checks}, status=status)
