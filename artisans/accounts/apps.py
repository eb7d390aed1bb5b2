from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "artisans.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from artisans.accounts import checks, receivers, tasks  # noqa: F401  # each registers itself
