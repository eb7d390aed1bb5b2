from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    name = "artisans.core"
    label = "core"

    def ready(self) -> None:
        from artisans.core import checks, startup, task_log  # noqa: F401  # each registers itself
        from artisans.core.append_only import check_triggers, create_triggers_after_migrate
        from artisans.core.doctor import own_checks
        from artisans.core.doctor.registry import CHECKS
        from artisans.core.heartbeats import heartbeat_metrics, heartbeat_report, leader_metrics
        from artisans.core.hosts import hosts_report
        from artisans.core.metrics import SOURCES
        from artisans.core.migration_history import check_history
        from artisans.core.validators import restrict_email_addresses
        from artisans.core.web.health import REPORTS

        REPORTS["heartbeats"] = heartbeat_report
        REPORTS["hosts"] = hosts_report
        SOURCES["heartbeats"] = heartbeat_metrics
        SOURCES["beat"] = leader_metrics
        CHECKS.update(own_checks.CHECKS)
        restrict_email_addresses()
        register(check_history, Tags.database)
        register(check_triggers, Tags.database)
        post_migrate.connect(create_triggers_after_migrate, dispatch_uid="append_only")
