from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class EarningsConfig(AppConfig):
    name = "artisans.earnings"
    label = "earnings"
    verbose_name = _("Artisans’ money")

    def ready(self) -> None:
        from artisans.catalog.admin import ARTISAN_PAGES, ArtisanPage
        from artisans.core.doctor.registry import CHECKS, Check
        from artisans.earnings import invariants, personal_data, tasks  # noqa: F401  # each registers itself
        from artisans.earnings.admin import hold_address
        from artisans.earnings.approvals import kinds_register
        from artisans.earnings.doctor import check_releases
        from artisans.earnings.holds import PERMISSION, hold_book, unbooked_holds
        from artisans.earnings.mails import LINKS, EarningsMail
        from artisans.earnings.models import Hold, Settlement
        from artisans.earnings.references import references_register
        from artisans.earnings.roles import roles_extend
        from artisans.earnings.settlements import check_not_settled, settlement_book, unbooked_settlements
        from artisans.ledger.services import FACT_SOURCES, FactSource
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS
        from payments.gateway.sync import DISPUTE_TASKS
        from payments.lifecycle.receipts import REFERENCE_CHECKS
        from payments.roles import roles_sync

        kinds.register(EarningsMail)
        LINK_BUILDERS.update(LINKS)
        kinds_register()
        ARTISAN_PAGES.append(ArtisanPage(_("Hold back money"), PERMISSION, hold_address))
        CHECKS["releases of earnings"] = Check(check_releases)
        FACT_SOURCES.append(FactSource(rows=Hold.objects.all, unbooked=unbooked_holds, book=hold_book))
        FACT_SOURCES.append(
            FactSource(rows=Settlement.objects.all, unbooked=unbooked_settlements, book=settlement_book)
        )
        references_register()
        REFERENCE_CHECKS.append(check_not_settled)
        DISPUTE_TASKS.append("earnings.follow_disputes")
        roles_extend()
        post_migrate.connect(roles_sync, sender=self)
