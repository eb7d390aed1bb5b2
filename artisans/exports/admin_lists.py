"""The lists of the admin as files: the columns of the page with the ids of the rows, for the same filters."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import unescape
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, SuspiciousOperation
from django.db.models import DateField, DateTimeField, Field, ForeignKey, IntegerField, Model
from django.http import Http404, HttpRequest, QueryDict
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core.admin.pages import FileValue, PagesAdmin
from artisans.core.file_columns import FileColumn, Kind
from artisans.exports.lists import ExportList, rows_by_key

SOURCE = "admin"
PERMISSION = "exports.export_lists"
ROWS = "rows"  # in a query: the keys of the selected rows
NOT_OF_ROWS = ("p", "all", "e", "_changelist_filters")  # parameters of a list's page
CHECKBOX = "action_checkbox"
TAG = re.compile(r"<[^>]*>")
EMPTY = "–"


class InvalidFilters(Exception):
    """The address has filters that the list does not know."""


def may_export(model_admin: PagesAdmin, request: HttpRequest) -> bool:
    return bool(request.user.has_perm(PERMISSION) and model_admin.has_view_permission(request))


def list_name(model_admin: Any) -> str:
    return f"{SOURCE}:{model_admin.opts.label_lower}"


def admin_list(user: User, label: str, query: QueryDict) -> ExportList:
    """Errors: Http404, PermissionDenied, InvalidFilters."""
    model_admin = admin_of(label)
    request = list_request(user, query)
    if not may_export(model_admin, request):
        raise PermissionDenied
    try:
        page: Any = model_admin.get_changelist_instance(request)
    except (IncorrectLookupParameters, SuspiciousOperation) as error:
        raise InvalidFilters from error
    rows = page.queryset
    if selected := query.get(ROWS):
        rows = rows.filter(pk__in=keys_in(model_admin.model, selected))
    return ExportList(
        name=list_name(model_admin),
        title=capfirst(str(model_admin.opts.verbose_name_plural)),
        columns=columns_of(model_admin, page.list_display),
        count=rows.order_by().count,
        batches=partial(rows_by_key, rows, partial(load_rows, model_admin, page)),
        filters=list(filters_of(page, query)),
    )


def admin_of(label: str) -> PagesAdmin:
    """Errors: Http404."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise Http404 from error
    found = admin.site._registry.get(model)
    if not isinstance(found, PagesAdmin):
        raise Http404
    return found


def list_request(user: User, query: QueryDict) -> HttpRequest:
    """The request of a list's page, which the worker does not have. HEAD: no messages about invalid filters."""
    request = HttpRequest()
    request.method, request.user = "HEAD", user
    of_list = query.copy()
    for name in (*NOT_OF_ROWS, ROWS):
        of_list.pop(name, None)
    request.GET = QueryDict(of_list.urlencode())
    return request


def keys_in(model: type[Model], text: str) -> list[Any]:
    """Errors: InvalidFilters."""
    try:
        return [model._meta.pk.to_python(key) for key in text.split(",")]
    except Exception as error:  # each kind of key has its own
        raise InvalidFilters from error


def load_rows(model_admin: PagesAdmin, page: Any, keys: Sequence[Any]) -> list[Any]:
    rows = list(page.rows_of(keys))
    model_admin.prepare_rows(rows)
    return rows


def filters_of(page: Any, query: QueryDict) -> Iterator[tuple[str, str]]:
    """The search and filters of the address, for people."""
    if page.query:
        yield _("Search"), page.query
    for spec in page.filter_specs:
        values = [value for name in spec.expected_parameters() for value in query.getlist(name) if value]
        if values:
            yield capfirst(str(spec.title)), ", ".join(labels_of(spec, page, values))
    if selected := query.get(ROWS):
        yield _("Selected rows"), str(selected.count(",") + 1)


def labels_of(spec: Any, page: Any, values: list[str]) -> list[str]:
    """Of a filter's chosen values; the values themselves where it has none, as for days. The theme's filters have their
    choices in a form."""
    chosen = [str(choice["display"]) for choice in spec.choices(page) if choice.get("selected")]
    labels = {str(value): str(label) for value, label in getattr(spec, "lookup_choices", ())}
    return chosen or [labels.get(value, value) for value in values]


# ---- columns ---------------------------------------------------------------------------------------------------


def columns_of(model_admin: PagesAdmin, names: Sequence[str]) -> list[FileColumn]:
    """What the page shows, with the id of each row before it."""
    columns = [FileColumn("id", _("ID"), lambda row: row.pk)]
    for name in names:
        if name not in {CHECKBOX, "id"}:
            columns += column_of(model_admin, name)
    return columns


def column_of(model_admin: PagesAdmin, name: str) -> Iterator[FileColumn]:
    model = model_admin.model
    label: Any = label_for_field(name, model, model_admin)
    title = capfirst(str(label))
    method = getattr(model_admin, name, None)
    if not callable(method) or field_of(model, name):
        yield file_column(model, name, FileValue(name), title)
        return
    values = getattr(method, "file_values", None)
    if values is None:
        yield FileColumn(name, title, lambda row: shown_text(method(row)))
        return
    for at, value in enumerate(values):
        found = value if isinstance(value, FileValue) else FileValue(value)
        yield file_column(model, f"{name}-{at}" if at else name, found, title if at == 0 else "")


def file_column(model: type[Model], name: str, value: FileValue, title: Any) -> FileColumn:
    """`title`: "" for the name of the model's field."""
    if not isinstance(value.value, str):
        return FileColumn(name, value.title or title, value.value, value.kind or Kind.TEXT)
    field = field_of(model, value.value)
    title = value.title or title or capfirst(str(field.verbose_name if field else value.value))
    return FileColumn(name, title, getter(value.value, field), value.kind or kind_of(field))


def field_of(model: type[Model], path: str) -> "Field[Any, Any] | None":
    """The field at the end of a path such as "order.email"."""
    *relations, name = path.split(".")
    try:
        for relation in relations:
            model = model._meta.get_field(relation).related_model  # type: ignore[assignment]
        field = model._meta.get_field(name)
    except (FieldDoesNotExist, AttributeError):
        return None
    return field if isinstance(field, Field) else None


def kind_of(field: "Field[Any, Any] | None") -> Kind:
    if isinstance(field, DateTimeField):
        return Kind.TIME
    if isinstance(field, DateField):
        return Kind.DAY
    is_number = isinstance(field, IntegerField) and not field.choices
    return Kind.NUMBER if is_number else Kind.TEXT


def getter(path: str, field: "Field[Any, Any] | None") -> Callable[[Any], Any]:
    """The value at the end of a path, None where it ends earlier; the labels of choices."""
    *relations, name = path.split(".")
    last = f"get_{name}_display" if field is not None and field.choices else name

    def value(row: Any) -> Any:
        for relation in relations:
            row = getattr(row, relation, None)
            if row is None:
                return None
        found = getattr(row, last)
        found = found() if callable(found) else found
        return (
            str(found) if isinstance(found, Promise) or (isinstance(field, ForeignKey) and found) else found
        )

    return value


def shown_text(shown: Any) -> Any:
    """The text of a cell of the page."""
    if isinstance(shown, SafeString):
        parts = (unescape(part).strip() for part in TAG.split(shown))
        shown = " · ".join(part for part in parts if part)
    elif not isinstance(shown, bool | int):
        shown = str(shown)
    return None if shown == EMPTY else shown
