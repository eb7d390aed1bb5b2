from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from artisans.core.admin.forms import AmountField, DayField, limit_to_past
from artisans.core.admin.pages import StrOrPromise, when
from artisans.core.forms import LineField
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Parcel
from orders.selectors import store_rules
from orders.statuses import CashHolder
from payments.bookkeeping.value_dates import earliest_value_date
from payments.lifecycle.receipts import is_far_above
from payments.methods import PaymentMethod
from payments.models import Bearer, PaidFrom, Payment, ReversalReason
from payments.refunds.manual import PaidBack, likely_payer

REASONS_TO_REJECT = (
    _("The payment did not arrive in time."),
    _("The amount or the reference does not match this order."),
    _("The bank returned the check unpaid."),
    _("The parcel was refused on delivery."),
    _("The buyer requested it."),
)
REASONS_TO_CANCEL = (
    _("The buyer requested it."),
    _("An item is damaged or missing."),
    _("We cannot deliver to the address."),
)
REASONS_TO_RETURN = (
    _("The order was overpaid."),
    _("The order was cancelled."),
    _("The payment arrived after the order had expired."),
    _("The buyer returned the items."),
)
OTHER = "other"


def reference_field(label: StrOrPromise, help_text: StrOrPromise) -> LineField:
    return LineField(
        label=label,
        max_length=80,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        error_messages={"required": _("Enter the reference; it prevents recording the same payment twice.")},
    )


