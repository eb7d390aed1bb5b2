"""How many requests to the webhook addresses were refused, by hour and reason."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import ReadOnlyAdmin, column, when
from payments.models import WebhookRefusal


@admin.register(WebhookRefusal)
class WebhookRefusalAdmin(ReadOnlyAdmin):
    list_display = ("since", "provider", "reason_text", "count")
    list_filter = ("provider", ("hour", DayRangeFilter))
    list_filter_submit = True
    fields = list_display
    ordering = ("-hour", "provider", "reason")

    @column(_("Hour from"), ordering="hour", file="hour")
    def since(self, row: WebhookRefusal) -> str:
        return when(row.hour)

    @column(_("Reason"), file="reason")
    def reason_text(self, row: WebhookRefusal) -> str:
        return row.reason_text
