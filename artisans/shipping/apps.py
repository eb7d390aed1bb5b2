from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShippingConfig(AppConfig):
    name = "artisans.shipping"
    label = "shipping"
    verbose_name = _("Shipping")

    def ready(self) -> None:
        from artisans.shipping import personal_data  # noqa: F401  # registers itself
