"""Pages where an artisan manages the own products."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_artisan
from artisans.catalog.models import Product, ProductState
from artisans.catalog.product_rows import MAX_OPTIONS
from artisans.catalog.products import (
    product_archive,
    product_change,
    product_create,
    product_duplicate,
    product_publish,
)
from artisans.catalog.selectors import own_products
from artisans.catalog.services import stock_snapshots
from artisans.catalog.variants import InvalidVariant, variants_change
from artisans.catalog.views import product_context
from artisans.core.errors import DomainError
from artisans.core.texts import search_text
from artisans.workshop.product_forms import (
    NewProductForm,
    OptionsForm,
    ProductForm,
    VariantFormSet,
    shown_options,
    shown_variant,
)
from orders.selectors import store_rules

PER_PAGE = 20


@login_required
@require_GET
def product_list(request: HttpRequest) -> HttpResponse:
    artisan = require_artisan(request)
    state, q = request.GET.get("state", ""), search_text(request.GET.get("q", ""))[:120]
    state = state if state in ProductState.values else ""
    page = Paginator(own_products(artisan, q=q, state=state), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page_obj": page, "state": state, "states": ProductState.choices, "q": q}
    return render(request, "workshop/product_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def product_new(request: HttpRequest) -> HttpResponse:
    artisan, currency = require_artisan(request), store_rules().currency
    form = NewProductForm(request.POST or None, currency=currency)
    if request.method == "POST" and form.is_valid():
        try:
            product = product_create(
                artisan=artisan,
                actor=require_user(request),
                currency=currency,
                values=form.values(),
                stock=form.cleaned_data["stock"] or 0,
                product_id=form.cleaned_data["product_id"],
            )
        except DomainError as error:
            form.add_error(None, error.detail)
            form.renew()
        else:
            messages.success(request, _("Saved as a draft. Buyers see it once you publish it."))
            return redirect("workshop:product", product_id=product.pk)
    return render(request, "workshop/product_form.html", {"form": form, "currency": currency})


@login_required
@require_http_methods(["GET", "POST"])
def product_edit(request: HttpRequest, product_id: UUID) -> HttpResponse:
    product = own_product(request, product_id)
    form = ProductForm(request.POST or None, currency=product.currency, product=product)
    if request.method == "POST" and form.is_valid():
        try:
            product_change(
                artisan=product.artisan,
                product_id=product_id,
                actor=require_user(request),
                values=form.values(),
                version=form.cleaned_data["version"],
            )
        except DomainError as error:
            product = own_product(request, product_id)
            form.add_error(None, error.detail)
            form.show_present(product)
        else:
            messages.success(request, _("Saved."))
            return redirect("workshop:product", product_id=product_id)
    context = {"form": form, "product": product, "currency": product.currency, "copy_id": uuid4()}
    return render(request, "workshop/product_form.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def product_variants(request: HttpRequest, product_id: UUID) -> HttpResponse:
    product = own_product(request, product_id)
    seen = stock_snapshots(variant.pk for variant in product.choices)
    count = option_count(request, product)
    options = OptionsForm(request.POST or None, product=product, count=count)
    shown = [shown_variant(variant, seen[variant.pk]) for variant in product.choices]
    rows: Any = VariantFormSet(
        request.POST or None,
        initial=None if request.method == "POST" else shown,  # posted rows are those of the page, not of now
        form_kwargs={"currency": product.currency, "options": options.labels()},
        prefix="variant",
    )
    refusals: list[str] = []
    if request.method == "POST" and options.is_valid() & rows.is_valid():
        entered = [(row, found) for row in rows if (found := row.entered())]
        try:
            variants_change(
                artisan=product.artisan,
                product_id=product_id,
                actor=require_user(request),
                option_names=options.values()["options"],
                version=options.cleaned_data["version"],
                variants=[found for _row, found in entered],
            )
        except DomainError as error:
            refusals.append(error.detail)
            if isinstance(error, InvalidVariant) and "row" in error.extra:
                entered[error.extra["row"]][0].add_error(None, error.detail)
            product = own_product(request, product_id)
            options.show_again(product, shown_options(product))
            present = {variant.pk: variant for variant in product.variants.all()}
            seen = stock_snapshots(present)
            for row in rows:
                row.show_present(present, seen)
        else:
            messages.success(request, _("Saved."))
            return redirect("workshop:product_variants", product_id=product_id)
    elif request.method == "POST":
        refusals.append(_("Some variants are not complete. Nothing was saved."))
    context = {
        "product": product,
        "options": options,
        "rows": rows,
        "refusals": refusals,
        "next_count": count + 1 if count < MAX_OPTIONS else None,
        "archived": [", ".join(one.options) for one in product.variants.all() if one.archived_at],
    }
    return render(request, "workshop/product_variants.html", context)


def option_count(request: HttpRequest, product: Product) -> int:
    """How many options the page has fields for."""
    asked = request.GET.get("options", "")
    wanted = int(asked) if asked in {"1", "2", "3"} else 1
    return max(wanted, len(product.options))


@login_required
@require_GET
def product_preview(request: HttpRequest, product_id: UUID) -> HttpResponse:
    """The page as buyers would see it, also of a draft. For the workshop only."""
    product = own_product(request, product_id)
    asked = request.GET.get("variant", "")
    chosen = next((variant for variant in product.choices if variant.slug == asked), None)
    context = product_context(product, chosen, currency=product.currency)
    context |= {"is_preview": True, "currency": product.currency}
    return render(request, "catalog/product_detail.html", context)


@login_required
@require_POST
def product_put_on_sale(request: HttpRequest, product_id: UUID) -> HttpResponse:
    return act(request, product_id, product_publish, _("Published. Buyers can now see and buy it."))


@login_required
@require_POST
def product_take_off(request: HttpRequest, product_id: UUID) -> HttpResponse:
    return act(
        request, product_id, product_archive, _("Archived. It is no longer sold; orders under way stay.")
    )


@login_required
@require_POST
def product_copy(request: HttpRequest, product_id: UUID) -> HttpResponse:
    try:
        copy_id = UUID(request.POST.get("copy_id", ""))
    except ValueError:
        copy_id = uuid4()
    text = _("This is a copy, saved as a draft: without pictures, stock and SKU.")
    return act(request, product_id, product_duplicate, text, copy_id=copy_id)


def own_product(request: HttpRequest, product_id: UUID) -> Product:
    """Errors: Http404."""
    return get_object_or_404(own_products(require_artisan(request)), pk=product_id)


def act(
    request: HttpRequest, product_id: UUID, service: Callable[..., Product], text: str, **arguments: Any
) -> HttpResponse:
    product = own_product(request, product_id)
    try:
        product = service(
            artisan=product.artisan, product_id=product_id, actor=require_user(request), **arguments
        )
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, text)
    return redirect("workshop:product", product_id=product.pk)
