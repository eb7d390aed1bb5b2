from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from artisans.audit.selectors import TARGET_SEARCHES
        from artisans.core.doctor.registry import CHECKS
        from artisans.core.metrics import QUEUE_LABELS, QUEUES, SOURCES
        from artisans.core.retention import register_rules
        from artisans.core.security.reencryption import ENCRYPTED_JSON
        from artisans.core.web.health import REPORTS
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS
        from payments import checks, invariants, personal_data, tasks  # noqa: F401  # each registers itself
        from payments.approvals import kinds_register
        from payments.doctor import provider_checks
        from payments.explanations import explanations_register
        from payments.mails import LINKS, PaymentMail
        from payments.metrics import BACKLOG_LABELS, BACKLOGS, METRICS
        from payments.retention import PAYMENT_RULES
        from payments.roles import roles_sync
        from payments.selectors import keys_of_number, providers_report

        kinds.register(PaymentMail)
        LINK_BUILDERS.update(LINKS)
        kinds_register()
        TARGET_SEARCHES.append(keys_of_number)
        explanations_register()
        REPORTS["payment_providers"] = providers_report
        CHECKS.update(provider_checks())
        QUEUES.update(BACKLOGS)
        QUEUE_LABELS.update(BACKLOG_LABELS)
        SOURCES.update(METRICS)
        register_rules(*PAYMENT_RULES)
        ENCRYPTED_JSON.update(
            {
                ("payments.ProviderCall", "request"),
                ("payments.WebhookEvent", "content"),
                ("notifications.Notification", "context"),  # the bank account in instructions
            }
        )
        post_migrate.connect(roles_sync, sender=self)
