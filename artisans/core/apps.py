from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "artisans.core"
    label = "core"
    verbose_name = _("System")

    def ready(self) -> None:
        from artisans.core import checks, startup, task_log  # noqa: F401  # each registers itself
        from artisans.core.append_only import check_triggers, keep_triggers
        from artisans.core.doctor import own_checks
        from artisans.core.doctor.registry import CHECKS
        from artisans.core.doctor.stored import check_metrics
        from artisans.core.heartbeats import heartbeat_metrics, heartbeat_report, leader_metrics
        from artisans.core.hosts import hosts_report
        from artisans.core.idempotency import personal_data  # noqa: F401  # registers itself
        from artisans.core.idempotency.keys import EXPIRED_KEYS
        from artisans.core.invariants import TRIGGERS, invariant_metrics, register_invariants
        from artisans.core.metrics import SOURCES
        from artisans.core.migration_history import check_history
        from artisans.core.retention import register_rules, retention_metrics
        from artisans.core.validators import restrict_email_addresses
        from artisans.core.web.health import REPORTS

        start_reporting()
        REPORTS["heartbeats"] = heartbeat_report
        REPORTS["hosts"] = hosts_report
        SOURCES["heartbeats"] = heartbeat_metrics
        SOURCES["beat"] = leader_metrics
        SOURCES["system checks"] = check_metrics
        CHECKS.update(own_checks.CHECKS)
        SOURCES["retention"] = retention_metrics
        SOURCES["invariants"] = invariant_metrics
        register_invariants(TRIGGERS, reads=())
        register_rules(EXPIRED_KEYS)
        restrict_email_addresses()
        register(check_history, Tags.database)
        register(check_triggers, Tags.database)
        keep_triggers()


def start_reporting() -> None:
    """Error reports and traces. Their packages are optional, and not imported unless they are used.

    Errors: ImproperlyConfigured, without the value, which can hold a secret.
    """
    optional = {
        "SENTRY_DSN": ("artisans.core.error_reports", "requirements-sentry.lock"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": ("artisans.core.traces", "requirements-otel.lock"),
    }
    for setting, (module, packages) in optional.items():
        if not getattr(settings, setting):
            continue
        try:
            import_module(module).start()
        except ImportError as error:
            raise ImproperlyConfigured(
                f"{setting} is set, but a package is missing: pip install --require-hashes -r {packages}"
            ) from error
        except ValueError as error:
            raise ImproperlyConfigured(f"{setting} is not a valid address.") from error
