from datetime import datetime, time
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from artisans.catalog.models import Artisan
from artisans.core.admin.forms import AmountField, DayField, amount_read, limit_to_past
from artisans.core.forms import LineField
from artisans.core.money import Money
from artisans.core.numbers import compact
from artisans.core.validators import validate_currency
from artisans.earnings.models import BY_STAFF, PAY_CASH_IN, Debt, HoldReason, SettlementMeans
from orders.models import Order
from payments.bookkeeping.value_dates import earliest_value_date

MAX_DIGITS = 18  # of an amount in minor units


class HoldForm(forms.Form):
    """What to hold back of whom. Clean data: the arguments of `hold_submit`, without the actor. `id`: of the hold, so
    that a form that is sent twice makes one."""

    artisan = forms.ModelChoiceField(
        Artisan.objects.order_by("name"), label=_("Artisan"), widget=UnfoldAdminSelectWidget
    )
    amount = forms.CharField(
        label=_("Amount"),
        max_length=30,
        required=False,
        help_text=_("Of what is available to the artisan now. Leave it empty to stop releases only."),
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        validators=[validate_currency],
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    stops_releases = forms.BooleanField(
        label=_("Stop releases"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("Pending earnings stay pending while the hold lasts: of the order below, or all."),
    )
    order_number = forms.CharField(
        label=_("Order number"),
        max_length=20,
        required=False,
        help_text=_("If the hold is about one order."),
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[(reason.value, reason.label) for reason in BY_STAFF],
        widget=UnfoldAdminSelectWidget,
    )
    note = LineField(
        label=_("Explanation"),
        max_length=300,
        help_text=_("The artisan reads it. Do not name buyers."),
        widget=UnfoldAdminTextInputWidget,
    )
    id = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)
    until = DayField(
        label=_("Ends by itself on"), required=False, help_text=_("Leave it empty to end it yourself.")
    )

    def clean_id(self) -> UUID:
        return self.cleaned_data["id"] or uuid4()

    def clean_order_number(self) -> Order | None:
        number = compact(self.cleaned_data["order_number"])
        if not number:
            return None
        order = Order.objects.filter(order_number=number).first()
        if order is None:
            raise forms.ValidationError(gettext("There is no order with this number."))
        return order

    def clean_until(self) -> datetime | None:
        day = self.cleaned_data["until"]
        return timezone.make_aware(datetime.combine(day, time.min)) if day else None

    def clean_reason(self) -> HoldReason:
        return HoldReason(self.cleaned_data["reason"])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if "currency" not in data or "amount" not in data:
            return data
        try:
            text = data["amount"]
            data["amount"] = amount_read(text, data["currency"]) if text else Money(0, data["currency"])
        except forms.ValidationError as error:
            self.add_error("amount", error)
        data["order"] = data.pop("order_number", None)
        del data["currency"]
        return data


class DebtForm(forms.Form):
    """An amount of a debt. `seen`: what the page showed as owed, in minor units."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, owed: Money, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owed = owed
        self.fields["amount"] = AmountField(
            label=gettext("Amount"), currency=owed.currency, initial=owed or None
        )
        self.order_fields(["means", "amount"])
        self.fields["seen"].initial = owed.minor

    def clean_seen(self) -> Money | None:
        text = self.cleaned_data["seen"]
        is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
        return Money(int(text), self.owed.currency) if is_number else None

    def show_again(self) -> None:
        """The page shown again has what is owed now."""
        self.data = {**self.data.dict(), "seen": str(self.owed.minor)}  # type: ignore[attr-defined]  # a QueryDict


class PaymentOfDebtForm(DebtForm):
    means = forms.ChoiceField(
        label=_("Received"),
        choices=[(SettlementMeans.BANK.value, SettlementMeans.BANK.label)],
        initial=SettlementMeans.BANK,
        help_text=PAY_CASH_IN,
        error_messages={"invalid_choice": PAY_CASH_IN},
        widget=UnfoldAdminRadioSelectWidget,
    )
    value_date = DayField(label=_("Received on"))
    reference = LineField(
        label=_("Reference"),
        max_length=80,
        help_text=_("Transaction number from the statement. Must be unique."),
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        error_messages={"required": _("Enter the reference; it prevents recording the same payment twice.")},
    )
    note = LineField(label=_("Note"), max_length=300, required=False, widget=UnfoldAdminTextInputWidget)
    beyond_owed = forms.BooleanField(
        label=_("More was received than is owed"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("The rest becomes available to the artisan."),
    )

    def __init__(self, *args: Any, debt: Debt, owed: Money, **kwargs: Any) -> None:
        super().__init__(*args, owed=owed, **kwargs)
        limit_to_past(self.fields["value_date"], first=earliest_value_date(debt.created_at))

    def clean_means(self) -> SettlementMeans:
        return SettlementMeans(self.cleaned_data["means"])


class WriteOffForm(DebtForm):
    note = LineField(label=_("Reason"), max_length=300, widget=UnfoldAdminTextInputWidget)


class ReasonForm(forms.Form):
    reason = LineField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)
