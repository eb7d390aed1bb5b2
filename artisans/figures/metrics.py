from datetime import timedelta

from artisans.core.metrics import Backlog, backlog
from artisans.figures.counting import marks

LATE_AFTER = timedelta(minutes=5)


def marks_backlog() -> Backlog:
    return backlog(marks(), due="at")
