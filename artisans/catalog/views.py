from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.vary import vary_on_headers

from artisans.catalog.availability import options_of
from artisans.catalog.categories import CategoryTree
from artisans.catalog.forms import FilterForm
from artisans.catalog.models import Artisan, Category, Product
from artisans.catalog.prices import load_prices
from artisans.catalog.search import MAX_LENGTH, MOST_RESULTS, NearProducts, search_near
from artisans.catalog.selectors import (
    SORTS,
    artisans_newest,
    artisans_open,
    counts_by_category,
    materials_offered,
    pictures_shown,
    products_found,
    products_listed,
    products_new,
    products_on_sale,
    sorts_offered,
)
from artisans.core.texts import search_text
from artisans.regions.choice import chosen_currency, currency_choice

PER_PAGE = 24
DOORS = 12  # workshops on the home page
NO_CATEGORY = 0  # the key of none

varies_by_currency = vary_on_headers("Cookie", "Accept-Language")


@dataclass(frozen=True, slots=True)
class CategoryLink:
    """`count`: products below it with the other filters; None for a search, which would count all that match."""

    name: str
    slug: str
    is_current: bool
    count: int | None


@varies_by_currency
def product_list(request: HttpRequest) -> HttpResponse:
    names = ("q", "category", "artisan", "sort")
    sent = {name: search_text(request.GET.get(name, "")) for name in names}
    asked = {name: cut_at_word(value) for name, value in sent.items()}
    q, sorts, form = asked["q"], sorts_offered(asked["q"]), FilterForm(request.GET)
    filters, tree = form.filters, CategoryTree.load()
    category = tree.find(asked["category"])
    whole = tree.whole(category) if category else [NO_CATEGORY] if asked["category"] else []
    currency, offered = currency_choice(request)
    result = products_found(
        q=q,
        categories=whole,
        artisan=asked["artisan"],
        sort=asked["sort"],
        currency=currency if currency != offered[0] else "",
        **filters,
    )
    counts = None if q else counts_by_category(result.everywhere)
    paginator = Paginator(result.products, PER_PAGE)
    if counts is not None:
        paginator.count = tree.total(counts, category) if category or not whole else 0
    near = NearProducts() if paginator.count else search_near(products_listed(), result.words)
    has_filters = any(filters.values())
    is_filtered = has_filters or any(asked[name] for name in ("q", "category", "artisan"))
    artisan = artisans_open().filter(slug=asked["artisan"]).first() if asked["artisan"] else None
    new = [] if paginator.count or near.products else list(products_new())
    load_prices([*near.products, *new], currency, with_variants=True)
    context = {
        "page_obj": priced_page(paginator, request),
        "paginator": paginator,
        "crumbs": category.lineage[:-1] if category else [],
        "categories": category_links(tree, category, counts),
        "category": category,
        "above": category_above(tree, category),
        "artisan": artisan,
        "unknown": describe_unknown(asked, category, artisan),
        "is_narrowed": has_filters or bool(asked["category"] or asked["artisan"]),
        "has_filters": has_filters,
        "filters": filters,
        "form": form,
        "materials": materials_offered(
            result.everywhere.filter(category__in=whole) if whole else result.everywhere
        ),
        "q": q,
        "max_length": MAX_LENGTH if len(sent["q"]) > MAX_LENGTH else None,
        "corrected": result.corrected,
        "has_more": bool(q) and paginator.count >= MOST_RESULTS,
        "near": near,
        "new": new,
        "sort": asked["sort"] if asked["sort"] in sorts else sorts[0],
        "sorts": [(value, SORTS[value][0]) for value in sorts],
        "is_filtered": is_filtered,
        "artisans": [] if is_filtered else list(artisans_newest()[:DOORS]),
        "has_more_artisans": not is_filtered and artisans_open().count() > DOORS,
    }
    return render(request, "catalog/product_list.html", context)


def priced_page(paginator: "Paginator[Any]", request: HttpRequest) -> "Page[Any]":
    """The page of products that is asked for, with their prices in the chosen currency read at once."""
    page = paginator.get_page(request.GET.get("page"))
    page.object_list = load_prices(list(page.object_list), chosen_currency(request), with_variants=True)
    return page


def category_above(tree: CategoryTree, category: Category | None) -> Category | None:
    """The one whose parts are offered: the current one or, if it has no parts, the one that it is part of."""
    return category if category is None or tree.children_of(category) else category.parent


def category_links(
    tree: CategoryTree, category: Category | None, counts: dict[int, int] | None
) -> list[CategoryLink]:
    return [
        CategoryLink(row.name, row.slug, row == category, None if counts is None else tree.total(counts, row))
        for row in tree.children_of(category_above(tree, category))
    ]


def cut_at_word(text: str) -> str:
    """The text up to MAX_LENGTH, without a word that is cut off there."""
    start, rest = text[:MAX_LENGTH], text[MAX_LENGTH:]
    if rest and not rest[0].isspace() and (whole := start.rpartition(" ")[0]):
        start = whole
    return start.strip()


def describe_unknown(asked: dict[str, str], category: Category | None, artisan: Artisan | None) -> str:
    """That there is no category or workshop as the address names it; "" if there is."""
    if asked["category"] and category is None:
        return _("This category does not exist.")
    if asked["artisan"] and artisan is None:
        return _("This workshop does not exist.")
    return ""


@varies_by_currency
def product_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of a product. That of a variant is the same with the variant chosen, unless it is archived."""
    products = products_on_sale().select_related("category__parent__parent")
    found = products.filter(slug=slug).first()
    if found is None or found.parent_id:
        product = get_object_or_404(products, variants__slug=slug)
        context = product_context(product, found, currency=chosen_currency(request))
    else:
        context = product_context(found, currency=chosen_currency(request))
    return render(request, "catalog/product_detail.html", context)


def product_context(product: Product, chosen: Product | None = None, *, currency: str) -> dict[str, Any]:
    """What the page of a product shows. An only variant is chosen."""
    if not product.needs_choice:
        chosen = product
    elif chosen is None and len(product.choices) == 1:
        chosen = product.choices[0]
    shown, back_on = chosen or product, product.artisan.on_holiday_until
    others = list(products_listed().filter(artisan=product.artisan).exclude(pk=product.pk)[:4])
    load_prices([shown, product, *others], currency, with_variants=True)
    shown.artisan = product.artisan  # already read
    return {
        "product": product,
        "chosen": chosen,
        "shown": shown,
        "pictures": pictures_shown(product),
        "options": options_of(product, chosen if product.needs_choice else None),
        "back_on": back_on,
        "crumbs": product.category.lineage,
        "can_buy": chosen is not None
        and chosen.stock > 0
        and not back_on
        and chosen.price_in(currency) is not None,
        "max_quantity": min(shown.available, 99),
        "others": others,
    }


def artisan_list(request: HttpRequest) -> HttpResponse:
    """All workshops by name."""
    paginator = Paginator(artisans_open().order_by("name", "pk"), PER_PAGE)
    context = {"page_obj": paginator.get_page(request.GET.get("page")), "paginator": paginator}
    return render(request, "catalog/artisan_list.html", context)


@varies_by_currency
def artisan_detail(request: HttpRequest, slug: str) -> HttpResponse:
    artisan = get_object_or_404(artisans_open(), slug=slug)
    paginator = Paginator(products_listed().filter(artisan=artisan), PER_PAGE)
    page = priced_page(paginator, request)
    context = {"artisan": artisan, "page_obj": page, "paginator": paginator}
    return render(request, "catalog/artisan_detail.html", context)
