from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
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
from orders.statuses import DECISIONS, PARCELS_UNSHIPPED, ParcelDecision
from payments.admin.forms import REASONS_TO_CANCEL, BearerField, ReasonForm
from payments.bookkeeping.refund_amounts import RefundLineInput, RefundSelection, line_value
from payments.models import Payment, PaymentRefund, RefundDecision

REASONS_TO_REFUND = (
    _("The buyer returned the items."),
    _("An item arrived damaged."),
    _("An item is missing or cannot be shipped."),
    _("The order was cancelled."),
    _("The order was overpaid."),
)
REASONS_TO_DECIDE = (
    _("The payment was refunded."),
    _("The buyer disputed the payment."),
    _("The buyer returned the items."),
    _("The parcel could not be delivered."),
)
BY_AMOUNT, BY_LINES = "amount", "items"


class RefundLinesForm(forms.Form):
    """A quantity for every order line with units left to refund. `selected_lines()` are those above zero.

    What was entered for a line of which nothing is left meanwhile is refused, not left out.
    """

    def add_lines(self, lines: list[OrderLine]) -> None:
        self.lines = [line for line in lines if line.refundable_quantity or self.data.get(self.name_of(line))]
        for line in self.lines:
            left = line.refundable_quantity
            self.fields[self.name_of(line)] = forms.IntegerField(
                label=gettext("%(product)s: quantity") % {"product": line.product_name},
                required=False,
                min_value=0,
                max_value=left,
                widget=UnfoldAdminIntegerFieldWidget({"placeholder": "0"}),
                help_text=gettext("%(left)d of %(quantity)d refundable; %(price)s each including tax.")
                % {"left": left, "quantity": line.quantity, "price": show(line_value(line, 1))},
                error_messages={
                    "max_value": gettext("Only %(left)d can still be refunded.") % {"left": left}
                },
            )

    def name_of(self, line: OrderLine) -> str:
        return f"line_{line.pk.hex}"

    def selected_lines(self) -> tuple[RefundLineInput, ...]:
        found = ((line, self.cleaned_data.get(self.name_of(line))) for line in self.lines)
        return tuple(RefundLineInput(line.pk, number) for line, number in found if number)


class ParcelsForm(forms.Form):
    """A choice for every parcel that can still be changed. `decisions()` are the choices made."""

    def add_parcels(self, parcels: list[Parcel], *, required: bool = False) -> None:
        self.parcels = [parcel for parcel in parcels if DECISIONS.get(parcel.status)]
        for parcel in self.parcels:
            choices = [(str(d), d.label) for d in DECISIONS[parcel.status]]
            state = parcel.get_instruction_display() if parcel.instruction else parcel.get_status_display()
            self.fields[self.name_of_parcel(parcel)] = forms.ChoiceField(
                label=gettext("Parcel %(number)s from %(artisan)s (%(status)s, %(total)s)")
                % {
                    "number": parcel.number,
                    "artisan": parcel.artisan.name,
                    "status": state.lower(),
                    "total": show(parcel.total),
                },
                choices=choices if required else [("", gettext("No change")), *choices],
                required=required,
                widget=UnfoldAdminRadioSelectWidget,
                error_messages={"required": gettext("Choose what happens to this parcel.")},
            )

    def name_of_parcel(self, parcel: Parcel) -> str:
        return f"parcel_{parcel.pk.hex}"

    def decisions(self) -> dict[UUID, ParcelDecision]:
        found = ((p.pk, self.cleaned_data.get(self.name_of_parcel(p))) for p in self.parcels)
        return {pk: ParcelDecision(value) for pk, value in found if value}

    def check_all_decided(self) -> None:
        """A full refund needs a decision about every unshipped parcel."""
        for parcel in self.parcels:
            name = self.name_of_parcel(parcel)
            if parcel.status in PARCELS_UNSHIPPED and not self.cleaned_data.get(name):
                self.add_error(
                    name, gettext("This refunds everything: choose whether this parcel is still shipped.")
                )


