"""The page on which artisans export one of their lists."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_artisan
from artisans.exports.lists import find_list
from artisans.exports.pages import export_answer
from artisans.workshop.export_lists import SOURCE

PAGES = {
    "products": "workshop:product_list",
    "stock": "workshop:stock_list",
    "parcels": "orders:parcel_list",
    "earnings": "earnings:earning_list",
    "lines": "earnings:line_list",
    "sales": "sales:sales",
}


@login_required
@require_http_methods(["GET", "POST"])
def export_list(request: HttpRequest, name: str) -> HttpResponseBase:
    """A form for format and columns; POST answers with the file, or leads to the page of the one that is made."""
    require_artisan(request)
    shown = request.GET.copy()
    shown.pop("page", None)
    query = shown.urlencode()
    found = find_list(f"{SOURCE}:{name}", require_user(request), QueryDict(query))
    answer = export_answer(request, found, query, is_sent=request.method == "POST")
    if answer.file:
        return answer.file
    if answer.export:
        return redirect("exports:export", export_id=answer.export.pk)
    back = f"{reverse(PAGES[name])}{'?' * bool(query)}{query}"
    context = {"found": found, "answer": answer, "form": answer.form, "back": back, "here": name}
    return render(request, "workshop/export.html", context)
