import gc

gc.set_threshold(50_000)  # importing the shop leaves no garbage: an eighth of the CPU time of a start

from artisans.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
