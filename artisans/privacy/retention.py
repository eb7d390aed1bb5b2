from artisans.core.retention import Retention
from artisans.privacy.models import LockedRecord

PRIVACY_RULES = (
    Retention(
        "locked_records",
        lambda before: LockedRecord.objects.filter(kept_until__lt=before),
        clock="kept_until",
    ),
)
