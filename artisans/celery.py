"""The Celery app. Tasks only point to rows in the database; the broker stores nothing else."""

import gc
import os
import sys
from pathlib import Path

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_before_create_process, worker_init
from django.conf import settings
from django.db import close_old_connections
from kombu.transport import TRANSPORT_ALIASES

from artisans.environment import exit_unless_configured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")

if Path(sys.argv[0]).name == "celery":  # worker or beat
    exit_unless_configured()
TRANSPORT_ALIASES["filesystem"] = "artisans.core.file_broker:Transport"
app = Celery("artisans")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
@task_postrun.connect
def drop_stale_connections(**_: object) -> None:
    """As between requests: connections are kept for their maximum age and checked before use."""
    close_old_connections()


@worker_init.connect
def allow_long_statements(**_: object) -> None:
    """Nobody waits for a nightly task, which the task's own limits end."""
    if timeouts := settings.DATABASES["default"].get("TIMEOUTS"):
        timeouts["statement_timeout"] = settings.CELERY_TASK_SOFT_TIME_LIMIT


@worker_before_create_process.connect
def share_memory(**_: object) -> None:
    """The garbage collector would copy the pages that forked processes share: it writes to what it looks at."""
    gc.freeze()
    gc.set_threshold(5_000)  # as in the web server
