"""The check of backups, which reads when the last one was completed."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, state_if
from artisans.core.heartbeats import BACKUP
from artisans.core.models import Heartbeat


def check_backups() -> Iterator[Result]:
    last = Heartbeat.objects.filter(pk=BACKUP).values_list("succeeded_at", flat=True).first()
    limit = timedelta(hours=settings.BACKUP_MAX_HOURS)
    value = _("never made")
    if last is not None:
        value = _("last made %(time)s") % {"time": date_format(timezone.localtime(last), "DATETIME_FORMAT")}
    yield Result(
        _("Backup"),
        state_if(warning=last is None or last < timezone.now() - limit),
        value,
        _("within %(hours)s hours") % {"hours": settings.BACKUP_MAX_HOURS},
        _(
            "Let `manage.py backup` run every night, and look for the error of its last run. If another tool makes "
            "your backups, let it run `manage.py backup --record-only` afterwards."
        ),
    )