class ReceiptForm(forms.Form):
    """`seen` is what the payment had received when the page was shown; a later receipt stops the first submission.

    `beyond_due` is shown once the amount entered is far above the amount due. Cash of one `parcel` has a `holder`.
    """

    bank_reference = reference_field(
        _("Bank reference"),
        _(
            "Transaction number from the statement, check number and bank, or cash receipt number. Must be unique."
        ),
    )
    value_date = DayField(label=_("Value date"), help_text=_("The date the bank credited the payment."))
    beyond_due = forms.BooleanField(label=_("I checked the amount"), required=False, widget=forms.HiddenInput)
    holder = forms.ChoiceField(
        label=_("Who has the cash?"),
        choices=CashHolder.choices,
        required=False,
        widget=UnfoldAdminRadioSelectWidget,
        help_text=_("Cash that the artisan keeps is deducted from their earnings."),
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, payment: Payment, parcel: Parcel | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment, self.parcel = payment, parcel
        self.fields["amount"] = AmountField(
            label=gettext("Amount received"),
            currency=payment.currency,
            initial=payment.outstanding or None,
            help_text=gettext("As shown on the statement, even if it differs from the amount due."),
            error_messages={"required": gettext("Enter the amount received.")},
        )
        self.order_fields(["amount", "beyond_due", "holder", "value_date", "bank_reference", "seen"])
        limit_to_past(self.fields["value_date"], first=earliest_value_date(payment.order.created_at))
        self.fields["seen"].initial = payment.received_minor
        if parcel is None:
            del self.fields["holder"]
        else:
            self.ask_for_cash(parcel)

    def ask_for_cash(self, parcel: Parcel) -> None:
        """Words for the cash of a parcel; its number is a reference that is recorded once."""
        amount, reference, day = (self.fields[name] for name in ("amount", "bank_reference", "value_date"))
        amount.initial = parcel.cash_due or None
        amount.help_text = gettext("As counted. If it is less than was due, the rest stays outstanding.")
        reference.label, reference.initial = gettext("Receipt number"), str(parcel)
        reference.help_text = gettext("Of the cash receipt, or the number of the parcel. Must be unique.")
        day.label, day.help_text = gettext("Collected on"), ""
        self.fields["holder"].initial = store_rules().cash_holder

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        received = self.payment.received_minor
        if "seen" not in data or data["seen"] == received:
            if self.parcel is None:  # more than is outstanding for a parcel is refused
                self.check_amount(data.get("amount"), is_checked=data.get("beyond_due", False))
            return data
        news = self.payment.receipts.order_by("created_at").last()
        if news is not None and news.bank_reference != data.get("bank_reference"):
            self.data = {**self.data.dict(), "seen": str(received)}  # type: ignore[attr-defined]  # a QueryDict
            message = gettext(
                "%(actor)s recorded %(amount)s (%(reference)s) at %(date)s while this page was open, so nothing was "
                "recorded. If yours is another payment, submit again."
            )
            raise forms.ValidationError(
                message
                % {
                    "actor": news.actor_name,
                    "amount": show(news.amount),
                    "reference": news.bank_reference,
                    "date": when(news.created_at),
                }
            )
        return data

    def check_amount(self, amount: Money | None, *, is_checked: bool) -> None:
        due = self.payment.outstanding
        is_far = amount is not None and is_far_above(amount, due)
        if is_far or is_checked:
            self.fields["beyond_due"].widget = UnfoldBooleanWidget()
            self.fields["beyond_due"].required = is_far  # the label says "(optional)" otherwise
        if amount is not None and is_far and not is_checked:
            message = gettext(
                "%(amount)s is far more than the %(due)s due. Compare it with the bank statement, and tick this "
                "box if it is right."
            )
            self.add_error("beyond_due", message % {"amount": show(amount), "due": show(due)})


class ReasonForm(forms.Form):
    """A preset reason, free text, or both. `cleaned_data["reason"]` is the text."""

    preset = forms.ChoiceField(label=_("Reason"), widget=UnfoldAdminRadioSelectWidget)
    text = forms.CharField(
        label=_("Details"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )

    def __init__(
        self, *args: Any, presets: tuple[StrOrPromise, ...], help_text: StrOrPromise, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(text), text) for text in presets] + [(OTHER, gettext("Other (describe below)"))]
        self.fields["preset"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["preset"].error_messages["required"] = gettext(
            "Choose a reason, or “Other” and describe it below."
        )
        self.fields["text"].help_text = help_text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        text, preset = data.get("text", "").strip(), data.get("preset")
        if preset == OTHER and not text:
            self.add_error("text", gettext("Describe the reason."))
        parts = [text] if preset == OTHER else [preset or "", text]
        data["reason"] = " ".join(part for part in parts if part)
        return data


class TextForm(forms.Form):
    """Required free text."""

    text = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        error_messages={"required": _("Enter a note for your colleagues.")},
    )

    def __init__(self, *args: Any, label: StrOrPromise, help_text: StrOrPromise, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label, self.fields["text"].help_text = label, help_text


class DifferenceForm(TextForm):
    """`difference`: the key of one of a run's differences."""

    difference = forms.CharField(
        max_length=64,
        widget=forms.HiddenInput,
        error_messages={"required": _("Choose a difference on the page of the run.")},
    )


class ReverseForm(forms.Form):
    reason = forms.ChoiceField(
        label=_("What happened?"),
        choices=ReversalReason.choices,
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={"required": _("Choose what happened; the buyer’s email explains it.")},
    )
    note = forms.CharField(
        label=_("Internal note"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )


class BearerField(forms.TypedChoiceField):
    """Who pays for a refund."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Borne by"),
            choices=Bearer.choices,
            coerce=Bearer,
            required=False,
            empty_value=Bearer.ARTISAN,
            initial=Bearer.ARTISAN,
            help_text=_("If the shop bears it, artisans keep what they earned."),
            widget=UnfoldAdminRadioSelectWidget,
        )
        self.is_choice = True  # for the template, which labels it neither required nor optional


class ReturnForm(ReasonForm):
    bank_reference = reference_field(
        _("Transfer reference"), _("The transaction number of your bank transfer.")
    )
    value_date = DayField(label=_("Transfer date"))
    payer = forms.ChoiceField(
        label=_("Who paid it back?"),
        help_text=_("Cash that an artisan handed back is added to their earnings."),
        widget=UnfoldAdminRadioSelectWidget,
    )
    borne_by = BearerField()
    beyond_owed = forms.BooleanField(
        label=_("I intentionally refunded more than is due"),
        required=False,
        widget=UnfoldBooleanWidget,
    )

    def __init__(self, *args: Any, payment: Payment, suggested: Money, **kwargs: Any) -> None:
        super().__init__(
            *args, presets=REASONS_TO_RETURN, help_text=gettext("Stored with the refund."), **kwargs
        )
        self.fields["amount"] = AmountField(
            label=gettext("Amount refunded"),
            currency=payment.currency,
            initial=suggested or None,
            help_text=gettext("At most %(amount)s can be refunded.") % {"amount": show(payment.refundable)},
            error_messages={"required": gettext("Enter the amount that was paid back.")},
        )
        self.order_fields(
            ["amount", "beyond_owed", "payer", "value_date", "bank_reference", "borne_by", "preset", "text"]
        )
        limit_to_past(self.fields["value_date"], first=earliest_value_date(payment.order.created_at))
        if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
            self.ask_for_payer(payment, suggested)
        else:
            del self.fields["payer"]

    def ask_for_payer(self, payment: Payment, suggested: Money) -> None:
        """Words for money that may have gone back in cash."""
        artisans = {
            str(parcel.artisan_id): gettext("%(artisan)s, in cash") % {"artisan": parcel.artisan.name}
            for parcel in payment.order.parcels.select_related("artisan").order_by("number")
        }
        shop = [(source.value, source.label) for source in (PaidFrom.BANK, PaidFrom.CASH)]
        likely, reference = likely_payer(payment, suggested), self.fields["bank_reference"]
        self.fields["payer"].choices = [*shop, *artisans.items()]  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["payer"].initial = str(likely.artisan_id or likely.source)
        reference.label = gettext("Reference")
        reference.help_text = gettext(
            "The transaction number of your bank transfer, or the number of the receipt for the cash."
        )
        self.fields["value_date"].label = gettext("Paid back on")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        payer = data.pop("payer", "")
        if payer in PaidFrom.values:
            data["paid"] = PaidBack(PaidFrom(payer))
        else:
            data["paid"] = PaidBack(PaidFrom.ARTISAN, UUID(payer)) if payer else None
        return data
