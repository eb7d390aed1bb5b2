from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RegionsConfig(AppConfig):
    name = "artisans.regions"
    label = "regions"
    verbose_name = _("Regions")

    def ready(self) -> None:
        from artisans.regions import personal_data  # noqa: F401  # registers itself
