from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JourneysConfig(AppConfig):
    name = "artisans.journeys"
    label = "journeys"
    verbose_name = _("Checkout journeys")

    def ready(self) -> None:
        from artisans.core.known_since import FACTS
        from artisans.core.retention import register_rules
        from artisans.journeys import personal_data  # noqa: F401  # registers itself
        from artisans.journeys.retention import JOURNEY_RULES

        register_rules(*JOURNEY_RULES)
        FACTS["journeys"] = ("journeys", "0001_initial")
