from datetime import timedelta

from artisans.core.metrics import Backlog, backlog
from artisans.exports.models import IS_RUNNING, Export

LATE_AFTER = timedelta(minutes=30)  # a million rows take minutes


def export_backlog() -> Backlog:
    return backlog(Export.objects.filter(IS_RUNNING), due="created_at")
