"""The form of an artisan's profile."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from artisans.catalog.models import Artisan
from artisans.catalog.models.artisan import MAX_PROCESSING_DAYS
from artisans.catalog.profile import profile_of, version_of
from artisans.core.forms import LineField
from artisans.regions.currencies import offered_currencies
from artisans.workshop.product_forms import StoryField


def day(label: Any, help_text: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        help_text=help_text,
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": gettext_lazy("Enter a day such as 2026-11-26.")},
    )


class ProfileForm(forms.Form):
    """The profile with the `version` that the form shows."""

    story = StoryField(label=gettext_lazy("Story"), max_length=5000, required=False)
    town = LineField(label=gettext_lazy("Place"), max_length=80)
    processing_days = forms.IntegerField(
        label=gettext_lazy("Usually ships within how many days?"),
        min_value=1,
        max_value=MAX_PROCESSING_DAYS,
        required=False,
    )
    contact_email = forms.EmailField(
        label=gettext_lazy("Contact address"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("Everyone sees it on your page. Leave it empty to show none."),
    )
    holiday_from = day(
        gettext_lazy("First day of the holiday"), gettext_lazy("Leave it empty to begin at once.")
    )
    back_on = day(
        gettext_lazy("Back on"),
        gettext_lazy(
            "The first day on which you accept orders again. To end a holiday now, empty both days."
        ),
    )
    converted_currencies = forms.MultipleChoiceField(
        label=gettext_lazy("Converted prices"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "The shop may convert your prices into these currencies. Prices that you enter yourself stay. You are paid "
            "in the currency of the sale."
        ),
    )
    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, artisan: Artisan) -> None:
        super().__init__(data, initial=profile_of(artisan) | {"version": version_of(artisan)})
        codes = dict.fromkeys([*offered_currencies()[1:], *artisan.accepted_currencies])
        if codes:
            self.fields["converted_currencies"].choices = [(code, code) for code in codes]  # type: ignore[attr-defined]
        else:
            del self.fields["converted_currencies"]

    def values(self) -> dict[str, Any]:
        """What the service takes."""
        return {name: value for name, value in self.cleaned_data.items() if name != "version"}

    def show_again(self, artisan: Artisan) -> None:
        """Keep what was typed, now that the person reads what others changed."""
        self.data = {**self.data.dict(), "version": version_of(artisan)}  # type: ignore[attr-defined]  # a QueryDict
