from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "artisans.audit"
    label = "audit"
    verbose_name = _("Audit log")

    def ready(self) -> None:
        from artisans.audit import personal_data  # noqa: F401  # registers itself
