"""The notice above every page of the admin when something needs a person now, and parts of the page *System*."""

import re
from datetime import timedelta
from typing import Any

from django import template
from django.core.cache import cache
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from artisans.core.heartbeats import LATE_AFTER, PROCESSES
from artisans.core.models import Heartbeat, SystemCheck

register = template.Library()

KEY = "core.system_alert"
SECONDS = 30  # in the cache
CURRENT = timedelta(hours=1)  # older results say nothing: the worker has ended, and that is said
# Read here without the worker, or of no hurry.
LEFT_OUT = ["processes", "settings"]


@register.filter
def with_code(text: str) -> SafeString:
    """What is between backticks as code."""
    parts = enumerate(re.split("`([^`]*)`", text))
    marked = (format_html('<code class="aa-code">{}</code>', part) if at % 2 else part for at, part in parts)
    return format_html_join("", "{}", ((part,) for part in marked))


@register.inclusion_tag("admin/core/_system_alert.html", takes_context=True)
def system_alert(context: dict[str, Any]) -> dict[str, Any]:
    return {"alert": cache.get_or_set(KEY, find_alert, SECONDS), "perms": context["perms"]}


def find_alert() -> dict[str, Any]:
    """The processes that are late with the time at which they were last seen, and the names of what has problems."""
    seen: dict[str, Any] = dict(Heartbeat.objects.values_list("name", "at"))
    now = timezone.now()
    late = {}
    for process, label in PROCESSES.items() if seen else ():  # a new installation has not started them yet
        last = max((at for name, at in seen.items() if name.startswith(f"{process}@")), default=None)
        if last is None or last < now - LATE_AFTER:
            late[str(label)] = last
    checks = SystemCheck.objects.filter(state="problem", at__gte=now - CURRENT).exclude(name__in=LEFT_OUT)
    problems = [row["name"] for check in checks for row in check.results if row["state"] == "problem"]
    return {"late": late, "problems": problems}
