from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from artisans.notifications.facts import format_facts, unpack
from artisans.notifications.models import Notification


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str
    html: str


# Context of every email besides its own, such as the store's name; apps above register theirs in `apps.py`.
SHARED_CONTEXT: list[Callable[[], dict[str, Any]]] = []
# Functions that build a link from an email's facts, by name; apps above register theirs in `apps.py`.
LINK_BUILDERS: dict[str, Callable[[dict[str, Any]], str]] = {}
# Functions that read what emails show beside their stored facts. A new `fact_renderer` in an email of a kind that a
# release has would keep its workers from sending it, during an upgrade and after a rollback; these do not.
FACT_BUILDERS: dict[str, Callable[[dict[str, Any]], Any]] = {}


def shared_context() -> dict[str, Any]:
    return {name: value for part in SHARED_CONTEXT for name, value in part().items()}


def render(
    notification: Notification, *, hide_links: bool = False, shared: dict[str, Any] | None = None
) -> Mail:
    """Render the subject, text and HTML; a link that a template uses is built and signed now, and never stored. It is
    the same in text and HTML, although tokens contain the time.

    `shared`: `shared_context()`, for a caller that renders several.

    Staff see emails with hidden links, so that they cannot use a buyer's link to an order or a password reset.

    Errors: any error of a template or rendering function; the email then waits, and staff see it.
    """
    links: dict[str, Any] = {
        name: f"{settings.SITE_URL}/…" if hide_links else cache(partial(build, notification.context))
        for name, build in LINK_BUILDERS.items()
    }
    derived = {name: cache(partial(build, notification.context)) for name, build in FACT_BUILDERS.items()}
    context = (
        (shared or shared_context())
        | format_facts(unpack(notification.context))
        | links
        | derived
        | {"site_url": settings.SITE_URL}
    )
    stem = f"emails/{notification.kind}"
    return Mail(
        subject=" ".join(render_to_string(f"{stem}.subject.txt", context).split()),
        text=render_to_string(f"{stem}.txt", context).strip() + "\n",
        html=render_to_string(f"{stem}.html", context),
    )
