from artisans.catalog.models import ArtisanInvitation, StockImport
from artisans.core.retention import Retention

CATALOG_RULES = (
    Retention(
        "stock_imports", lambda before: StockImport.objects.filter(created_at__lt=before), minimum_days=7
    ),
    Retention(
        "artisan_invitations",
        lambda now: ArtisanInvitation.objects.filter(expires_at__lt=now),
        clock="expires_at",
    ),
)
