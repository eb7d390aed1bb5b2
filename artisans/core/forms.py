"""Fields of forms that pages and the admin share."""

from typing import Any

from django import forms

from artisans.core.texts import readable
from artisans.core.validators import validate_line


class LineField(forms.CharField):
    """Visible text on one line, like `StrictLineField` in the API."""

    default_validators = [validate_line]

    def to_python(self, value: Any) -> str:
        return readable(super().to_python(value) or "").strip()
