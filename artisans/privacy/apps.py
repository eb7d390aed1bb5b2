from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PrivacyConfig(AppConfig):
    name = "artisans.privacy"
    label = "privacy"
    verbose_name = _("Privacy")

    def ready(self) -> None:
        from artisans.core.append_only import PERMITS
        from artisans.core.metrics import QUEUE_LABELS, QUEUE_LIMITS, QUEUES
        from artisans.core.retention import register_rules
        from artisans.notifications import kinds
        from artisans.privacy import personal_data, tasks  # noqa: F401  # each registers itself
        from artisans.privacy.mails import PrivacyMail
        from artisans.privacy.metrics import LATE_AFTER, erasure_backlog
        from artisans.privacy.models import ErasurePermit
        from artisans.privacy.retention import PRIVACY_RULES

        PERMITS.append(ErasurePermit)
        kinds.register(PrivacyMail)
        QUEUES["erasures"] = erasure_backlog
        QUEUE_LABELS["erasures"] = _("Erasures in progress")
        QUEUE_LIMITS["erasures"] = LATE_AFTER
        register_rules(*PRIVACY_RULES)
