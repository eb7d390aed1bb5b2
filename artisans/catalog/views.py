from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from artisans.catalog.availability import FEW, availability, options_of
from artisans.catalog.models import Artisan, Category, Product
from artisans.catalog.search import MAX_LENGTH, MOST_RESULTS, NearProducts, search_near
from artisans.catalog.selectors import (
    SORTS,
    artisans_open,
    pictures_shown,
    products_found,
    products_listed,
    products_new,
    products_on_sale,
    sorts_offered,
)
from artisans.core.texts import search_text

PER_PAGE = 24


@dataclass(frozen=True, slots=True)
class CategoryLink:
    name: str
    slug: str
    is_current: bool


def product_list(request: HttpRequest) -> HttpResponse:
    names = ("q", "category", "artisan", "sort")
    sent = {name: search_text(request.GET.get(name, "")) for name in names}
    filters = {name: cut_at_word(value) for name, value in sent.items()}
    q, sorts = filters["q"], sorts_offered(filters["q"])
    result = products_found(**filters)
    paginator = Paginator(result.products, PER_PAGE)
    near = NearProducts() if paginator.count else search_near(products_listed(), result.words)
    is_filtered = any(filters[name] for name in ("q", "category", "artisan"))
    query = request.GET.copy()
    query.pop("page", None)
    categories = list(Category.objects.all())
    category = next((c for c in categories if c.slug == filters["category"]), None)
    artisan = artisans_open().filter(slug=filters["artisan"]).first() if filters["artisan"] else None
    context = {
        "page_obj": paginator.get_page(request.GET.get("page")),
        "paginator": paginator,
        "categories": [CategoryLink(c.name, c.slug, c.slug == filters["category"]) for c in categories],
        "category": category,
        "artisan": artisan,
        "unknown": describe_unknown(filters, category, artisan),
        "is_narrowed": bool(filters["category"] or filters["artisan"]),
        "q": q,
        "max_length": MAX_LENGTH if len(sent["q"]) > MAX_LENGTH else None,
        "corrected": result.corrected,
        "has_more": bool(q) and paginator.count >= MOST_RESULTS,
        "near": near,
        "new": [] if paginator.count or near.products else list(products_new()),
        "sort": filters["sort"] if filters["sort"] in sorts else sorts[0],
        "sorts": [(value, SORTS[value][0]) for value in sorts],
        "is_filtered": is_filtered,
        "querystring": query.urlencode(),
        "artisans": [] if is_filtered else list(artisans_open()),
    }
    return render(request, "catalog/product_list.html", context)


def cut_at_word(text: str) -> str:
    """The text up to MAX_LENGTH, without a word that is cut off there."""
    start, rest = text[:MAX_LENGTH], text[MAX_LENGTH:]
    if rest and not rest[0].isspace() and (whole := start.rpartition(" ")[0]):
        start = whole
    return start.strip()


def describe_unknown(filters: dict[str, str], category: Category | None, artisan: Artisan | None) -> str:
    """That there is no category or workshop as the address names it; "" if there is."""
    if filters["category"] and category is None:
        return _("This category does not exist.")
    if filters["artisan"] and artisan is None:
        return _("This workshop does not exist.")
    return ""


def product_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of a product. That of a variant is the same with the variant chosen, unless it is archived."""
    found = products_on_sale().filter(slug=slug).first()
    if found is None or found.parent_id:
        product = get_object_or_404(products_on_sale(), variants__slug=slug)
        return render(request, "catalog/product_detail.html", product_context(product, found))
    return render(request, "catalog/product_detail.html", product_context(found))


def product_context(product: Product, chosen: Product | None = None) -> dict[str, Any]:
    """What the page of a product shows. An only variant is chosen."""
    if not product.needs_choice:
        chosen = product
    elif chosen is None and len(product.choices) == 1:
        chosen = product.choices[0]
    shown, back_on = chosen or product, product.artisan.on_holiday_until
    return {
        "product": product,
        "chosen": chosen,
        "shown": shown,
        "pictures": pictures_shown(product),
        "options": options_of(product, chosen if product.needs_choice else None),
        "back_on": back_on,
        "availability": availability(shown, back_on=back_on),
        "is_available": shown.available > 0 and not back_on,
        "is_scarce": not shown.lead_days and shown.available <= FEW,
        "can_buy": chosen is not None and chosen.stock > 0 and not back_on,
        "max_quantity": min(shown.available, 99),
        "others": list(products_listed().filter(artisan=product.artisan).exclude(pk=product.pk)[:4]),
    }


def artisan_detail(request: HttpRequest, slug: str) -> HttpResponse:
    artisan = get_object_or_404(artisans_open(), slug=slug)
    products = products_listed().filter(artisan=artisan)
    return render(request, "catalog/artisan_detail.html", {"artisan": artisan, "products": products})
