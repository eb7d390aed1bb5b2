from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.core.admin.filters import DayRangeFilter, RecentValuesFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    PLAIN,
    WAIT,
    WARN,
    FileValue,
    ReadOnlyAdmin,
    admin_page_url,
    column,
    link_to,
    posted,
    two_lines,
    when,
)
from artisans.core.file_columns import Kind
from artisans.core.models import is_uuid
from artisans.core.templatetags.money import show
from payments.admin.buttons import Button
from payments.admin.filters import WebhookNeedsFilter
from payments.admin.forms import TextForm
from payments.admin.search import number_of, payments_named
from payments.models import EventState, WebhookEvent
from payments.webhooks.events import AMOUNT_FIELDS, money_of
from payments.webhooks.inbox import webhook_close, webhook_replay
from payments.webhooks.refusals import refusal_count

TONES: dict[str, str] = {
    EventState.RECEIVED: WAIT,
    EventState.WAITING: WAIT,
    EventState.STAFF: WARN,
    EventState.DONE: GOOD,
    EventState.IGNORED: "default",
    EventState.DEAD: BAD,
}


class KindFilter(RecentValuesFilter):
    title = _("type")
    parameter_name = column = "kind"


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """All webhook events of providers and of the bank feed, with views for those that need attention."""

    pages = {"replay": "payments.replay_webhook", "close": "payments.approve_manual"}
    everyday_pages = frozenset({"replay"})
    views = {
        "": _("All"),
        "needs=attention": _("Failed, overdue or for staff"),
        "state__exact=staff": _("Needs attention"),
        "state__exact=dead": _("Failed"),
        "state__exact=waiting": _("Waiting for its payment"),
    }
    detail_template = "admin/payments/webhookevent/detail.html"
    list_display = ("message", "provider", "status", "payment_link", "note", "deliveries", "created")
    list_filter = (
        WebhookNeedsFilter,
        "state",
        "provider",
        KindFilter,
        "is_test",
        ("created_at", DayRangeFilter),
    )
    list_filter_submit = True
    list_select_related = ("payment",)
    sortable_by = ("created",)  # the other columns have few values, which filters find
    search_fields = ("=event_id",)
    search_help_text = _("Event id, payment number, order number, or a provider’s id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookEvent], search_term: str
    ) -> tuple[QuerySet[WebhookEvent], bool]:
        term = search_term.strip()
        if not number_of(term):
            return (queryset.none() if term else queryset), False
        if is_uuid(term):
            return queryset.filter(Q(pk=term) | Q(payment=term)), False
        providers = [name for name, _label in WebhookEvent._meta.get_field("provider").flatchoices]
        events = WebhookEvent.objects.order_by()
        by_id = events.filter(provider__in=providers, event_id=term).values("pk")
        found = by_id.union(events.filter(payment__in=payments_named(term)).values("pk"))
        return queryset.filter(pk__in=found), False

    # ---- columns -------------------------------------------------------------------------------------------------

    @column(_("Event"), file=("kind", "event_id"))
    def message(self, event: WebhookEvent) -> SafeString:
        return two_lines(event.kind, event.event_id)

    @column(_("Status"), label=TONES)
    def status(self, event: WebhookEvent) -> tuple[str, str]:
        return event.state, event.get_state_display()

    @column(_("Payment"))
    def payment_link(self, event: WebhookEvent) -> SafeString | str:
        return link_to(event.payment) if event.payment else "–"

    @column(_("Deliveries"), file=FileValue("copies", Kind.NUMBER))
    def deliveries(self, event: WebhookEvent) -> str:
        return str(event.copies)

    # ---- one event -----------------------------------------------------------------------------------------------

    def detail(self, request: HttpRequest, obj: WebhookEvent) -> dict[str, Any]:
        return {
            "event": obj,
            "tone": TONES.get(obj.state, PLAIN),
            "buttons": event_buttons(obj, request),
            "claims": rows_of(claims_of(obj)),
            "payload": rows_of(obj.content.get("payload", {})),
            "waits": obj.state in {EventState.RECEIVED, EventState.WAITING},
            "refused": refusal_count(obj.provider),
        }

    def replay_page(self, request: HttpRequest, event: WebhookEvent) -> HttpResponse:
        form = TextForm(
            posted(request), label=gettext("Reason"), help_text=gettext("Stored in the audit log.")
        )

        def replay(data: dict[str, Any]) -> str:
            webhook_replay(event_id=event.pk, reason=data["text"], actor=require_user(request))
            return gettext("The event is being reprocessed. Check the result in a moment.")

        return self.run_action(
            request, "admin/payments/webhookevent/replay.html", event, form, replay, event=event
        )

    def close_page(self, request: HttpRequest, event: WebhookEvent) -> HttpResponse:
        form = TextForm(
            posted(request), label=gettext("Resolution"), help_text=gettext("Stored with the event.")
        )

        def close(data: dict[str, Any]) -> str:
            webhook_close(event_id=event.pk, reason=data["text"], actor=require_user(request))
            return gettext("Event resolved.")

        about: dict[str, Any] = {"event": event, "payload": rows_of(event.content.get("payload", {}))}
        if event.state != EventState.STAFF:
            about["refusal"] = gettext("This event needs no attention.")
        return self.run_action(request, "admin/payments/webhookevent/close.html", event, form, close, **about)


def claims_of(event: WebhookEvent) -> dict[str, Any]:
    """What the event says, with amounts and times as on other pages."""
    claims = {name: value for name, value in event.content.items() if name != "payload"}
    for name in AMOUNT_FIELDS:
        if (amount := money_of(claims.get(name))) is not None:
            claims[name] = show(amount)
    if "created_at" in claims:
        claims["created_at"] = when(datetime.fromisoformat(claims["created_at"]))
    return claims


def rows_of(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Readable names and values; empty ones are left out."""
    return [
        (name.replace("_", " ").capitalize(), text)
        for name, value in content.items()
        if (text := shown(value))
    ]


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {inner}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: gettext("yes"), False: gettext("no")}[value] if isinstance(value, bool) else str(value)


def event_buttons(event: WebhookEvent, request: HttpRequest) -> list[Button]:
    """The actions this user may take on the event; the most likely one is the main one."""
    buttons = []
    if event.state == EventState.STAFF and request.user.has_perm("payments.approve_manual"):
        if event.payment is not None and not event.payment.is_remote:
            buttons.append(
                Button(gettext("Record payment"), admin_page_url(event.payment, "record"), is_main=True)
            )
        buttons.append(
            Button(gettext("Mark as resolved"), admin_page_url(event, "close"), is_main=event.payment is None)
        )
    if event.content_deleted_at is None and request.user.has_perm("payments.replay_webhook"):
        buttons.append(
            Button(
                gettext("Reprocess"), admin_page_url(event, "replay"), is_main=event.state == EventState.DEAD
            )
        )
    return buttons
