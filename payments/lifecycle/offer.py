"""The payment methods that are offered for an order."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from artisans.core.money import Money
from artisans.core.security.encryption import read_decrypted
from artisans.core.templatetags.money import show
from orders.models import StoreRules
from payments.errors import MethodNotOffered
from payments.methods import SPECS, PaymentMethod
from payments.providers.registry import is_down, offered_methods


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """One way to pay as the buyer sees it; `unavailable_reason` says why it cannot be taken now."""

    value: str
    label: str
    hint: str
    pay_label: str
    unavailable_reason: str = ""
    is_selected: bool = False

    @property
    def is_available(self) -> bool:
        return not self.unavailable_reason


def method_choices(
    *, total: Money, is_known_buyer: bool, store: StoreRules, selected: str = ""
) -> list[MethodChoice]:
    """All offered ways to pay. `is_known_buyer`: signed in, or the email address was confirmed."""
    return [
        MethodChoice(
            value=method.value,
            label=str(SPECS[method].shown_as or method.label),
            hint=str(SPECS[method].hint),
            pay_label=SPECS[method].pay_label.format(amount=show(total)),
            unavailable_reason=unavailable_reason(
                method, total=total, is_known_buyer=is_known_buyer, store=store
            ),
            is_selected=method.value == selected,
        )
        for method in offered_methods()
        if SPECS[method].shown_as != ""
    ]


def unavailable_reason(
    method: PaymentMethod, *, total: Money, is_known_buyer: bool, store: StoreRules
) -> str:
    if method not in offered_methods():
        return _("%(method)s is not available.") % {"method": method.label}
    if is_down(SPECS[method].provider):
        return _("%(provider)s does not answer at the moment. Please choose another payment method.") % {
            "provider": SPECS[method].provider.label
        }
    if method == PaymentMethod.BANK_TRANSFER and not read_decrypted(store, "account_iban"):
        return _("The shop has not set up a bank account yet.")
    if method == PaymentMethod.CHECK and not store.check_payee:
        return _("The shop has not set up an address for checks yet.")
    if method == PaymentMethod.CASH_ON_DELIVERY:
        if total.currency == store.currency and total > store.cash_limit:
            return _("Available up to %(limit)s; this order is %(total)s.") % {
                "limit": show(store.cash_limit),
                "total": show(total),
            }
        if not is_known_buyer:
            return _("Sign in first, or confirm your email address.")
    return ""


def parse_method(method: str, provider: str | None = None) -> PaymentMethod:
    """The method for its API name. Errors: MethodNotOffered for an unknown one or a provider that does not take it."""
    if method not in PaymentMethod.values:
        raise MethodNotOffered(f"{method!r} is not a payment method.")
    spec = SPECS[PaymentMethod(method)]
    if provider is not None and provider != spec.provider:
        raise MethodNotOffered(f"{method} is taken by {spec.provider}, not by {provider!r}.")
    return PaymentMethod(method)
