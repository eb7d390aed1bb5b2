from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from artisans.exports.lists import ExportList
from artisans.exports.models import FileFormat


class ExportForm(forms.Form):
    """Clean data: `file_format`, and the names of the chosen `columns`."""

    file_format = forms.ChoiceField(
        label=_("Format"), choices=FileFormat.choices, widget=forms.RadioSelect, initial=FileFormat.CSV
    )
    columns = forms.MultipleChoiceField(
        label=_("Columns"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one column.")},
    )

    def __init__(self, *args: Any, found: ExportList, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns: Any = self.fields["columns"]
        columns.choices = [(column.name, column.title) for column in found.columns]
        columns.initial = [column.name for column in found.columns]
