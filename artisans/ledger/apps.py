from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LedgerConfig(AppConfig):
    name = "artisans.ledger"
    label = "ledger"
    verbose_name = _("Ledger")

    def ready(self) -> None:
        from artisans.catalog.admin import ARTISAN_PAGES, ArtisanPage
        from artisans.ledger import invariants, personal_data  # noqa: F401  # each registers itself
        from artisans.ledger.admin import artisan_address

        ARTISAN_PAGES.append(ArtisanPage(_("Money"), "ledger.view_ledgeraccount", artisan_address))
