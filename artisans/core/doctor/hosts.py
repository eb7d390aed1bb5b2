"""Checks of a shop on several hosts: one beat leads, and the hosts share what they must."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, state_if
from artisans.core.heartbeats import active_hosts, leading_host
from artisans.core.hosts import host_problems, hosts


def check_beats() -> Iterator[Result]:
    leader = leading_host()
    others = ", ".join(sorted(active_hosts("beat") - {leader}))
    value = _("on %(host)s") % {"host": leader} if leader else _("none")
    if others:
        value = _("%(leader)s; ready to take over: %(others)s") % {"leader": value, "others": others}
    yield Result(
        _("Beat that enqueues periodic tasks"),
        state_if(problem=not leader),
        value,
        _("one"),
        _(
            "Start beat on one or more hosts: `celery -A artisans beat`. One that runs takes over within half a minute."
        ),
    )


def check_hosts() -> Iterator[Result]:
    problems, names = list(host_problems()), ", ".join(sorted(hosts()))
    yield Result(
        _("Hosts"),
        state_if(problem=problems),
        " ".join([f"{names}.", *problems]) if problems else names,
        "",
        _("Give all hosts the same cache, queue, database and keys."),
    )
