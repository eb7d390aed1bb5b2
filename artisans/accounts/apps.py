from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "artisans.accounts"
    label = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from artisans.accounts import checks, receivers, tasks  # noqa: F401  # each registers itself
        from artisans.accounts.mails import LINKS, AccountMail
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS

        kinds.register(AccountMail)
        LINK_BUILDERS.update(LINKS)
