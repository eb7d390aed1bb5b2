from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from artisans.core.admin.forms import AmountField, DayField
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from payments.models import Payment, ReversalReason

REASONS_TO_REJECT = (
    "The money did not arrive in time.",
    "The amount or the reference does not fit this order.",
    "The bank did not honour the check.",
    "The parcel was not accepted at the door.",
    "The buyer asked us to.",
)
REASONS_TO_CANCEL = (
    "The buyer asked us to.",
    "An item turned out to be damaged or missing.",
    "The address cannot be served.",
)
REASONS_TO_RETURN = (
    "More was paid than the order costs.",
    "The order was cancelled.",
    "The money came after the order had expired.",
    "The buyer sent the goods back.",
)
OTHER = "other"


def reference_field(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=80,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        error_messages={"required": "Give the reference, so that nobody books this money twice."},
    )


class ReceiptForm(forms.Form):
    """`seen` is what the payment had received when the page was shown: news since then stop the booking once."""

    bank_reference = reference_field(
        "Bank reference",
        "The statement’s transaction number, the check’s number and bank, or the cash slip. It counts once.",
    )
    value_date = DayField(label="Value date", help_text="The day on which the bank booked it.")
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment = payment
        self.fields["amount"] = AmountField(
            label="Amount received",
            currency=payment.currency,
            initial=payment.missing or None,
            help_text="As it stands on the statement, even if it is not the amount that was asked for.",
            error_messages={"required": "Give the amount that arrived."},
        )
        self.order_fields(["amount", "value_date", "bank_reference", "seen"])
        self.fields["value_date"].initial = timezone.localdate()
        self.fields["value_date"].widget.attrs["max"] = timezone.localdate().isoformat()
        self.fields["seen"].initial = payment.received_minor

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        received = self.payment.received_minor
        if "seen" not in data or data["seen"] == received:
            return data
        news = self.payment.receipts.order_by("created_at").last()
        if news is not None and news.bank_reference != data.get("bank_reference"):
            self.data = {**self.data.dict(), "seen": str(received)}  # type: ignore[attr-defined]  # a QueryDict
            raise forms.ValidationError(
                f"{news.actor_name} recorded {show(news.amount)} ({news.bank_reference}) "
                f"at {news.created_at:%Y-%m-%d %H:%M} UTC while this page was open. Nothing was booked now: "
                "if yours is other money, press again."
            )
        return data


class ReasonForm(forms.Form):
    """One of the usual reasons, or words of one's own; both together are fine. `cleaned_data["reason"]` is the text."""

    preset = forms.ChoiceField(label="Reason", widget=UnfoldAdminRadioSelectWidget)
    words = forms.CharField(
        label="In your own words",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )

    def __init__(self, *args: Any, presets: tuple[str, ...], help_text: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(text, text) for text in presets] + [(OTHER, "Another reason, written below")]
        self.fields["preset"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["preset"].error_messages["required"] = "Choose a reason, or “another” and write it below."
        self.fields["words"].help_text = help_text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        words, preset = data.get("words", "").strip(), data.get("preset")
        if preset == OTHER and not words:
            self.add_error("words", "Write the reason here.")
        parts = [words] if preset == OTHER else [preset or "", words]
        data["reason"] = " ".join(part for part in parts if part)
        return data


class WordsForm(forms.Form):
    """Words of one's own, which must be there."""

    words = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        error_messages={"required": "Write a sentence; colleagues read it."},
    )

    def __init__(self, *args: Any, label: str, help_text: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["words"].label, self.fields["words"].help_text = label, help_text


class TakeBackForm(forms.Form):
    reason = forms.ChoiceField(
        label="What happened?",
        choices=ReversalReason.choices,
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={"required": "Choose what happened; the buyer reads it in our words."},
    )
    note = forms.CharField(
        label="Note for colleagues",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )


class ReturnForm(ReasonForm):
    bank_reference = reference_field(
        "Reference of your transfer", "The transaction number that your bank gave it."
    )
    value_date = DayField(label="Date of your transfer")
    beyond_owed = forms.BooleanField(
        label="I returned more than the order owes the buyer, on purpose",
        required=False,
        widget=UnfoldBooleanWidget,
    )

    def __init__(self, *args: Any, payment: Payment, suggested: Money, **kwargs: Any) -> None:
        super().__init__(*args, presets=REASONS_TO_RETURN, help_text="Kept with the return.", **kwargs)
        self.fields["amount"] = AmountField(
            label="Amount returned",
            currency=payment.currency,
            initial=suggested or None,
            help_text=f"{show(payment.refundable)} can be returned at most.",
            error_messages={"required": "Give the amount that you sent back."},
        )
        self.order_fields(["amount", "beyond_owed", "value_date", "bank_reference", "preset", "words"])
        self.fields["value_date"].initial = timezone.localdate()
        self.fields["value_date"].widget.attrs["max"] = timezone.localdate().isoformat()
