from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    PLAIN,
    WAIT,
    FileValue,
    ReadOnlyAdmin,
    admin_page_url,
    column,
    two_lines,
)
from artisans.core.admin.search import containing
from artisans.core.models import is_uuid
from artisans.core.numbers import is_number, split_number
from artisans.notifications.kinds import KINDS
from artisans.notifications.models import UNSENT, MailState, Notification, mails_of_order
from artisans.notifications.rendering import render
from artisans.notifications.selectors import mails_of_orders_named
from artisans.notifications.services import notification_retry

TONES: dict[str, str] = {MailState.WAITING: WAIT, MailState.SENT: GOOD, MailState.DEAD: BAD}
SOON = timedelta(minutes=5)


def stuck_mails() -> QuerySet[Notification]:
    """Overdue emails: failed for good, failed at least once, or waiting for minutes."""
    late = Q(tries__gt=0) | Q(created_at__lt=timezone.now() - SOON)
    return Notification.objects.filter(Q(state=MailState.DEAD) | late, state__in=UNSENT)


class DeliveryFilter(admin.SimpleListFilter):
    title = _("delivery")
    parameter_name = "delivery"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("stuck", gettext("Overdue or failed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        return queryset & stuck_mails() if self.value() == "stuck" else queryset


class KindFilter(admin.SimpleListFilter):
    title = _("type")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((kind, str(label)) for kind, label in KINDS.items()), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


def kind_label(mail: Notification) -> str:
    return KINDS.get(mail.kind, mail.kind)


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    pages = {"again": "notifications.retry_mail"}
    everyday_pages = frozenset({"again"})
    views = {"": _("All"), "delivery=stuck": _("Overdue or failed"), "state__exact=dead": _("Failed")}
    detail_template = "admin/notifications/notification/detail.html"
    list_display = ("what", "recipient", "state_shown", "tries", "error", "created")
    list_filter = (DeliveryFilter, "state", KindFilter, ("created_at", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("recipient",)
    search_help_text = _("Recipient, buyer’s name, order number or email id")
    actions = ("send_again",)

    @column(_("Email"), ordering="kind", file=(FileValue(kind_label, title=_("Email")), "subject"))
    def what(self, mail: Notification) -> SafeString:
        return two_lines(kind_label(mail), mail.subject)

    @column(_("Error"), ordering="last_error", file="last_error")
    def error(self, mail: Notification) -> str:
        return Truncator(mail.last_error).chars(60) or "–"

    @column(_("Status"), ordering="state", label=TONES)
    def state_shown(self, mail: Notification) -> tuple[str, str]:
        return mail.state, mail.get_state_display()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if is_uuid(term):
            return queryset.filter(pk=term), False
        number, _parcel = split_number(term.split()[-1])
        by_number = mails_of_order(number if is_number(number) else "")
        by_recipient = containing(Notification.objects.order_by(), "recipient", term)
        found = by_recipient.values("pk").union(
            by_number.order_by().values("pk"), mails_of_orders_named(term).order_by().values("pk")
        )
        return queryset.filter(pk__in=found), False

    def has_retry_mail_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.retry_mail")

    @admin.action(description=_("Resend unsent emails"), permissions=["retry_mail"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        waiting = list(queryset.exclude(state=MailState.SENT).values_list("pk", flat=True))
        for pk in waiting:
            notification_retry(pk)
        messages.success(
            request,
            ngettext(
                "%(n)d unsent email is being resent.", "%(n)d unsent emails are being resent.", len(waiting)
            )
            % {"n": len(waiting)},
        )

    def detail(self, request: HttpRequest, obj: Notification) -> dict[str, Any]:
        mail, failure = None, ""
        try:
            mail = None if obj.content_deleted_at else render(obj, hide_links=True)
        except Exception as error:  # any rendering error is shown on the page; the email is not lost
            failure = f"{type(error).__name__}: {error}"
        may_retry = obj.state != MailState.SENT and self.has_retry_mail_permission(request)
        return {
            "row": obj,
            "kind": KINDS.get(obj.kind, obj.kind),
            "tone": TONES.get(obj.state, PLAIN),
            "mail": mail,
            "failure": failure,
            "again": admin_page_url(obj, "again") if may_retry else "",
        }

    def again_page(self, request: HttpRequest, mail: Notification) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if mail.state == MailState.SENT:
            raise PermissionDenied
        notification_retry(mail.pk)
        messages.success(request, gettext("The email is being resent."))
        return redirect(admin_page_url(mail))
