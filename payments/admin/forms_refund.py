from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from artisans.core.admin.forms import AmountField
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import OrderLine, Parcel
from orders.statuses import DECISIONS, PARCELS_UNSENT, ParcelDecision
from payments.admin.forms import REASONS_TO_CANCEL, ReasonForm
from payments.bookkeeping.refund_amounts import LineAsk, Pieces, worth
from payments.models import Payment, PaymentRefund, RefundDecision

REASONS_TO_REFUND = (
    "The buyer sent the goods back.",
    "An item arrived damaged.",
    "An item is missing or cannot be sent.",
    "The order was cancelled.",
    "More was paid than the order costs.",
)
REASONS_TO_DECIDE = (
    "The payment was refunded.",
    "The buyer’s bank took the payment back.",
    "The buyer sent the goods back.",
    "The parcel could not be delivered.",
)
BY_AMOUNT, BY_PIECES = "amount", "pieces"


class PiecesForm(forms.Form):
    """A number for every line of the order that has pieces left to refund. `asked_lines()` are those above zero."""

    def add_lines(self, lines: list[OrderLine]) -> None:
        self.lines = [line for line in lines if line.refundable_quantity]
        for line in self.lines:
            left = line.refundable_quantity
            self.fields[self.name_of(line)] = forms.IntegerField(
                label=f"{line.product_name}: pieces",
                required=False,
                min_value=0,
                max_value=left,
                widget=UnfoldAdminIntegerFieldWidget({"placeholder": "0"}),
                help_text=f"{left} of {line.quantity} can be refunded; one is {show(worth(line, 1))} with tax.",
                error_messages={"max_value": f"Only {left} can be refunded still."},
            )

    def name_of(self, line: OrderLine) -> str:
        return f"line_{line.pk.hex}"

    def asked_lines(self) -> tuple[LineAsk, ...]:
        found = ((line, self.cleaned_data.get(self.name_of(line))) for line in self.lines)
        return tuple(LineAsk(line.pk, number) for line, number in found if number)


class ParcelsForm(forms.Form):
    """A choice for every parcel that can still be decided about. `decisions()` are those that were made."""

    def add_parcels(self, parcels: list[Parcel], *, required: bool = False) -> None:
        self.parcels = [parcel for parcel in parcels if DECISIONS.get(parcel.status)]
        for parcel in self.parcels:
            choices = [(str(d), d.label) for d in DECISIONS[parcel.status]]
            state = parcel.get_instruction_display() if parcel.instruction else parcel.get_status_display()
            self.fields[self.name_of_parcel(parcel)] = forms.ChoiceField(
                label=f"Parcel {parcel.number} of {parcel.artisan.name} ({state.lower()}, {show(parcel.total)})",
                choices=choices if required else [("", "As it is now"), *choices],
                required=required,
                widget=UnfoldAdminRadioSelectWidget,
                error_messages={"required": "Decide what becomes of this parcel."},
            )

    def name_of_parcel(self, parcel: Parcel) -> str:
        return f"parcel_{parcel.pk.hex}"

    def decisions(self) -> dict[UUID, ParcelDecision]:
        found = ((p.pk, self.cleaned_data.get(self.name_of_parcel(p))) for p in self.parcels)
        return {pk: ParcelDecision(value) for pk, value in found if value}

    def check_all_decided(self) -> None:
        """All money goes back: what was not sent needs a decision."""
        for parcel in self.parcels:
            name = self.name_of_parcel(parcel)
            if parcel.status in PARCELS_UNSENT and not self.cleaned_data.get(name):
                self.add_error(name, "All of the money goes back: decide whether this parcel is sent.")


