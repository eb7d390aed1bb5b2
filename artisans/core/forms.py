"""Fields of forms that pages and the admin share."""

from django import forms

from artisans.core.validators import validate_line


class LineField(forms.CharField):
    """Visible text on one line, like `StrictLineField` in the API."""

    default_validators = [validate_line]
