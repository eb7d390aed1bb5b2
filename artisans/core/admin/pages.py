"""Base classes of staff pages: rows are read-only, and separate pages that call a service change them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial, wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from artisans.core.admin.paging import PER_PAGE, BoundedPaginator, KeyedChangeList
from artisans.core.admin.seen_forms import SeenForm
from artisans.core.errors import DomainError
from artisans.core.file_columns import Kind
from artisans.core.models import save_columns
from artisans.core.security.fresh_sign_in import require_fresh_sign_in

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# The theme's label colours; PLAIN for values without one.
GOOD, WAIT, WARN, BAD, PLAIN = "success", "info", "warning", "danger", "default"

StrOrPromise: TypeAlias = "str | _StrPromise"
Column = TypeVar("Column", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class FileValue:
    """What a file shows for a column of a list: an attribute of the row ("order.email") or a function of it. `title`:
    if it is not the column's."""

    value: str | Callable[[Any], Any]
    kind: Kind | None = None  # of a model's field, its own
    title: StrOrPromise = ""


def money(value: str | Callable[[Any], Any], title: StrOrPromise = "") -> FileValue:
    return FileValue(value, Kind.MONEY, title)


def column(
    title: StrOrPromise,
    *,
    ordering: str = "",
    label: dict[Any, str] | None = None,
    file: str | FileValue | tuple[str | FileValue, ...] | None = None,
) -> Callable[[Column], Column]:
    """A column of a list. `label` maps values to colours; the column then returns pairs (value, text). `file`: what a
    file shows instead, nothing for `()`; None is the text of the page. Amounts and times need it: a file has them as
    numbers and dates.
    """

    def mark(method: Column) -> Column:
        shown = method if label is None else labelled(method, label)
        marked: Column = display(description=title, ordering=ordering or None)(shown)
        marked.file_values = (file,) if isinstance(file, str | FileValue) else file  # type: ignore[attr-defined]
        return marked

    return mark


def labelled(
    method: Callable[..., tuple[Any, StrOrPromise]], tones: dict[Any, str]
) -> Callable[..., SafeString]:
    """The method, with its pair shown as a label."""

    @wraps(method)
    def show(*args: Any) -> SafeString:
        value, text = method(*args)
        return label_html(str(text), tones.get(value, PLAIN))

    return show


# The theme's template takes half a millisecond, and a page of a list has a hundred labels.
@lru_cache(maxsize=1024)
def label_html(text: str, tone: str) -> SafeString:
    return render_to_string("admin/_label.html", {"text": text, "tone": tone})


def two_lines(first: object, second: object) -> SafeString:
    return format_html('<span class="aa-two">{}<span class="aa-muted">{}</span></span>', first, second)


def link_to(obj: Model, text: object = None) -> SafeString:
    return format_html(
        '<a class="aa-link" href="{}">{}</a>', admin_page_url(obj), obj if text is None else text
    )


def button_to(address: str, label: str, *, is_main: bool = False) -> SafeString:
    css = "aa-button aa-main" if is_main else "aa-button"
    return format_html('<a class="{}" href="{}">{}</a>', css, address, label)


def posted(request: HttpRequest) -> QueryDict | None:
    """Data to bind a form to; an empty POST binds it too."""
    return request.POST if request.method == "POST" else None


# Pages of every list, such as its export, by name; the apps that have them register them in `apps.py`.
LIST_PAGES: dict[str, Callable[["PagesAdmin", HttpRequest], HttpResponseBase]] = {}


@dataclass(frozen=True, slots=True)
class ListAction:
    """An action on the selected rows of every list."""

    title: StrOrPromise
    run: Callable[["PagesAdmin", HttpRequest, QuerySet[Any]], HttpResponseBase | None]
    is_allowed: Callable[["PagesAdmin", HttpRequest], bool]


LIST_ACTIONS: dict[str, ListAction] = {}


