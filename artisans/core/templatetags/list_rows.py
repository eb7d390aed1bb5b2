"""The rows of the admin's lists, as the theme shows them.

Its own tag works out headers, classes, fields and links again for each row: half of the time of a page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import template
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import lookup_field
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateField, Field, ForeignKey, Model, TimeField
from django.template import Context
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from unfold.templatetags.unfold_list import (
    CHECKBOX_CLASSES,
    LINK_CLASSES,
    ROW_CLASSES,
    UnfoldResultList,
    result_headers,
    result_list,
)
from unfold.utils import display_for_field, display_for_value

register = template.Library()

Show = Callable[[Any], Any]  # what a column shows of a row
SELECT = "action_checkbox"
KEY = "key-of-the-row"


@dataclass(frozen=True, slots=True)
class Column:
    start: SafeString
    show: Show
    end: SafeString

    def cell(self, row: Model) -> SafeString:
        return self.start + conditional_escape(self.show(row)) + self.end


@register.inclusion_tag("admin/change_list_results.html", takes_context=True)
def list_rows(context: Context, cl: Any) -> dict[str, Any]:
    if cl.formset or cl.is_popup:
        found: dict[str, Any] = result_list(context, cl)
        return found
    headers = list(result_headers(cl))
    columns = columns_of(cl, [header["text"] for header in headers])
    return {
        "cl": cl,
        "result_headers": headers,
        "num_sorted_fields": sum(bool(header["sortable"] and header["sorted"]) for header in headers),
        "results": [
            UnfoldResultList(row, None, [column.cell(row) for column in columns]) for row in cl.result_list
        ],
        "actions_row": context.get("actions_row"),
    }


def columns_of(cl: Any, titles: list[str]) -> list[Column]:
    links = list(cl.list_display_links or ())
    columns = []
    for name, title in zip(cl.list_display, titles, strict=True):
        field = field_of(cl, name)
        show = show_of(cl, name, field)
        tag = "th" if name in links[:1] else "td"
        css = " ".join(classes_of(name, field))
        label = _("Select record") if name == SELECT else title
        start = format_html('<{} class="{}" data-label="{}">', tag, css, label)
        columns.append(Column(start, linked(cl, show) if name in links else show, format_html("</{}>", tag)))
    return columns


def field_of(cl: Any, name: str) -> "Field[Any, Any] | None":
    try:
        return cl.opts.get_field(name)  # type: ignore[no-any-return]
    except FieldDoesNotExist:
        return None


def classes_of(name: str, field: "Field[Any, Any] | None") -> list[str]:
    if name == SELECT:
        return list(CHECKBOX_CLASSES)
    is_short = isinstance(field, DateField | TimeField | ForeignKey)
    return [f"field-{name}", *ROW_CLASSES, *(["nowrap"] if is_short else [])]


def show_of(cl: Any, name: str, field: "Field[Any, Any] | None") -> Show:
    admin, empty = cl.model_admin, cl.model_admin.get_empty_value_display()
    method = getattr(admin, name, None)
    if name == SELECT:
        box = admin.action_checkbox(cl.model(pk=KEY))
        return lambda row: mark_safe(box.replace(KEY, conditional_escape(row.pk)))  # noqa: S308  # escaped
    if field is None and callable(method):
        is_boolean = getattr(method, "boolean", False)
        return lambda row: display_for_value(method(row), empty, is_boolean)
    if isinstance(field, ForeignKey):
        return lambda row: empty if (found := getattr(row, name)) is None else found
    if field is not None:
        return lambda row: display_for_field(getattr(row, name), field, empty)
    return lambda row: display_for_value(lookup_field(name, row, admin)[2], empty)


def linked(cl: Any, show: Show) -> Show:
    """With a link to the row's page, which leads back to the list as it is filtered."""
    if not cl.result_list:
        return show
    address = cl.url_for_result(cl.result_list[0])
    filters = {"preserved_filters": cl.preserved_filters, "opts": cl.opts}
    query = add_preserved_filters(filters, address).removeprefix(address)
    css = " ".join(LINK_CLASSES)
    return lambda row: format_html(
        '<a href="{}{}" class="{}">{}</a>', cl.url_for_result(row), query, css, show(row)
    )
