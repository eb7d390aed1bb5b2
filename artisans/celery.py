"""The Celery app: a doorbell for rows that wait in the database, never a store of its own."""

import os

from celery import Celery
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")

app = Celery("artisans")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
@task_postrun.connect
def drop_stale_connections(**_: object) -> None:
    """Between tasks as between requests: a connection is kept for its age and checked before its first use."""
    close_old_connections()
