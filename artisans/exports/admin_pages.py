"""The page of every list of the admin on which it is exported."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseNotAllowed, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from artisans.accounts.principals import require_user
from artisans.core.admin.pages import PagesAdmin, admin_list_url, admin_page_url
from artisans.exports.admin_lists import NOT_OF_ROWS, ROWS, InvalidFilters, list_name, may_export
from artisans.exports.lists import find_list
from artisans.exports.pages import export_answer


def export_page(model_admin: PagesAdmin, request: HttpRequest) -> HttpResponseBase:
    """A form for format and columns; POST answers with the file, or leads to the page of the one that is made."""
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    return page_for(model_admin, request, request.POST.get(ROWS, ""), is_sent=request.method == "POST")


def selected_page(model_admin: PagesAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponseBase:
    """The form for the selected rows; for all rows found, that of the list as it is filtered."""
    keys = (
        ""
        if request.POST.get("select_across") == "1"
        else ",".join(map(str, rows.values_list("pk", flat=True)))
    )
    return page_for(model_admin, request, keys, is_sent=False)


def page_for(
    model_admin: PagesAdmin, request: HttpRequest, selected: str, *, is_sent: bool
) -> HttpResponseBase:
    if not may_export(model_admin, request):
        raise PermissionDenied
    shown = request.GET.copy()
    for name in (*NOT_OF_ROWS, ROWS):
        shown.pop(name, None)
    query = QueryDict(shown.urlencode(), mutable=True)
    if selected:
        query[ROWS] = selected
    back = admin_list_url(model_admin.model, shown.urlencode())
    try:
        found = find_list(list_name(model_admin), require_user(request), query)
    except InvalidFilters:
        messages.error(request, _("The list does not know these filters. Choose them again, then export."))
        return redirect(admin_list_url(model_admin.model))
    answer = export_answer(request, found, query.urlencode(), is_sent=is_sent)
    if answer.file:
        return answer.file
    if answer.export:
        return redirect(admin_page_url(answer.export))
    request.current_app = model_admin.admin_site.name
    address = f"{admin_list_url(model_admin.model)}export/"
    context = {
        "title": _("Export: %(list)s") % {"list": found.title},
        "opts": model_admin.opts,
        "media": model_admin.media,
        "found": found,
        "answer": answer,
        "form": answer.form,
        "selected": selected,
        "action": f"{address}?{shown.urlencode()}" if shown else address,
        "back": back,
    }
    context = model_admin.admin_site.each_context(request) | context
    return TemplateResponse(request, "admin/exports/export.html", context)
