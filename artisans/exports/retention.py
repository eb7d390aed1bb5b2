from artisans.core.retention import Retention
from artisans.exports.models import Export

EXPORT_RULES = (
    Retention("exports", lambda before: Export.objects.filter(created_at__lt=before), minimum_days=1),
)
