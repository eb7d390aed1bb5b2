"""Files that staff asked for: progress and download. Everyone sees their own, superusers all; only the owner
fetches a file."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import BAD, GOOD, PLAIN, WAIT, ReadOnlyAdmin, column, link_to
from artisans.exports.admin_lists import PERMISSION, SOURCE, InvalidFilters, admin_of
from artisans.exports.models import Export
from artisans.exports.pages import is_ready, stored_response
from artisans.exports.services import kept_until

TONES = {"running": WAIT, "ready": GOOD, "sent": PLAIN, "failed": BAD}


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    pages = {"file": PERMISSION}
    everyday_pages: ClassVar[frozenset[str]] = frozenset({"file"})
    detail_template = "admin/exports/export/detail.html"
    list_select_related = ("owner",)
    list_display = ("what", "owner", "file_format", "rows", "state", "created")
    list_filter = ("file_format", ("created_at", DayRangeFilter))
    list_filter_submit = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(PERMISSION))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Export]:
        rows: QuerySet[Export] = super().get_queryset(request)
        rows = rows.filter(list_name__startswith=f"{SOURCE}:")
        user = require_user(request)
        return rows if user.is_superuser else rows.filter(owner=user)

    @column(_("List"))
    def what(self, export: Export) -> Any:
        return link_to(export, list_title(export))

    @column(_("Status"), label=TONES)
    def state(self, export: Export) -> tuple[str, str]:
        return export_status(export)

    def detail(self, request: HttpRequest, obj: Export) -> dict[str, Any]:
        state, label = export_status(obj)
        return {
            "export": obj,
            "title": list_title(obj),
            "state": label,
            "tone": TONES[state],
            "is_ready": is_ready(obj) and obj.owner_id == require_user(request).pk,
            "kept_until": kept_until(obj),
        }

    def file_page(self, request: HttpRequest, export: Export) -> StreamingHttpResponse:
        """Errors: PermissionDenied if they may not see the list any more; Http404 if there is no file."""
        if not is_ready(export) or export.owner_id != require_user(request).pk:
            raise Http404
        try:
            return stored_response(request, export)
        except InvalidFilters as error:
            messages.error(request, gettext("The list has changed since. Export it again."))
            raise Http404 from error


def list_title(export: Export) -> str:
    label = export.list_name.partition(":")[2]
    try:
        return capfirst(str(admin_of(label).opts.verbose_name_plural))
    except Http404:
        return label


def export_status(export: Export) -> tuple[str, str]:
    if export.failed_at:
        return "failed", gettext("Failed")
    if export.finished_at is None:
        return "running", gettext("In progress")
    return ("ready", gettext("Ready")) if export.is_stored else ("sent", gettext("Downloaded"))
