"""Pages about money carry the order's sums as the person saw them; news since then stop the act once."""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

from django import forms
from django.db.models import Model, Sum
from django.http import HttpRequest, HttpResponse

from artisans.core.admin import ReadOnlyAdmin
from artisans.core.templatetags.money import show
from orders.models import Order
from orders.selectors import checked_when_locked
from payments.errors import OrderChanged

FIGURES = ("received", "refunded", "being refunded", "owed to the buyer", "left to pay")


def order_seen(order: Order) -> str:
    """What a person who reads about the order's money goes by: its state, and the FIGURES in minor units."""
    reserved = order.payments.aggregate(sum=Sum("refund_reserved_minor"))["sum"] or 0
    sums = (
        order.received_minor,
        order.refunded_minor,
        reserved,
        order.to_return.minor,
        order.balance_due.minor,
    )
    return " ".join([order.status, *map(str, sums)])


def check_seen(seen: str, order: Order) -> None:
    """Errors: OrderChanged, with the figures that the person saw and those that hold now."""
    now = order_seen(order)
    if seen == now:
        return
    (old_status, *old), (status, *new) = seen.split(), now.split()
    changes = [] if old_status == status else [f"the order is {order.get_status_display().lower()} now"]
    for name, before, after in zip(FIGURES, old, new, strict=False):
        if before != after:
            was = show(order.money(int(before))) if before.removeprefix("-").isdecimal() else "unknown"
            changes.append(f"{name}: {show(order.money(int(after)))} (was {was})")
    raise OrderChanged("; ".join(changes))


class MoneyPages(ReadOnlyAdmin):
    """Every page of its own but the `everyday_pages` is about the money of `order` in its context.

    The form gets what was seen as a hidden field, and the first lock of the order compares it. A form that comes
    without it asserts nothing.
    """

    def act(
        self,
        request: HttpRequest,
        template: str,
        obj: Model,
        form: forms.Form,
        service: Callable[[dict[str, Any]], str],
        **context: Any,
    ) -> HttpResponse:
        match = request.resolver_match
        name = match.url_name.rpartition("_")[2] if match and match.url_name else ""
        if name in self.everyday_pages:
            return super().act(request, template, obj, form, service, **context)
        order = context["order"]
        shown = order_seen(order)
        form.fields["order_seen"] = forms.CharField(
            required=False, widget=forms.HiddenInput, initial=shown, max_length=200
        )

        def checked(data: dict[str, Any]) -> str:
            seen = data.pop("order_seen")
            if not seen:
                return service(data)
            with checked_when_locked(order.pk, partial(check_seen, seen)):
                return service(data)

        answer = super().act(request, template, obj, form, checked, **context)
        if form.is_bound:  # the page that comes back shows the order as it is now
            data: Any = copy(form.data)
            data["order_seen"] = shown
            form.data = data
        return answer
