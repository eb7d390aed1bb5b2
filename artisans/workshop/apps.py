from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkshopConfig(AppConfig):
    """Pages and API where artisans run their shop; the rules are in the apps below."""

    name = "artisans.workshop"
    label = "workshop"
    verbose_name = _("Workshop")
