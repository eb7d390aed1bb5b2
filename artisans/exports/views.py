"""Pages of a file that a person of the shop, such as an artisan, asked for: progress and download."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from artisans.accounts.principals import require_user
from artisans.exports.admin_lists import SOURCE
from artisans.exports.models import Export
from artisans.exports.pages import is_ready, stored_response
from artisans.exports.services import kept_until


@login_required
@require_GET
def export_detail(request: HttpRequest, export_id: UUID) -> HttpResponse:
    export = own_export(request, export_id)
    context = {"export": export, "is_ready": is_ready(export), "kept_until": kept_until(export)}
    return render(request, "exports/export.html", context)


@login_required
@require_GET
def export_file(request: HttpRequest, export_id: UUID) -> StreamingHttpResponse:
    """Errors: Http404 if there is no file, or they may not see the list any more."""
    export = own_export(request, export_id)
    if not is_ready(export):
        raise Http404
    return stored_response(request, export)


def own_export(request: HttpRequest, export_id: UUID) -> Export:
    """Staff fetch theirs in the admin, with its sign-in. Errors: Http404."""
    own = Export.objects.filter(owner=require_user(request)).exclude(list_name__startswith=f"{SOURCE}:")
    return get_object_or_404(own, pk=export_id)
