from datetime import timedelta

from artisans.core.metrics import Backlog, backlog
from artisans.core.models import ChangeMark

LATE_AFTER = timedelta(minutes=5)


def marks_backlog() -> Backlog:
    return backlog(ChangeMark.objects.all(), due="at")
