"""Pages about money carry the order's sums as the person saw them; news since then stop the act once."""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from artisans.core.admin.pages import ReadOnlyAdmin
from orders.selectors import checked_when_locked
from payments.bookkeeping.seen import check_seen, order_seen


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
