import gc

gc.set_threshold(50_000)  # importing the shop leaves no garbage: 7% of the CPU time of a start

from artisans.celery import app as celery_app  # noqa: E402  # the collector is told first

__all__ = ["celery_app"]
