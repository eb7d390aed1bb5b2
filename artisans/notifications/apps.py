from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "artisans.notifications"
    label = "notifications"
    verbose_name = "Mails"

    def ready(self) -> None:
        from artisans.notifications import tasks  # noqa: F401  # registers the tasks by name
