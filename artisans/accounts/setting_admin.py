"""The base of pages that edit rows with audited fields."""

from typing import Any

from django.contrib import messages
from django.db import models
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.accounts.setting_changes import (
    SettingChange,
    get_value,
    may_set,
    setting_change,
    setting_created,
    setting_removed,
)
from artisans.accounts.setting_fields import Setting, audited_settings
from artisans.core.admin.pages import EditAdmin
from artisans.core.models import save_columns

WAITS = _(
    "Changes that affect money or access are waiting for a second person’s approval. Everything else is saved."
)


class AuditedAdmin(EditAdmin):
    """Audited fields are read-only without their permission, and only `setting_change` changes them."""

    def settings(self) -> dict[str, Setting]:
        return audited_settings(self.opts.label)

    def form_names(self) -> dict[str, str]:
        """Form field name by model field name, where the two differ."""
        stored = getattr(self.form, "amounts", {}) | getattr(self.form, "percents", {})
        return {column: name for name, column in stored.items()}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        names = self.form_names()
        barred = [
            names.get(name, name)
            for name, setting in self.settings().items()
            if not may_set(request.user, setting) and not (obj is None and self.is_needed(name))
        ]
        return (*super().get_readonly_fields(request, obj), *barred)

    def is_needed(self, name: str) -> bool:
        """Whether a row cannot be added without a value for this field."""
        field: Any = self.opts.get_field(name)
        return not field.blank and not field.has_default() and not field.many_to_many

    def write(self, request: HttpRequest, obj: Any, form: Any, columns: list[str]) -> None:
        related = [name for name in form.changed_data if name in {f.name for f in self.opts.many_to_many}]
        listed = [name for name in (*columns, *related) if name in self.settings()]
        new = {
            name: form.cleaned_data.pop(name) if name in related else get_value(obj, name) for name in listed
        }
        if new and not setting_change(SettingChange.of(obj, new=new), actor=require_user(request)):
            self.warn_pending_approval(request)
        if rest := [name for name in columns if name not in listed]:
            save_columns(obj, rest)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        super().save_related(request, form, formsets, change)
        if not change and not setting_created(form.instance, actor=require_user(request)):
            self.warn_pending_approval(request)

    def warn_pending_approval(self, request: HttpRequest) -> None:
        messages.warning(request, WAITS)
        request.is_pending_approval = True  # type: ignore[attr-defined]

    def message_user(
        self,
        request: HttpRequest,
        message: str | Promise,
        level: int | str = messages.INFO,
        extra_tags: str = "",
        fail_silently: bool = False,  # noqa: FBT001, FBT002  # Django's signature
    ) -> None:
        """Suppress Django's success message while a change waits for approval."""
        if level == messages.SUCCESS and getattr(request, "is_pending_approval", False):
            return
        super().message_user(request, message, level, extra_tags, fail_silently)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        setting_removed(obj, actor=require_user(request))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)
