"""Forms of the staff pages about workshops."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from artisans.core.forms import LineField
from artisans.workshop.product_forms import StoryField
from artisans.workshop.states import Act

ACTS = {
    Act.SUSPEND: _("Suspend: products cannot be ordered, everything else goes on"),
    Act.RESUME: _("End the suspension: products can be ordered again"),
    Act.CLOSE: _("Close: products cannot be ordered; closed once no parcel is open"),
    Act.KEEP: _("Do not close"),
    Act.REOPEN: _("Reopen: the artisan publishes the products again"),
}


class StateForm(forms.Form):
    """What to do to a workshop in the state that the page shows (`seen`)."""

    act = forms.ChoiceField(label=_("What to do"), widget=UnfoldAdminRadioSelectWidget)
    reason = LineField(
        label=_("Reason"),
        max_length=500,
        required=False,
        help_text=_("The artisan reads it, on the pages and in an email. Needed to suspend and to close."),
        widget=UnfoldAdminTextInputWidget,
    )
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, offered: tuple[Act, ...], seen: str) -> None:
        first = offered[0] if len(offered) == 1 else None
        super().__init__(data, initial={"seen": seen, "act": first})
        self.fields["act"].choices = [(act.value, ACTS[act]) for act in offered]  # type: ignore[attr-defined]  # a ChoiceField


class MessageForm(forms.Form):
    """Words for an applicant, with how many events the page shows (`seen`)."""

    text = StoryField(label=_("Message to the applicant"), max_length=2000, widget=UnfoldAdminTextareaWidget)
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, seen: int, needs_words: bool = True) -> None:
        super().__init__(data, initial={"seen": seen})
        self.fields["text"].required = needs_words


class TermsForm(forms.Form):
    """A new version. `seen`: the number of the one before."""

    text = StoryField(
        label=_("Terms"),
        max_length=50_000,
        help_text=_(
            "Plain text; an empty line begins a paragraph. A version cannot be changed once published."
        ),
        widget=UnfoldAdminTextareaWidget,
    )
    changes = StoryField(
        label=_("What is new"),
        max_length=2000,
        required=False,
        help_text=_("For artisans who accepted the version before; it is in their email."),
        widget=UnfoldAdminTextareaWidget,
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
