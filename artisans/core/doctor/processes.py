"""Checks of beat, workers, periodic tasks and queues, all of which are read from the database; and of the settings."""

from collections.abc import Collection, Iterator
from datetime import timedelta

from django.conf import settings
from django.core import checks
from django.core.checks import Tags
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, State, duration, state_if
from artisans.core.heartbeats import (
    KEY_CHANGE_KNOWN_AFTER,
    LATE_AFTER,
    PROCESSES,
    overdue,
    periodic_tasks,
    secret_key_changed_at,
)
from artisans.core.metrics import QUEUE_LABELS, QUEUES, queue_limit
from artisans.core.models import Heartbeat


def check_processes() -> Iterator[Result]:
    late, rows = dict(overdue()), list(Heartbeat.objects.all())
    remedies = {
        "beat": _(
            "Start beat: `celery -A artisans beat`. Until then deadlines are not enforced, and nothing that was missed "
            "is repeated."
        ),
        "worker": _(
            "Start a worker: `celery -A artisans worker`. If one is running, see the broker's line and its log."
        ),
    }
    for process, label in PROCESSES.items():
        seen = max((row.at for row in rows if row.name.startswith(f"{process}@")), default=None)
        yield Result(
            str(label),
            state_if(problem=process in late),
            _("last seen %(time)s") % {"time": date_format(timezone.localtime(seen), "DATETIME_FORMAT")}
            if seen
            else _("never seen"),
            _("within %(time)s") % {"time": duration(LATE_AFTER)},
            remedies[process],
        )
    yield check_versions(rows)
    yield check_tasks([name for name in late if name not in PROCESSES], rows)


def check_secret_key() -> Iterator[Result]:
    changed_at = secret_key_changed_at()
    value = _("the same as before")
    if changed_at:
        value = _(
            "another one than until %(time)s: everyone has to sign in again, and links to orders in emails do not open"
        ) % {"time": date_format(timezone.localtime(changed_at), "DATETIME_FORMAT")}
    yield Result(
        _("Secret key"),
        state_if(warning=changed_at),
        value,
        "",
        _(
            "If that was a mistake, set SECRET_KEY to the former one. Otherwise add the former one to "
            "SECRET_KEY_FALLBACKS, so that links go on working, unless others know it; then this warning ends after "
            "%(days)s days."
        )
        % {"days": KEY_CHANGE_KNOWN_AFTER.days},
    )


def check_versions(rows: Collection[Heartbeat]) -> Result:
    version = str(settings.SPECTACULAR_SETTINGS["VERSION"])
    active = [row for row in rows if "@" in row.name and row.at > timezone.now() - LATE_AFTER]
    others = sorted(f"{row.name} {row.version}" for row in active if row.version != version)
    return Result(
        _("Version"),
        state_if(warning=others),
        ", ".join((version, *others)),
        _("the same in all processes"),
        _("Restart these processes with the new version. During an upgrade this is normal for some minutes."),
    )


def check_tasks(late: list[str], rows: Collection[Heartbeat]) -> Result:
    limits, now = periodic_tasks(), timezone.now()
    failing = [
        row.name
        for row in rows
        if row.name in limits
        and row.failures
        and (row.succeeded_at is None or row.succeeded_at < now - limits[row.name])
    ]
    named = dict.fromkeys([*late, *failing])
    return Result(
        _("Periodic tasks"),
        state_if(problem=named),
        _("late or failing: %(names)s") % {"names": ", ".join(named)} if named else _("all on time"),
        "",
        _("Search the workers' log for the name of the task, and check that a worker takes its queue."),
    )


def check_queues() -> Iterator[Result]:
    for name, read in QUEUES.items():
        backlog, limit = read(), queue_limit(name)
        yield Result(
            str(QUEUE_LABELS[name]),
            state_if(problem=backlog.oldest > limit.total_seconds()),
            _("%(count)s waiting, the oldest for %(time)s")
            % {"count": backlog.size, "time": duration(timedelta(seconds=backlog.oldest))}
            if backlog.size
            else _("none waiting"),
            _("for at most %(time)s") % {"time": duration(limit)},
            _(
                "Check that a worker takes this queue (%(name)s), and search its log for errors. Start more workers if "
                "it is busy."
            )
            % {"name": name},
        )


def check_settings() -> Iterator[Result]:
    """The demo is not measured by what a production shop needs."""
    found = checks.run_checks(tags=[Tags.security], include_deployment_checks=not settings.DEMO)
    for message in found:
        state = state_if(problem=message.level >= checks.ERROR, warning=message.level >= checks.WARNING)
        yield Result(
            _("Settings (%(code)s)") % {"code": message.id}, state, message.msg, "", str(message.hint or "")
        )
    if not found:
        yield Result(_("Settings"), State.OK, _("no findings"))
