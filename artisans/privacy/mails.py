from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class PrivacyMail(TextChoices):
    DATA_ERASED = "data_erased", _("Personal data erased (to the person)")