class PagesAdmin(ModelAdmin):
    """Adds custom pages to a row: GET shows a page, POST performs its action.

    `pages` maps each page to the permission it needs; its method is `<name>_page(request, obj)`. All pages need a
    fresh sign-in except `everyday_pages`, which move no money; with `saving_needs_fresh_sign_in` so does the change
    form. `views` are saved views above the list: title by query string.
    """

    pages: ClassVar[dict[str, str]] = {}
    everyday_pages: ClassVar[frozenset[str]] = frozenset()
    saving_needs_fresh_sign_in: ClassVar[bool] = False
    views: ClassVar[dict[str, StrOrPromise]] = {}
    list_before_template = "admin/_views.html"
    list_fullwidth = True
    empty_value_display = "–"
    list_per_page = PER_PAGE
    paginator: type[BoundedPaginator] = BoundedPaginator
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeyedChangeList]:
        return KeyedChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.check_sign_in(request)
        asked = {f"{name}={value}" for name, value in request.GET.items()} & self.views.keys()
        views = [
            (title, query, query in asked or not (query or asked)) for query, title in self.views.items()
        ]
        response: HttpResponse = super().changelist_view(request, {"views": views} | (extra_context or {}))
        if shown := (getattr(response, "context_data", None) or {}).get("cl"):
            shown.result_list = list(shown.result_list)
            self.prepare_rows(shown.result_list)
        return response

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Any, str, Any]]:
        found: dict[str, tuple[Any, str, Any]] = super().get_actions(request)
        if IS_POPUP_VAR not in request.GET:
            allowed = {name: one for name, one in LIST_ACTIONS.items() if one.is_allowed(self, request)}
            found |= {name: (one.run, name, one.title) for name, one in allowed.items()}
        return found

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Refuses an action on all rows found where there are more than the page counts."""
        if request.POST.get("select_across") == "1" and self.paginator(queryset, self.list_per_page).has_more:
            text = _("More than %(count)s rows match. Search or filter for fewer before you select all.")
            messages.warning(request, text % {"count": intcomma(self.paginator.most)})
            return None
        response: HttpResponse | None = super().response_action(request, queryset)
        return response

    @column(gettext_lazy("Created"), ordering="created_at", file="created_at")
    def created(self, row: Any) -> str:
        return when(row.created_at)

    def prepare_rows(self, rows: Sequence[Any]) -> None:
        """Add what the columns need besides the rows, for the rows of a page or of a part of a file."""

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<uuid:pk>/{name}/",
                self.admin_site.admin_view(partial(self.own_page, name)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
            )
            for name in self.pages
        ]
        of_list = [
            path(
                f"{name}/",
                self.admin_site.admin_view(partial(page, self)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
            )
            for name, page in LIST_PAGES.items()
        ]
        standard: list[URLPattern] = super().get_urls()
        return own + of_list + standard

    def own_page(self, name: str, request: HttpRequest, pk: UUID) -> HttpResponse:
        if not request.user.has_perm(self.pages[name]):
            raise PermissionDenied
        if name not in self.everyday_pages:
            require_fresh_sign_in(request)
        obj = get_object_or_404(self.get_queryset(request), pk=pk)
        method: Callable[[HttpRequest, Model], HttpResponse] = getattr(self, f"{name.replace('-', '_')}_page")
        return method(request, obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.check_sign_in(request)
        response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return response

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.check_sign_in(request)
        response: HttpResponse = super().delete_view(request, *args, **kwargs)
        return response

    def check_sign_in(self, request: HttpRequest) -> None:
        if self.saving_needs_fresh_sign_in and request.method == "POST":
            require_fresh_sign_in(request)

    def render_page(
        self, request: HttpRequest, template: str, obj: Model, **context: Any
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        base = {"opts": self.opts, "original": obj, "title": str(obj), "media": self.media}
        return TemplateResponse(request, template, self.admin_site.each_context(request) | base | context)

    def run_action(
        self,
        request: HttpRequest,
        template: str,
        obj: Model,
        form: forms.Form,
        service: Callable[[dict[str, Any]], str],
        **context: Any,
    ) -> HttpResponse:
        """Show the form, or call the service, which returns a message for the user.

        A domain error becomes a form error; the form keeps its input.
        """
        if request.method == "POST" and form.is_valid():
            try:
                message = service(form.cleaned_data)
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, message)
                return redirect(admin_page_url(obj))
        return self.render_page(request, template, obj, form=form, back=admin_page_url(obj), **context)


class ReadOnlyAdmin(PagesAdmin):
    """Read-only rows: no add, change or delete. `detail_template` replaces the change form."""

    detail_template = ""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.detail_template:
            return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        return self.render_page(request, self.detail_template, obj, **self.detail(request, obj))

    def detail(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Context of the detail page besides `original`."""
        return {}


class EditAdmin(PagesAdmin):
    """Rows that staff edit. A save locks the row, reloads it and writes only the fields the user changed.

    The form is a SeenForm: concurrent changes by others are kept, and shown where both changed the same field.
    """

    form = SeenForm
    change_form_before_template = "admin/_seen.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show an error raised while saving; nothing is saved then."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as refusal:
            messages.error(request, refusal.detail)
        except IntegrityError:
            messages.error(
                request,
                _("Someone else saved this at the same time. Your changes were not saved; try again."),
            )
        return redirect(request.get_full_path())

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None and request.method == "POST" and transaction.get_connection().in_atomic_block:
            self.lock(obj)
        return obj

    def lock(self, obj: Any) -> None:
        """Lock the row until the transaction ends, and reload it."""
        rows = type(obj)._default_manager.select_for_update(of=("self",), no_key=True)
        obj.refresh_from_db(from_queryset=rows)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        if not change:
            super().save_model(request, obj, form, change)
            return
        self.write(request, obj, form, form.changed_columns())
        if kept := form.changed_by_others:
            message = _(
                "Someone else changed %(fields)s after you opened this page; their changes were kept."
            )
            messages.info(request, message % {"fields": ", ".join(kept)})

    def write(self, request: HttpRequest, obj: Any, form: Any, columns: list[str]) -> None:
        save_columns(obj, columns)


def admin_page_url(obj: Model, page: str = "change") -> str:
    """The address of a row's page in the admin."""
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{page}", args=[obj.pk])


def admin_list_url(model: type[Model], query: str = "") -> str:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{query}" if query else address


def when(at: datetime | None) -> str:
    """A time in the shop's time zone."""
    return date_format(timezone.localtime(at), "DATETIME_FORMAT") if at else "–"


def age(at: datetime) -> str:
    """Time since then in its largest unit, such as "3 days"."""
    return timesince(at, timezone.now(), depth=1)
