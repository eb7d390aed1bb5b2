from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "artisans.notifications"
    label = "notifications"
    verbose_name = _("Emails")

    def ready(self) -> None:
        from artisans.core.doctor.registry import CHECKS, Check
        from artisans.core.metrics import QUEUE_LABELS, QUEUE_LIMITS, QUEUES, SOURCES
        from artisans.core.retention import register_rules
        from artisans.core.web.health import REPORTS
        from artisans.notifications import personal_data, tasks  # noqa: F401  # each registers itself
        from artisans.notifications.doctor import check_failed, check_server
        from artisans.notifications.metrics import mail_backlog, mail_metrics
        from artisans.notifications.retention import MAIL_RULES
        from artisans.notifications.services import LATE_AFTER, late_mails_report

        CHECKS["email server"] = Check(
            check_server,
            uses_network=True,
            is_per_host=True,
            remedy=_(
                "Compare EMAIL_URL with your mail provider's settings, and see its status page. Emails are kept."
            ),
        )
        CHECKS["failed emails"] = Check(check_failed)
        REPORTS["mail"] = late_mails_report
        QUEUES["emails"] = mail_backlog
        QUEUE_LABELS["emails"] = _("Emails to send")
        QUEUE_LIMITS["emails"] = LATE_AFTER
        SOURCES["emails"] = mail_metrics
        register_rules(*MAIL_RULES)
