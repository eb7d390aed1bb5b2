from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from artisans.accounts.principals import require_user
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    WAIT,
    WARN,
    ReadOnlyAdmin,
    admin_page_url,
    column,
    posted,
    when,
)
from artisans.tax_ids.models import TaxId, TaxIdStatus
from artisans.tax_ids.services import tax_id_ask_again, tax_id_decide

TONES = {
    TaxIdStatus.PENDING: WAIT,
    TaxIdStatus.VERIFIED: GOOD,
    TaxIdStatus.UNVERIFIED: BAD,
    TaxIdStatus.UNAVAILABLE: WARN,
}
VALID, NOT_VALID = "verified", "unverified"


class SeenForm(forms.Form):
    """`version`: of the VAT ID as the page showed it."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)


class DecideForm(SeenForm):
    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[(VALID, _("The VAT ID is valid")), (NOT_VALID, _("The VAT ID is not valid"))],
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={"required": _("Choose whether the VAT ID is valid.")},
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        help_text=_("How it was checked, such as by a call to the tax office. Only staff see it."),
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        error_messages={"required": _("Enter a reason, such as how the VAT ID was checked.")},
    )


@admin.register(TaxId)
class TaxIdAdmin(ReadOnlyAdmin):
    pages = {"decide": "tax_ids.decide_taxid", "ask-again": "tax_ids.decide_taxid"}
    views = {"": _("All"), "status__exact=unavailable": _("To decide")}
    detail_template = "admin/tax_ids/taxid/detail.html"
    list_display = ("value", "state", "verified_name", "checked", "used")
    list_filter = ("status", ("used_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("decided_by",)
    search_fields = ("value",)
    search_help_text = _("VAT ID")

    @column(_("Status"), ordering="status", label=TONES)
    def state(self, tax_id: TaxId) -> tuple[str, str]:
        return tax_id.status, tax_id.get_status_display()

    @column(_("Checked"), ordering="checked_at", file="checked_at")
    def checked(self, tax_id: TaxId) -> str:
        return when(tax_id.checked_at)

    @column(_("Last used"), ordering="used_at", file="used_at")
    def used(self, tax_id: TaxId) -> str:
        return when(tax_id.used_at)

    def detail(self, request: HttpRequest, obj: TaxId) -> dict[str, Any]:
        return {
            "tax_id": obj,
            "tone": TONES[TaxIdStatus(obj.status)],
            "checked": when(obj.checked_at),
            "used": when(obj.used_at),
            "may_decide": request.user.has_perm(self.pages["decide"]),
            "pages": {
                "decide": admin_page_url(obj, "decide"),
                "ask_again": admin_page_url(obj, "ask-again"),
            },
        }

    def decide_page(self, request: HttpRequest, tax_id: TaxId) -> HttpResponse:
        def decide(data: dict[str, Any]) -> str:
            tax_id_decide(
                tax_id_id=tax_id.pk,
                version=data["version"],
                is_valid=data["decision"] == VALID,
                reason=data["reason"],
                actor=require_user(request),
            )
            return gettext("The decision was saved. Buyers who wait for it get an email.")

        form = DecideForm(posted(request), initial={"version": tax_id.version})
        return self.run_action(request, "admin/tax_ids/taxid/decide.html", tax_id, form, decide)

    def ask_again_page(self, request: HttpRequest, tax_id: TaxId) -> HttpResponse:
        def ask(data: dict[str, Any]) -> str:
            tax_id_ask_again(tax_id_id=tax_id.pk, version=data["version"], actor=require_user(request))
            return gettext("VIES is being asked. Reload this page in a moment.")

        form = SeenForm(posted(request), initial={"version": tax_id.version})
        return self.run_action(request, "admin/tax_ids/taxid/ask_again.html", tax_id, form, ask)
