"""Payment pages carry the order's amounts as shown; a change since then stops the first submission."""

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
    """Every custom page except `everyday_pages` is about the amounts of `order` in its context.

    The form carries the shown amounts in a hidden field, compared when the order is first locked. A form without
    them skips the check.
    """

    def run_action(
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
            return super().run_action(request, template, obj, form, service, **context)
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

        answer = super().run_action(request, template, obj, form, checked, **context)
        if form.is_bound:  # the page shown again has the order's current amounts
            data: Any = copy(form.data)
            data["order_seen"] = shown
            form.data = data
        return answer
