"""URLs of an order's pages, for emails."""

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from artisans.core.security.tokens import order_token


def order_url(order_id: UUID, version: int) -> str:
    """The signed link to an order's page; a higher version revokes the older links."""
    return f"{settings.SITE_URL}{reverse('payments:order', args=[order_token(order_id, version)])}"
