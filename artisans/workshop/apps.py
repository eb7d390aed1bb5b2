from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkshopConfig(AppConfig):
    """Pages and API where artisans run their shop; the rules are in the apps below."""

    name = "artisans.workshop"
    label = "workshop"
    verbose_name = _("Workshop")

    def ready(self) -> None:
        from artisans.catalog.admin import ARTISAN_PAGES, ArtisanPage
        from artisans.catalog.artisan_states import CHANGE_STATE
        from artisans.exports.lists import SOURCES
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS
        from artisans.workshop import tasks  # noqa: F401  # registers itself
        from artisans.workshop.admin import state_address
        from artisans.workshop.export_lists import SOURCE, artisan_list
        from artisans.workshop.mails import LINKS, WorkshopMail

        SOURCES[SOURCE] = artisan_list
        kinds.register(WorkshopMail)
        LINK_BUILDERS.update(LINKS)
        ARTISAN_PAGES.append(ArtisanPage(_("Suspend or close"), CHANGE_STATE, state_address))