class DecideParcelsForm(ReasonForm, ParcelsForm):
    """What happens to the parcels of an order, apart from any refund."""

    def __init__(self, *args: Any, parcels: list[Parcel], **kwargs: Any) -> None:
        super().__init__(
            *args,
            presets=REASONS_TO_DECIDE,
            help_text=gettext("Shown to the buyer and the artisans."),
            **kwargs,
        )
        self.add_parcels(parcels)
        self.order_fields([*(self.name_of_parcel(p) for p in self.parcels), "preset", "text"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.decisions():
            raise forms.ValidationError(gettext("Choose what happens to at least one parcel."))
        return data


class CancelOrderForm(ReasonForm):
    """`cleaned_data["parcels"]`: the selected parcels, or None for the whole order."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self, *args: Any, parcels: list[Parcel], refund: str, net_received_minor: int, **kwargs: Any
    ) -> None:
        super().__init__(
            *args,
            presets=REASONS_TO_CANCEL,
            help_text=gettext("Shown to the buyer and the artisans."),
            **kwargs,
        )
        unsent = [parcel for parcel in parcels if parcel.status in PARCELS_UNSHIPPED]
        self.fields["seen"].initial = net_received_minor
        if (len(parcels) > 1 and unsent) or {
            "parcels",
            "asks_parcels",
        } & self.data.keys():  # some may have ended since
            self.fields["asks_parcels"] = forms.CharField(
                widget=forms.HiddenInput, required=False, initial="yes"
            )
            self.fields["parcels"] = forms.MultipleChoiceField(
                label=gettext("Parcels to cancel"),
                choices=[(str(p.pk), f"{p.number}. {p.artisan.name}: {show(p.total)}") for p in unsent],
                initial=[str(p.pk) for p in unsent],
                widget=forms.CheckboxSelectMultiple,
                help_text=gettext("Their items are restocked. Select all to cancel the whole order."),
                error_messages={
                    "required": gettext("Select at least one parcel."),
                    "invalid_choice": gettext(
                        "A selected parcel was shipped or cancelled meanwhile. Nothing was cancelled; select again."
                    ),
                },
            )
        self.living = {parcel.pk for parcel in parcels}
        if refund:
            self.fields["refund"] = checkbox(refund)
            self.fields["refund"].initial = True
            self.fields["refund"].is_choice = True  # type: ignore[attr-defined]  # for the template
        self.order_fields(["parcels", "refund", "preset", "text", "seen"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        chosen = {UUID(pk) for pk in data.get("parcels", ())}
        data["parcels"] = None if chosen in (set(), self.living) else chosen
        return data


class RefundForm(ReasonForm, RefundLinesForm, ParcelsForm):
    """`seen` is what was refunded or being refunded when the page was shown; later refunds stop the first submission.

    `cleaned_data` holds `amount`, or `items` and no amount.
    """

    mode = forms.ChoiceField(
        label=_("Refund"),
        choices=[(BY_AMOUNT, _("By amount")), (BY_LINES, _("By item, at the price paid including tax"))],
        initial=BY_AMOUNT,
        widget=UnfoldAdminRadioSelectWidget,
    )
    borne_by = BearerField()
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
        help_text = gettext("Included in the email to %(email)s.") % {"email": payment.order.email}
        super().__init__(*args, presets=REASONS_TO_REFUND, help_text=help_text, **kwargs)
        self.fields["amount"] = AmountField(
            label=gettext("Amount"),
            currency=payment.currency,
            initial=suggested or None,
            required=False,
            help_text=gettext("%(amount)s refundable.") % {"amount": show(payment.refundable)},
        )
        self.add_lines(lines)
        if shipping:
            self.fields["shipping"] = checkbox(
                gettext("Refund shipping (%(amount)s)") % {"amount": show(shipping)}
            )
        if self.lines:
            self.fields["restock"] = checkbox(gettext("Restock items"))
        self.fields["seen"].initial = payment.refunded_minor + payment.refund_reserved_minor
        names = [self.name_of(line) for line in self.lines]
        for name in (
            "amount",
            *names,
            "shipping",
            "restock",
        ):  # one of them is required, so none is labelled "optional"
            if name in self.fields:
                self.fields[name].is_choice = True  # type: ignore[attr-defined]  # for the template
        self.add_parcels(parcels)
        of_parcels = [self.name_of_parcel(parcel) for parcel in self.parcels]
        self.order_fields(
            [
                *("mode", "amount", *names, "shipping", "restock", *of_parcels, "borne_by"),
                *("preset", "text", "seen"),
            ]
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        asked, has_shipping, restock = (
            self.selected_lines(),
            data.get("shipping", False),
            data.get("restock", False),
        )
        if data.get("mode") == BY_LINES:
            if not (asked or has_shipping):
                raise forms.ValidationError(gettext("Enter quantities, or select shipping."))
            data["amount"] = None
            data["items"] = RefundSelection(asked, with_shipping=has_shipping, restock=restock)
        else:
            if asked or has_shipping or restock:
                raise forms.ValidationError(gettext("You entered items: choose “By item”, or clear them."))
            if data.get("amount") is None and "amount" not in self.errors:
                self.add_error("amount", gettext("Enter the amount to refund."))
            data["items"] = None
        is_all = data.get("amount") == self.payment.refundable
        if is_all or (asked and all(self.is_all_of(line, asked) for line in self.lines)):
            self.check_all_decided()
        data["parcels"] = self.decisions()
        return data

    def is_all_of(self, line: OrderLine, asked: tuple[RefundLineInput, ...]) -> bool:
        left = line.refundable_quantity
        return not left or RefundLineInput(line.pk, left) in asked


class DecideForm(RefundLinesForm, ParcelsForm):
    """`cleaned_data["decision"]`, and quantities when items were returned."""

    decision = forms.ChoiceField(
        label=_("What does this refund mean for the order?"),
        choices=[
            (
                RefundDecision.NOTHING,
                _("Continue the order; ship parcels on hold unless you choose otherwise below"),
            ),
            (RefundDecision.RESTOCK, _("Restock the items returned")),
            (RefundDecision.CANCEL, _("Cancel the order and restock all items")),
        ],
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={"required": _("Choose what the refund means.")},
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
        if "decision" in data and is_restock != bool(self.selected_lines()):
            raise forms.ValidationError(gettext("Enter quantities if items were returned, and only then."))
        return data


class ResolveForm(forms.Form):
    resolution = forms.CharField(
        label=_("Findings and resolution"),
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        error_messages={"required": _("Describe what you found and did.")},
    )


def checkbox(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=UnfoldBooleanWidget)
