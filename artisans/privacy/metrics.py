from datetime import timedelta

from artisans.core.metrics import Backlog, backlog
from artisans.privacy.selectors import erasures_running

LATE_AFTER = timedelta(days=1)  # longer than emails and providers are asked again and again


def erasure_backlog() -> Backlog:
    return backlog(erasures_running(), due="created_at")
