from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApprovalsConfig(AppConfig):
    name = "artisans.approvals"
    label = "approvals"
    verbose_name = _("Approvals")

    def ready(self) -> None:
        from artisans.approvals import personal_data, tasks  # noqa: F401  # each registers itself
        from artisans.approvals.mails import ApprovalMail, approval_url
        from artisans.notifications import kinds
        from artisans.notifications.rendering import LINK_BUILDERS

        kinds.register(ApprovalMail)
        LINK_BUILDERS["approval_url"] = approval_url
