"""Months of the ledger in the admin; here, above `ledger`, because closing one compares it with the payments."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.pages import ReadOnlyAdmin, column, link_to, when
from artisans.ledger.models import LedgerPeriod
from artisans.ledger.selectors import balances_at_end_of, trial_rows, trial_totals


@admin.register(LedgerPeriod)
class LedgerPeriodAdmin(ReadOnlyAdmin):
    """Closed months with their trial balances."""

    detail_template = "admin/ledger/ledgerperiod/detail.html"
    list_display = ("month", "closed", "closed_by")
    list_select_related = ("closed_by",)
    ordering = ("-last_day",)

    @column(_("Month"), ordering="last_day")
    def month(self, period: LedgerPeriod) -> SafeString:
        return link_to(period, month_name(period))

    @column(_("Closed"), ordering="closed_at")
    def closed(self, period: LedgerPeriod) -> str:
        return when(period.closed_at)

    def detail(self, request: HttpRequest, obj: LedgerPeriod) -> dict[str, Any]:
        rows = trial_rows(balances_at_end_of(obj.last_day))
        return {"period": obj, "month": month_name(obj), "rows": rows, "totals": trial_totals(rows)}


def month_name(period: LedgerPeriod) -> str:
    return date_format(period.last_day, "F Y")
