"""The page on which an artisan enters prices of a product in other currencies."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from artisans.accounts.principals import require_user
from artisans.catalog.models import PriceOrigin, Product, ProductPrice
from artisans.catalog.price_lists import PriceKey, currencies_for, price_version, prices_change, prices_of
from artisans.core.errors import DomainError
from artisans.regions.models import ShopCurrency
from artisans.workshop.product_forms import price_field
from artisans.workshop.products import own_product


class PricesForm(forms.Form):
    """A field for each row that is bought and each currency, and the version of the prices that the form shows."""

    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, rows: list[Product], currencies: list[ShopCurrency]) -> None:
        super().__init__(data)
        stored = prices_of(rows)
        self.fields["version"].initial = price_version(stored)
        self.keys: dict[str, PriceKey] = {}
        for row in rows:
            for currency in currencies:
                name, key = f"{row.pk.hex}-{currency.code}", (row.pk, currency.code)
                self.keys[name] = key
                self.fields[name] = self.field(row, currency, stored.get(key))

    def field(self, row: Product, currency: ShopCurrency, price: ProductPrice | None) -> forms.Field:
        field = price_field(required=False, help_text=self.origin(price))
        field.currency, field.initial = currency.code, price.price.amount if price else ""
        names = {"variant": ", ".join(row.options), "currency": currency.code}
        field.label = _("%(variant)s: price in %(currency)s") if row.parent_id else _("Price in %(currency)s")
        field.label %= names
        return field

    def origin(self, price: ProductPrice | None) -> str:
        if price is None:
            return _("Not sold in this currency.")
        if price.origin == PriceOrigin.CONVERTED:
            return _("Converted from your price of %(amount)s: %(sheet)s.") % {
                "amount": price.converted_from,
                "sheet": price.sheet,
            }
        return ""

    def prices(self) -> dict[PriceKey, int | None]:
        return {key: self.cleaned_data[name] for name, key in self.keys.items()}


@login_required
@require_http_methods(["GET", "POST"])
def product_prices(request: HttpRequest, product_id: UUID) -> HttpResponse:
    product = own_product(request, product_id)
    rows, currencies = product.choices if product.needs_choice else [product], currencies_for(product)
    form = PricesForm(request.POST or None, rows=rows, currencies=currencies)
    if request.method == "POST" and form.is_valid():
        try:
            prices_change(
                artisan=product.artisan,
                product_id=product_id,
                actor=require_user(request),
                prices=form.prices(),
                version=form.cleaned_data["version"],
            )
        except DomainError as error:
            form.add_error(None, error.detail)
            form.data = form.data.dict() | {"version": price_version(prices_of(rows))}  # type: ignore[attr-defined]  # a QueryDict
        else:
            messages.success(request, _("Saved."))
            return redirect("workshop:product_prices", product_id=product_id)
    context = {"form": form, "product": product, "currencies": currencies, "rows": rows}
    return render(request, "workshop/product_prices.html", context)
