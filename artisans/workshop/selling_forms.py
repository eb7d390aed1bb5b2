"""Forms of an application to sell."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from artisans.catalog.models import Application, Artisan
from artisans.catalog.profile import APPLICANT_FIELDS, profile_of, version_of
from artisans.catalog.statuses import ApplicationStatus
from artisans.core.forms import LineField
from artisans.workshop.product_forms import StoryField


class StartForm(forms.Form):
    name = LineField(label=gettext_lazy("Name of your workshop"), max_length=100)
    craft = LineField(
        label=gettext_lazy("Your craft"),
        max_length=60,
        help_text=gettext_lazy("Your craft, such as potter or weaver."),
    )
    town = LineField(label=gettext_lazy("Place"), max_length=80)


class DetailsForm(StartForm):
    """What buyers will read about the workshop, with the `version` that the form shows."""

    story = StoryField(
        label=gettext_lazy("Story"),
        max_length=5000,
        help_text=gettext_lazy("Who you are, and how you make your things. Buyers read it on your page."),
    )
    contact_email = forms.EmailField(
        label=gettext_lazy("Contact address"),
        max_length=254,
        help_text=gettext_lazy("Buyers see it on your page once you sell."),
    )
    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, artisan: Artisan) -> None:
        shown = profile_of(artisan, APPLICANT_FIELDS) | {"version": version_of(artisan, APPLICANT_FIELDS)}
        super().__init__(data, initial=shown)

    def values(self) -> dict[str, Any]:
        """What the service takes."""
        return {name: value for name, value in self.cleaned_data.items() if name != "version"}

    def show_again(self, artisan: Artisan) -> None:
        """Keep what was typed, now that the person reads what was changed."""
        self.data = {**self.data.dict(), "version": version_of(artisan, APPLICANT_FIELDS)}  # type: ignore[attr-defined]  # a QueryDict


class AnswerForm(forms.Form):
    text = StoryField(label=gettext_lazy("Message to the shop"), max_length=2000)

    def __init__(self, data: Any = None, *, application: Application) -> None:
        super().__init__(data)
        self.fields["text"].required = application.status == ApplicationStatus.ASKED


class ClosingForm(forms.Form):
    reason = LineField(label=gettext_lazy("Reason"), max_length=500, required=False)
