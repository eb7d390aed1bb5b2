"""Prices in other currencies in the admin: converted after a preview of every change."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from artisans.accounts.principals import require_user
from artisans.catalog.models import Artisan, Category, ProductPrice
from artisans.catalog.price_lists import (
    Proposal,
    Scope,
    digest_of,
    prices_convert,
    products_to_convert,
    proposals,
)
from artisans.core.admin.pages import ReadOnlyAdmin, admin_list_url, column, money
from artisans.core.errors import DomainError
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.regions.models import RateSheet, ShopCurrency

PERMISSION = "catalog.convert_prices"
SALT = "catalog.convert_prices"
SHOWN = 200  # rows of a preview


class ConvertForm(forms.Form):
    """`previewed`: the signed digest of the prices that the preview showed."""

    currency = forms.ModelChoiceField(
        ShopCurrency.objects.filter(is_active=True), label=_("Into"), widget=UnfoldAdminSelectWidget
    )
    sheet = forms.ModelChoiceField(
        RateSheet.objects.all(), label=_("Exchange rates"), widget=UnfoldAdminSelectWidget
    )
    artisan = forms.ModelChoiceField(
        Artisan.objects.order_by("name"),
        label=_("Artisan"),
        required=False,
        empty_label=_("All who accept converted prices"),
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ModelChoiceField(
        Category.objects.order_by("name"),
        label=_("Category"),
        required=False,
        empty_label=_("All categories"),
        widget=UnfoldAdminSelectWidget,
    )
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    def scope(self) -> Scope:
        artisan, category = self.cleaned_data["artisan"], self.cleaned_data["category"]
        return Scope(artisan.pk if artisan else None, category.pk if category else None)

    def find(self) -> list[Proposal]:
        """Errors: InvalidInput."""
        currency, sheet = self.cleaned_data["currency"], self.cleaned_data["sheet"]
        products = products_to_convert(currency.code, sheet, self.scope()).select_related("artisan")
        return list(proposals(currency, sheet, products))


@admin.register(ProductPrice)
class ProductPriceAdmin(ReadOnlyAdmin):
    list_before_template = "admin/catalog/productprice/before_list.html"
    list_display = ("product", "amount", "origin", "sheet", "from_amount")
    list_filter = ("currency", "origin")
    list_select_related = ("product", "sheet")
    fields = ("product", "amount", "origin", "sheet", "from_amount", "updated_at")
    readonly_fields = ("amount", "from_amount")

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "convert/", self.admin_site.admin_view(self.convert_page), name="catalog_productprice_convert"
        )
        return [own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        own = {"may_convert": request.user.has_perm(PERMISSION)}
        return super().changelist_view(request, own | (extra_context or {}))

    @column(_("Price"), ordering="price_minor", file=money("price"))
    def amount(self, row: ProductPrice) -> str:
        return str(row.price)

    @column(_("Converted from"))
    def from_amount(self, row: ProductPrice) -> str:
        return self.empty_value_display if row.converted_from is None else str(row.converted_from)

    def convert_page(self, request: HttpRequest) -> HttpResponse:
        """First a preview of all prices; the same ones sent again are written."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form = ConvertForm(request.POST if request.method == "POST" else None)
        found: list[Proposal] | None = None
        if request.method == "POST":
            require_fresh_sign_in(request)
            if form.is_valid():
                try:
                    found = form.find()
                except DomainError as refusal:
                    form.add_error(None, refusal.detail)
        if found is not None:
            shown = digest_of(found)
            if self.was_previewed(form, shown):
                return self.convert(request, form, found)
            if form.cleaned_data["previewed"]:
                form.add_error(None, gettext("Prices changed after the preview. Check them again."))
            token = signing.dumps(shown, salt=SALT)
            form.data = {**form.data.dict(), "previewed": token}  # type: ignore[attr-defined]  # a QueryDict
        request.current_app = self.admin_site.name
        changes = [each for each in found or () if each.is_change]
        base = {"opts": self.opts, "title": gettext("Convert prices"), "media": self.media}
        context = {
            "form": form,
            "found": found,
            "changes": changes[:SHOWN],
            "more": max(0, len(changes) - SHOWN),
            "count": len(changes),
            "same": len([each for each in found or () if not each.is_change and not each.is_manual]),
            "manual": len([each for each in found or () if each.is_manual]),
            "back": admin_list_url(ProductPrice),
        }
        return TemplateResponse(
            request,
            "admin/catalog/productprice/convert.html",
            self.admin_site.each_context(request) | base | context,
        )

    def was_previewed(self, form: ConvertForm, shown: str) -> bool:
        try:
            return bool(signing.loads(form.cleaned_data["previewed"], salt=SALT) == shown)
        except signing.BadSignature:
            return False

    def convert(self, request: HttpRequest, form: ConvertForm, found: list[Proposal]) -> HttpResponse:
        data = form.cleaned_data
        done = prices_convert(
            currency=data["currency"], sheet=data["sheet"], found=found, actor=require_user(request)
        )
        text = ngettext("%(count)d price was written.", "%(count)d prices were written.", done.written)
        messages.success(request, text % {"count": done.written})
        if done.skipped:
            text = ngettext(
                "%(count)d product was left out, because someone changed it meanwhile.",
                "%(count)d products were left out, because someone changed them meanwhile.",
                done.skipped,
            )
            messages.warning(request, text % {"count": done.skipped})
        return redirect(admin_list_url(ProductPrice, f"currency={data['currency'].code}"))
