from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "artisans.notifications"
    label = "notifications"
    verbose_name = _("Emails")

    def ready(self) -> None:
        from artisans.core.metrics import QUEUE_LIMITS, QUEUES, SOURCES
        from artisans.core.web.health import REPORTS
        from artisans.notifications import tasks  # noqa: F401  # registers the tasks by name
        from artisans.notifications.metrics import mail_backlog, mail_metrics
        from artisans.notifications.services import LATE_AFTER, late_mails_report

        REPORTS["mail"] = late_mails_report
        QUEUES["emails"] = mail_backlog
        QUEUE_LIMITS["emails"] = LATE_AFTER
        SOURCES["emails"] = mail_metrics
