from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "artisans.approvals"
    label = "approvals"
    verbose_name = "Approvals"

    def ready(self) -> None:
        from artisans.approvals import tasks  # noqa: F401  # registers the task by name