class DecideParcelsForm(ReasonForm, ParcelsForm):
    """What becomes of the parcels of an order, apart from any refund."""

    def __init__(self, *args: Any, parcels: list[Parcel], **kwargs: Any) -> None:
        super().__init__(
            *args, presets=REASONS_TO_DECIDE, help_text="Buyer and artisans read this.", **kwargs
        )
        self.add_parcels(parcels)
        self.order_fields([*(self.name_of_parcel(p) for p in self.parcels), "preset", "words"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.decisions():
            raise forms.ValidationError("Decide about one parcel at least.")
        return data


class CancelOrderForm(ReasonForm):
    """`cleaned_data["parcels"]`: the chosen ones, or None for the whole order."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self, *args: Any, parcels: list[Parcel], refund: str, kept_minor: int, **kwargs: Any
    ) -> None:
        super().__init__(
            *args, presets=REASONS_TO_CANCEL, help_text="The buyer and the artisans read this.", **kwargs
        )
        unsent = [parcel for parcel in parcels if parcel.status in PARCELS_UNSENT]
        self.fields["seen"].initial = kept_minor
        if len(parcels) > 1 and unsent:
            self.fields["parcels"] = forms.MultipleChoiceField(
                label="Cancel which parcels?",
                choices=[(str(p.pk), f"{p.number}. {p.artisan.name}: {show(p.total)}") for p in unsent],
                initial=[str(p.pk) for p in unsent],
                widget=forms.CheckboxSelectMultiple,
                help_text="Their goods go back on sale. All of them: the whole order ends.",
                error_messages={"required": "Choose one parcel at least."},
            )
        self.living = {parcel.pk for parcel in parcels}
        if refund:
            self.fields["refund"] = checkbox(refund)
            self.fields["refund"].initial = True
            self.fields["refund"].is_choice = True  # type: ignore[attr-defined]  # for the template
        self.order_fields(["parcels", "refund", "preset", "words", "seen"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        chosen = {UUID(pk) for pk in data.get("parcels", ())}
        data["parcels"] = None if chosen in (set(), self.living) else chosen
        return data


class RefundForm(ReasonForm, PiecesForm, ParcelsForm):
    """`seen` is what had gone back or was on its way when the page was shown: news since then stop the refund once.

    `cleaned_data` holds `amount`, or `pieces` and no amount.
    """

    mode = forms.ChoiceField(
        label="Refund",
        choices=[(BY_AMOUNT, "an amount"), (BY_PIECES, "pieces of the order, at what they cost with tax")],
        initial=BY_AMOUNT,
        widget=UnfoldAdminRadioSelectWidget,
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        payment: Payment,
        suggested: Money,
        lines: list[OrderLine],
        shipping: Money,
        parcels: list[Parcel],
        **kwargs: Any,
    ) -> None:
        self.payment = payment
        help_text = f"{payment.order.email} reads this in the mail."
        super().__init__(*args, presets=REASONS_TO_REFUND, help_text=help_text, **kwargs)
        self.fields["amount"] = AmountField(
            label="Amount",
            currency=payment.currency,
            initial=suggested or None,
            required=False,
            help_text=f"{show(payment.refundable)} is left of this payment.",
        )
        self.add_lines(lines)
        if shipping:
            self.fields["shipping"] = checkbox(f"The shipping, too: {show(shipping)}")
        if self.lines:
            self.fields["restock"] = checkbox("The pieces go back on sale")
        self.fields["seen"].initial = payment.refunded_minor + payment.refund_reserved_minor
        names = [self.name_of(line) for line in self.lines]
        for name in (
            "amount",
            *names,
            "shipping",
            "restock",
        ):  # one of them is wanted, so none is "if you like"
            if name in self.fields:
                self.fields[name].is_choice = True  # type: ignore[attr-defined]  # for the template
        self.add_parcels(parcels)
        of_parcels = [self.name_of_parcel(parcel) for parcel in self.parcels]
        self.order_fields(
            ["mode", "amount", *names, "shipping", "restock", *of_parcels, "preset", "words", "seen"]
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        asked, has_shipping, restock = (
            self.asked_lines(),
            data.get("shipping", False),
            data.get("restock", False),
        )
        if data.get("mode") == BY_PIECES:
            if not (asked or has_shipping):
                raise forms.ValidationError("Give the number of pieces, or tick the shipping.")
            data["amount"] = None
            data["pieces"] = Pieces(asked, with_shipping=has_shipping, restock=restock)
        else:
            if asked or has_shipping or restock:
                raise forms.ValidationError("You named pieces: choose “pieces of the order”, or clear them.")
            if data.get("amount") is None and "amount" not in self.errors:
                self.add_error("amount", "Give the amount to refund.")
            data["pieces"] = None
        is_all = data.get("amount") == self.payment.refundable
        if is_all or (asked and all(self.is_all_of(line, asked) for line in self.lines)):
            self.check_all_decided()
        data["parcels"] = self.decisions()
        return data

    def is_all_of(self, line: OrderLine, asked: tuple[LineAsk, ...]) -> bool:
        return LineAsk(line.pk, line.refundable_quantity) in asked


class DecideForm(PiecesForm, ParcelsForm):
    """`cleaned_data["decision"]`, and pieces when some came back."""

    decision = forms.ChoiceField(
        label="What does it mean for the order?",
        choices=[
            (
                RefundDecision.NOTHING,
                "The order goes on; what is on hold is sent, unless you choose otherwise below",
            ),
            (RefundDecision.RESTOCK, "These pieces came back and go on sale again"),
            (RefundDecision.CANCEL, "The order is cancelled; everything goes back on sale"),
        ],
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={"required": "Choose what it means."},
    )

    def __init__(
        self,
        *args: Any,
        refund: PaymentRefund,
        lines: list[OrderLine],
        parcels: list[Parcel],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.add_lines(lines)
        self.add_parcels(parcels)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        is_restock = data.get("decision") == RefundDecision.RESTOCK
        if "decision" in data and is_restock != bool(self.asked_lines()):
            raise forms.ValidationError("Give the number of pieces when some came back, and only then.")
        return data


class ResolveForm(forms.Form):
    resolution = forms.CharField(
        label="What did you find, and what was done?",
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        error_messages={"required": "Say what was found and done."},
    )


def checkbox(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=UnfoldBooleanWidget)
