from datetime import datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from artisans.catalog.models import Artisan
from artisans.core.admin.forms import DayField, amount_read
from artisans.core.forms import LineField
from artisans.core.money import Money
from artisans.core.numbers import compact
from artisans.core.validators import validate_currency
from artisans.earnings.models import BY_STAFF, HoldReason
from orders.models import Order


class HoldForm(forms.Form):
    """What to hold back of whom. Clean data: the arguments of `hold_submit`, without the actor."""

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
    until = DayField(
        label=_("Ends by itself on"), required=False, help_text=_("Leave it empty to end it yourself.")
    )

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
