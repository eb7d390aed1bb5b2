from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class FiguresConfig(AppConfig):
    name = "artisans.figures"
    label = "figures"
    verbose_name = _("Figures")

    def ready(self) -> None:
        from artisans.core.doctor.registry import CHECKS, Check
        from artisans.core.metrics import QUEUE_LABELS, QUEUE_LIMITS, QUEUES, SOURCES
        from artisans.figures import personal_data, tasks  # noqa: F401  # each registers itself
        from artisans.figures.doctor import check_figures
        from artisans.figures.metrics import LATE_AFTER, dispute_metrics, marks_backlog
        from artisans.figures.roles import roles_extend
        from artisans.figures.sales.exports import NAME as SALES
        from artisans.figures.sales.exports import TITLE as SALES_TITLE
        from artisans.figures.sales.exports import sales_list
        from artisans.workshop.export_lists import LISTS, ArtisanList
        from payments.roles import roles_sync

        LISTS[SALES] = ArtisanList(SALES_TITLE, sales_list, is_for_owners=True)
        QUEUES["figures"] = marks_backlog
        QUEUE_LABELS["figures"] = _("Days to be counted again")
        QUEUE_LIMITS["figures"] = LATE_AFTER
        SOURCES["disputes"] = dispute_metrics
        CHECKS["figures"] = Check(check_figures)
        roles_extend()
        post_migrate.connect(roles_sync, sender=self)
