from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "artisans.accounts"
    label = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from artisans.accounts import checks, personal_data, receivers  # noqa: F401  # each registers itself
        from artisans.accounts.mails import LINKS, AccountMail
        from artisans.accounts.retention import ACCOUNT_RULES
        from artisans.core.retention import register_rules
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS

        kinds.register(AccountMail)
        LINK_BUILDERS.update(LINKS)
        register_rules(*ACCOUNT_RULES)
