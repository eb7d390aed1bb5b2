from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "artisans.audit"
    label = "audit"
    verbose_name = "Audit trail"
