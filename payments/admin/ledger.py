"""Months of the ledger in the admin; here, above `ledger`, because closing one asks about payments."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from artisans.accounts.principals import require_user
from artisans.approvals.models import ApprovalRequest
from artisans.core.admin.pages import (
    ReadOnlyAdmin,
    admin_list_url,
    admin_page_url,
    column,
    link_to,
    posted,
    when,
)
from artisans.core.errors import DomainError
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.ledger.models import LedgerPeriod
from artisans.ledger.selectors import balances_at_end_of, trial_rows, trial_totals
from artisans.ledger.services import first_day_to_close
from orders.selectors import store_rules
from payments.approvals import month_close_submit
from payments.bookkeeping.month_close import NOTE, closing_conditions

CLOSE = "ledger.close_period"


class CloseForm(forms.Form):
    """`first_day`: of the month on the button. The page shows the one that can be closed now, so that a form that is
    sent again does not close the next one."""

    first_day = forms.DateField(widget=forms.HiddenInput)
    note = forms.CharField(
        label=_("Why money is still unexplained"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("Stored with the month."),
    )


@admin.register(LedgerPeriod)
class LedgerPeriodAdmin(ReadOnlyAdmin):
    """Closed months with their trial balances, and a page that closes the next one."""

    detail_template = "admin/ledger/ledgerperiod/detail.html"
    list_before_template = "admin/ledger/ledgerperiod/before_list.html"
    list_display = ("month", "closed", "closed_by")
    list_select_related = ("closed_by",)
    ordering = ("-last_day",)

    def get_urls(self) -> list[URLPattern]:
        close = path("close/", self.admin_site.admin_view(self.close_page), name="ledger_close_month")
        standard: list[URLPattern] = super().get_urls()
        return [close, *standard]

    @column(_("Month"), ordering="last_day", file="last_day")
    def month(self, period: LedgerPeriod) -> SafeString:
        return link_to(period, month_name(period))

    @column(_("Closed"), ordering="closed_at", file="closed_at")
    def closed(self, period: LedgerPeriod) -> str:
        return when(period.closed_at)

    def detail(self, request: HttpRequest, obj: LedgerPeriod) -> dict[str, Any]:
        rows = trial_rows(balances_at_end_of(obj.last_day))
        return {"period": obj, "month": month_name(obj), "rows": rows, "totals": trial_totals(rows)}

    def close_page(self, request: HttpRequest) -> HttpResponse:
        """What is checked before the oldest open month is closed, and the button that closes it."""
        if not request.user.has_perm(CLOSE):
            raise PermissionDenied
        require_fresh_sign_in(request)
        form = CloseForm(posted(request))
        if form.is_valid():
            try:
                done = month_close_submit(actor=require_user(request), **form.cleaned_data)
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                return self.answer(request, done)
        conditions = closing_conditions()
        first_day = first_day_to_close()
        context = {
            "title": gettext("Close a month"),
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "first_day": first_day,
            "month": date_format(first_day, "F Y") if first_day else "",
            "conditions": conditions,
            "is_ready": all(row.settled_by == NOTE for row in conditions if row.problem),
            "needs_note": any(row.problem and row.settled_by == NOTE for row in conditions),
            "needs_second_person": store_rules().second_person_for_settings,
            "back": admin_list_url(LedgerPeriod),
        }
        request.current_app = self.admin_site.name
        template = "admin/ledger/ledgerperiod/close.html"
        return TemplateResponse(request, template, self.admin_site.each_context(request) | context)

    def answer(self, request: HttpRequest, done: LedgerPeriod | ApprovalRequest) -> HttpResponse:
        if isinstance(done, ApprovalRequest):
            messages.success(request, gettext("A colleague has to approve this. They get an email."))
        else:
            messages.success(request, gettext("%(month)s is closed.") % {"month": month_name(done)})
        return redirect(admin_page_url(done))


def month_name(period: LedgerPeriod) -> str:
    return date_format(period.last_day, "F Y")
