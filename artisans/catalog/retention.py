from artisans.catalog.models import StockImport
from artisans.core.retention import Retention

CATALOG_RULES = (
    Retention(
        "stock_imports", lambda before: StockImport.objects.filter(created_at__lt=before), minimum_days=7
    ),
)
