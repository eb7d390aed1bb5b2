from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "artisans.core"
    label = "core"

    def ready(self) -> None:
        from artisans.core import checks  # noqa: F401  # registers the system checks
