from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class AccountMail(TextChoices):
    ACCOUNT_CHANGED = "account_changed", _("Account changed")
    SETTING_CHANGED = "setting_changed", _("Setting changed")
    ARTISAN_ACCESS_CHANGED = "artisan_access_changed", _("Artisan access changed")


def reset_url(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('account_reset_password')}"
