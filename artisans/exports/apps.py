from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "artisans.exports"
    label = "exports"
    verbose_name = _("Exports")

    def ready(self) -> None:
        from artisans.core.admin.pages import LIST_ACTIONS, LIST_PAGES, ListAction
        from artisans.core.metrics import QUEUE_LABELS, QUEUE_LIMITS, QUEUES
        from artisans.core.retention import register_rules
        from artisans.exports import personal_data, tasks  # noqa: F401  # each registers itself
        from artisans.exports.admin_lists import SOURCE, admin_list, may_export
        from artisans.exports.admin_pages import export_page, selected_page
        from artisans.exports.lists import SOURCES
        from artisans.exports.mails import LINKS, ExportMail
        from artisans.exports.metrics import LATE_AFTER, export_backlog
        from artisans.exports.retention import EXPORT_RULES
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS

        SOURCES[SOURCE] = admin_list
        LIST_PAGES["export"] = export_page
        LIST_ACTIONS["export_selected"] = ListAction(_("Export the selected rows"), selected_page, may_export)
        kinds.register(ExportMail)
        LINK_BUILDERS.update(LINKS)
        QUEUES["exports"] = export_backlog
        QUEUE_LABELS["exports"] = _("Exports to prepare")
        QUEUE_LIMITS["exports"] = LATE_AFTER
        register_rules(*EXPORT_RULES)
