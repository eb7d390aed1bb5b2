"""Emails about an artisan's workshop."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan, Product
from artisans.notifications.services import MailMessage
from orders.mails import store_context
from orders.models import StoreRules

MOST_NAMED = 30


class WorkshopMail(TextChoices):
    STOCK_LOW = "stock_low", _("Stock is low (to the artisan)")


def stock_low_mail(artisan: Artisan, products: Sequence[Product], store: StoreRules) -> MailMessage:
    """One for all products that fell since the last."""
    context = {
        "store": store_context(store),
        "artisan_name": artisan.name,
        "products": [{"name": product.name, "stock": product.stock} for product in products[:MOST_NAMED]],
        "further": max(0, len(products) - MOST_NAMED),
    }
    kind = WorkshopMail.STOCK_LOW
    return MailMessage(kind, artisan.email, f"{kind}:{artisan.pk}:{timezone.now().isoformat()}", context)


def low_stock_page(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('workshop:stock_list')}?show=low"


LINKS = {"low_stock_url": low_stock_page}
