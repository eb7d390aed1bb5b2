from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TaxIdsConfig(AppConfig):
    name = "artisans.tax_ids"
    label = "tax_ids"
    verbose_name = _("VAT IDs")

    def ready(self) -> None:
        from artisans.core.metrics import QUEUE_LABELS, QUEUES, SOURCES
        from artisans.core.retention import register_rules
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS
        from artisans.tax_ids import checks, personal_data, tasks  # noqa: F401  # each registers itself
        from artisans.tax_ids.mails import TaxIdMail, cart_url
        from artisans.tax_ids.metrics import checks_backlog, tax_id_metrics
        from artisans.tax_ids.retention import TAX_ID_RULES

        kinds.register(TaxIdMail)
        LINK_BUILDERS["cart_url"] = cart_url
        register_rules(*TAX_ID_RULES)
        QUEUES["tax_id_checks"] = checks_backlog
        QUEUE_LABELS["tax_id_checks"] = _("VAT IDs to check")
        SOURCES["tax_ids"] = tax_id_metrics
