from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkshopConfig(AppConfig):
    """Pages and API where artisans run their shop; the rules are in the apps below."""

    name = "artisans.workshop"
    label = "workshop"
    verbose_name = _("Workshop")

    def ready(self) -> None:
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS
        from artisans.workshop import tasks  # noqa: F401  # registers itself
        from artisans.workshop.mails import LINKS, WorkshopMail

        kinds.register(WorkshopMail)
        LINK_BUILDERS.update(LINKS)
