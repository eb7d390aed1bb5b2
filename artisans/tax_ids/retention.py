from artisans.core.retention import Retention
from artisans.tax_ids.models import HOLDS, TaxId, TaxIdNotice, TaxIdStatus

TAX_ID_RULES = (
    Retention(
        "tax_ids",
        lambda before: TaxId.objects.filter(used_at__lt=before),
        clock="used_at",
        minimum_days=HOLDS[TaxIdStatus.VERIFIED].days,
    ),
    Retention(
        "tax_id_notices", lambda before: TaxIdNotice.objects.filter(created_at__lt=before), minimum_days=1
    ),
)
