from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from artisans.core.admin import AmountField
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import OrderLine
from payments.admin.forms import ReasonForm
from payments.models import Payment, PaymentRefund, RefundDecision
from payments.services.refund_parts import LineAsk, Pieces, worth

REASONS_TO_REFUND = (
    "The buyer sent the goods back.",
    "An item arrived damaged.",
    "An item is missing or cannot be sent.",
    "The order was cancelled.",
    "More was paid than the order costs.",
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


class RefundForm(ReasonForm, PiecesForm):
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
        **kwargs: Any,
    ) -> None:
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
        self.order_fields(["mode", "amount", *names, "shipping", "restock", "preset", "words", "seen"])

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
        return data


class DecideForm(PiecesForm):
    """`cleaned_data["decision"]`, and pieces when some came back."""

    decision = forms.ChoiceField(
        label="What does it mean for the order?",
        choices=[
            (RefundDecision.NOTHING, "Nothing: the order goes on as it is"),
            (RefundDecision.RESTOCK, "These pieces came back and go on sale again"),
            (RefundDecision.CANCEL, "The order is cancelled; everything goes back on sale"),
        ],
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={"required": "Choose what it means."},
    )

    def __init__(self, *args: Any, refund: PaymentRefund, lines: list[OrderLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_lines(lines)

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
