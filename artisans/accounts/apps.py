from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "artisans.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from artisans.accounts import receivers, tasks  # noqa: F401  # connects signals, registers tasks by name
