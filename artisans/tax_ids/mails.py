from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class TaxIdMail(TextChoices):
    TAX_ID_DECIDED = "tax_id_decided", _("VAT ID checked (to buyer)")


def cart_url(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('carts:cart')}"
