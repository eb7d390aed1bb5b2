from artisans.catalog.application_removal import applications_remove
from artisans.catalog.models import Application, ArtisanInvitation, StockImport
from artisans.catalog.statuses import APPLICATIONS_ENDED
from artisans.core.retention import Retention

CATALOG_RULES = (
    Retention(
        "stock_imports", lambda before: StockImport.objects.filter(created_at__lt=before), minimum_days=7
    ),
    Retention(
        "applications",
        lambda before: Application.objects.filter(status__in=APPLICATIONS_ENDED, updated_at__lt=before),
        clock="updated_at",
        remove=applications_remove,
        locks=("artisan",),
        minimum_days=30,
    ),
    Retention(
        "artisan_invitations",
        lambda now: ArtisanInvitation.objects.filter(expires_at__lt=now),
        clock="expires_at",
    ),
)
