"""The Celery app: a doorbell for rows that wait in the database, never a store of its own."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")

app = Celery("artisans")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
