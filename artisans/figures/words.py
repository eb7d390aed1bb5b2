"""Words for the codes that figures are divided by: those of providers, fields, and problems of checkouts."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from carts.forms import DetailsForm
from payments.codes import provider_code_text

PROBLEM_LABELS: dict[str, Promise] = {
    "amount_too_large": gettext_lazy("Amount too large"),
    "cart_closed": gettext_lazy("Cart already ordered"),
    "checkout_problems": gettext_lazy("Item in the cart cannot be ordered"),
    "choice_needed": gettext_lazy("Option not chosen"),
    "element_error": gettext_lazy("Card form failed"),
    "empty_cart": gettext_lazy("Cart is empty"),
    "method_not_offered": gettext_lazy("Payment method not offered"),
    "offline": gettext_lazy("Browser was offline"),
    "on_holiday": gettext_lazy("Workshop on holiday"),
    "other": gettext_lazy("Other"),
    "out_of_stock": gettext_lazy("Out of stock"),
    "payment_declined": gettext_lazy("Payment declined"),
    "payment_method": gettext_lazy("Payment method"),
    "provider_unavailable": gettext_lazy("Payment provider unavailable"),
    "quantity_too_large": gettext_lazy("Quantity too large"),
    "quote_changed": gettext_lazy("Price or delivery changed meanwhile"),
    "script_blocked": gettext_lazy("Script blocked"),
    "script_slow": gettext_lazy("Script loaded too slowly"),
    "shop_not_open": gettext_lazy("Shop not open"),
    "too_many": gettext_lazy("Too many requests"),
    "too_many_items": gettext_lazy("Too many items in the cart"),
    "unknown_product": gettext_lazy("Product no longer sold"),
    "validation_error": gettext_lazy("Invalid data sent by a program"),
}
BILLING = "billing_"


def code_text(code: str) -> str:
    if not code:
        return _("none")
    if words := PROBLEM_LABELS.get(code):
        return str(words)
    if field := DetailsForm.base_fields.get(code):
        label = str(field.label)
        return _("%(field)s (billing)") % {"field": label} if code.startswith(BILLING) else label
    return provider_code_text(code)
