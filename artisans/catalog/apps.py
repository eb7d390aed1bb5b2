from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "artisans.catalog"
    label = "catalog"
    verbose_name = _("Catalog")

    def ready(self) -> None:
        from artisans.catalog import invariants, personal_data, receivers, tasks  # noqa: F401  # each registers itself
        from artisans.catalog.mails import LINKS, CatalogMail
        from artisans.catalog.retention import CATALOG_RULES
        from artisans.core.retention import register_rules
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS

        kinds.register(CatalogMail)
        LINK_BUILDERS.update(LINKS)
        register_rules(*CATALOG_RULES)
