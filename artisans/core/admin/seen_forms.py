"""Forms that detect concurrent edits, so that a stale page does not overwrite other people's changes."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django import forms
from django.core import signing
from django.db.models import Model
from django.db.models.fields.files import FieldFile
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

STALE = _("This page is out of date, so nothing was saved. Reload it and enter your changes again.")


class SeenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A form for a row that others edit too. Only the fields that the user changed are saved.

    The page carries a signed copy of the values it showed (`seen_token`). Each field is compared with that copy and
    the current row: unchanged (left out of `cleaned_data`), changed, or a conflict if it also changed elsewhere.
    A conflict is shown with all three values; saving again overwrites the other change.
    """

    SEEN = "_seen"

    @cached_property
    def current(self) -> dict[str, Any]:
        """The row's current values as JSON, by form field."""
        return {
            name: plain(self.get_initial_for_field(field, name))
            for name, field in self.fields.items()
            if not field.disabled
        }

    @cached_property
    def seen(self) -> dict[str, Any] | None:
        """The values that the page showed; None if the token is missing or belongs to another row."""
        if not self.is_bound:
            return self.current
        try:
            seen: dict[str, Any] = signing.loads(self.data.get(self.SEEN, ""), salt=self.seen_salt)
        except signing.BadSignature:
            return None
        return seen

    @property
    def seen_salt(self) -> str:
        return f"seen:{self.instance._meta.label}:{self.instance.pk}"

    @property
    def seen_token(self) -> str:
        """The signed values for the page. Conflicts already shown count as seen."""
        if self.instance._state.adding or self.seen is None:
            return ""
        shown = {name: self.current[name] for name in self.conflicts} if self.is_bound else {}
        return signing.dumps(self.seen | shown, salt=self.seen_salt, compress=True)

    @cached_property
    def changed_data(self) -> list[str]:
        if self.instance._state.adding:
            return super().changed_data
        seen = self.seen or {}
        return [
            name
            for name, value in self.current.items()
            if name in seen and self.differs(name, seen[name]) and self.differs(name, value)
        ]

    @cached_property
    def conflicts(self) -> list[str]:
        """Fields that the user and someone else changed to different values."""
        if self.instance._state.adding or self.seen is None:
            return []
        return [name for name in self.changed_data if self.current[name] != self.seen[name]]

    @property
    def changed_by_others(self) -> list[str]:
        """Labels of fields that others changed since the page was opened and the user left unchanged."""
        seen = self.seen or {}
        names = [name for name, value in self.current.items() if name in seen and value != seen[name]]
        return [str(self[name].label) for name in names if name not in self.changed_data]

    def differs(self, name: str, value: Any) -> bool:
        """Whether the submitted value differs; line endings and surrounding spaces are ignored."""
        field = self.fields[name]
        if isinstance(field, forms.DecimalField):
            value = field.to_python(value)
        return field.has_changed(tidy(value), tidy(self[name].data))

    def changed_columns(self) -> list[str]:
        """The columns of the row that this form saves."""
        columns = {field.name for field in self.instance._meta.concrete_fields}
        return [name for name in self.changed_data if name in columns]

    def _clean_form(self) -> None:
        if not self.instance._state.adding:
            self.cleaned_data = {n: v for n, v in self.cleaned_data.items() if n in self.changed_data}
            if self.seen is None:
                self.add_error(None, STALE)
            for name in self.conflicts:
                self.add_error(name, self.conflict_message(name))
        super()._clean_form()  # type: ignore[misc]  # private, and the only place between fields and `clean`

    def conflict_message(self, name: str) -> str:
        was, now, yours = (
            self.display_value(name, value)
            for value in ((self.seen or {})[name], self.current[name], self[name].data)
        )
        return gettext(
            "Someone else changed this after you opened the page. It was %(was)s and is now %(now)s; you entered "
            "%(yours)s. Save again to use your value, or enter the current value to keep it."
        ) % {"was": was, "now": now, "yours": yours}

    def display_value(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return gettext("on") if value else gettext("off")
        names = self.choice_names(name, value if isinstance(value, list) else [value])
        return f"“{Truncator(', '.join(names)).chars(120)}”" if any(names) else gettext("empty")

    def choice_names(self, name: str, values: Iterable[Any]) -> list[str]:
        """Labels for the values of a choice field; other fields show the value itself."""
        field = self.fields[name]
        if isinstance(field, forms.ModelChoiceField):
            known = field.queryset.in_bulk([value for value in values if value])  # type: ignore[union-attr]
            return sorted(map(str, known.values()))
        choices = {str(key): str(label) for key, label in getattr(field, "choices", [])}
        return [choices.get(str(value), str(value)) for value in values if value is not None]


def plain(value: Any) -> Any:
    """A field's value as canonical JSON, so that equal values compare equal."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, FieldFile):
        return value.name or ""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, Iterable):
        return sorted(str(plain(one)) for one in value)
    return str(value)


def tidy(value: Any) -> Any:
    return "\n".join(value.splitlines()).strip() if isinstance(value, str) else value
