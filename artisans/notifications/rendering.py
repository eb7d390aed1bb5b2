from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from artisans.core.tokens import mailbox_token, order_token, order_url
from artisans.notifications.facts import unpack, words
from artisans.notifications.models import Notification


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str
    html: str


# What every mail shows beside its own context, such as the store's name; apps above register theirs in `apps.py`.
SHARED_CONTEXT: list[Callable[[], dict[str, Any]]] = []


def render(notification: Notification) -> Mail:
    """Subject, text and HTML as the recipient reads them; links are signed here and nowhere kept.

    Errors: whatever a wording or a template raises; the mail waits then, and staff see it.
    """
    shared = {name: value for part in SHARED_CONTEXT for name, value in part().items()}
    context = shared | words(unpack(notification.context)) | links(notification.context)
    stem = f"emails/{notification.kind}"
    return Mail(
        subject=" ".join(render_to_string(f"{stem}.subject.txt", context).split()),
        text=render_to_string(f"{stem}.txt", context).strip() + "\n",
        html=render_to_string(f"{stem}.html", context),
    )


def links(context: dict[str, Any]) -> dict[str, str]:
    made = {
        "site_url": settings.SITE_URL,
        "reset_url": settings.SITE_URL + reverse("account_reset_password"),
        "methods_url": settings.SITE_URL + reverse("payments:method_list"),
    }
    if "order_link" in context:
        order_id, version = UUID(context["order_link"][0]), int(context["order_link"][1])
        page = order_url(order_id, version)
        token = order_token(order_id, version)
        made |= {
            "order_url": page,
            "pay_url": settings.SITE_URL + reverse("payments:order_pay", args=[token]),
            "confirm_url": f"{page}?mailbox={mailbox_token(order_id)}",
        }
    if "parcel_id" in context:
        made["parcel_url"] = settings.SITE_URL + reverse("orders:parcel", args=[context["parcel_id"]])
    if "approval_id" in context:
        page = reverse("admin:approvals_approvalrequest_change", args=[context["approval_id"]])
        made["approval_url"] = settings.SITE_URL + page
    return made
