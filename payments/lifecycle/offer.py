"""The payment methods that are offered for an order."""

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.functional import lazy
from django.utils.translation import gettext as _

from artisans.core.money import Money
from artisans.core.security.encryption import read_decrypted
from artisans.core.templatetags.money import show
from artisans.regions.conversion import PriceSteps, convert_price
from artisans.regions.currencies import cash_limit_in, latest_rates
from orders.models import StoreRules
from payments.bookkeeping.attempts import too_many_declines
from payments.errors import AmountTooLarge, AmountTooSmall, CurrencyNotTaken, MethodNotOffered
from payments.gateway.connection import are_credentials_refused, is_configured, is_down, offered_methods
from payments.methods import SPECS, PaymentMethod
from payments.providers.facts import MethodFacts, ProviderFacts
from payments.providers.registry import (
    find_facts,
    limits_of,
    route_of,
    takes,
)


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """One way to pay as the buyer sees it; `unavailable_reason` says why it cannot be taken now.

    `method`: the payment method of a saved one, whose `value` names the saved method. `needs_confirmed_email`: a
    confirmed email address would make it available.
    """

    value: str
    label: str
    hint: str
    pay_label: str
    unavailable_reason: str = ""
    is_selected: bool = False
    method: str = ""

    @property
    def needs_confirmed_email(self) -> bool:
        return self.unavailable_reason == needs_confirmed_email()

    @property
    def is_available(self) -> bool:
        return not self.unavailable_reason

    @property
    def kind(self) -> str:
        """The payment method."""
        return self.method or self.value


def method_choices(
    *,
    total: Money,
    is_known_buyer: bool,
    store: StoreRules,
    due: Money | None = None,
    country: str = "",
    selected: str = "",
    closed: Collection[str] = (),
) -> list[MethodChoice]:
    """All offered payment methods. `is_known_buyer`: an email address of theirs is confirmed.

    `due`: what is left to pay of the total. `country`: of the buyer, "" while it is not known. `closed`: providers
    at which a payment of the order was closed because of its declines.
    """
    return [
        MethodChoice(
            value=method.value,
            label=str(SPECS[method].shown_as or method.label),
            hint=str(SPECS[method].hint),
            pay_label=SPECS[method].pay_label.format(amount=show(total)),
            unavailable_reason=too_many_declines()
            if is_closed_after_declines(method, closed)
            else unavailable_reason(
                method, total=total, is_known_buyer=is_known_buyer, store=store, due=due, country=country
            ),
            is_selected=method.value == selected,
        )
        for method in offered_methods()
        if SPECS[method].shown_as != ""
    ]


def is_closed_after_declines(method: PaymentMethod, closed: Collection[str]) -> bool:
    return any(facts.name in closed for facts in route_of(method))


def unavailable_reason(
    method: PaymentMethod,
    *,
    total: Money,
    is_known_buyer: bool,
    store: StoreRules,
    due: Money | None = None,
    country: str = "",
) -> str:
    """Why this method cannot be used now, "" when it can."""
    amount = total if due is None else due
    facts = choose_provider(method, amount=amount, country=country)
    if isinstance(facts, MethodNotOffered):
        return facts.detail
    if is_down(facts.name):
        return _("%(provider)s is not responding. Please choose another payment method.") % {
            "provider": facts.label
        }
    if are_credentials_refused(facts.name):
        return _("%(provider)s is not available at the moment. Please choose another payment method.") % {
            "provider": facts.label
        }
    return shop_reason(method, total=total, is_known_buyer=is_known_buyer, store=store)


def shop_reason(method: PaymentMethod, *, total: Money, is_known_buyer: bool, store: StoreRules) -> str:
    """Why the shop does not accept this method for the order, whichever provider takes it; "" when it does."""
    if method == PaymentMethod.BANK_TRANSFER and not read_decrypted(store, "account_iban"):
        return _("The shop has not set up a bank account yet.")
    if method == PaymentMethod.CHECK and not store.check_payee:
        return _("The shop has not set up an address for checks yet.")
    if method == PaymentMethod.CASH_ON_DELIVERY:
        return cash_unavailable_reason(total, is_known_buyer=is_known_buyer, store=store)
    return ""


def cash_unavailable_reason(total: Money, *, is_known_buyer: bool, store: StoreRules) -> str:
    limit = store.cash_limit if total.currency == store.currency else cash_limit_in(total.currency)
    if limit is None:
        return _("Not offered in %(currency)s.") % {"currency": total.currency}
    if total > limit:
        return _("Available up to %(limit)s; this order is %(total)s.") % {
            "limit": show(limit),
            "total": show(total),
        }
    return "" if is_known_buyer else needs_confirmed_email()


def needs_confirmed_email() -> str:
    return _("Only for buyers with a confirmed email address.")


# ---- providers -------------------------------------------------------------------------------------------------------

show_later = lazy(show, str)  # formatting an amount that nobody reads takes 2% of an order in one call


def choose_provider(
    method: PaymentMethod, *, amount: Money, country: str = "", provider: str = ""
) -> ProviderFacts | MethodNotOffered:
    """Who takes a new payment: the first of the method's route that is configured and fits; or why none does.

    `provider`: the only one that may, when the request names it.
    """
    named = find_facts(provider) if provider else None
    takers = [named] if named is not None and named.method(method) else route_of(method)
    misfits = []
    for facts in filter(is_configured, takers):
        misfit = find_misfit(facts, method, amount, country)
        if misfit is None:
            return facts
        misfits.append(misfit)
    if misfits:
        return misfits[0]
    return MethodNotOffered(_("%(method)s is not available.") % {"method": method.label})


def find_misfit(
    facts: ProviderFacts, method: PaymentMethod, amount: Money, country: str
) -> MethodNotOffered | None:
    """Why this provider cannot take the payment by its currency, amount or the buyer's country; None when it can."""
    currency, values = amount.currency, {"method": method.label, "amount": show_later(amount)}
    limits = limits_of(facts, method, currency, exchanged)
    if limits is None:
        text = _("%(method)s is not available in %(currency)s.") % (values | {"currency": currency})
        return CurrencyNotTaken(text, currency=currency)
    least, most = Money(limits.least, currency), Money(limits.most, currency)
    if amount < least:
        text = _("%(method)s is available from %(limit)s; the amount due is %(amount)s.")
        return AmountTooSmall(text % (values | {"limit": show(least)}), least=least)
    if amount > most:
        text = _("%(method)s is available up to %(limit)s; the amount due is %(amount)s.")
        return AmountTooLarge(text % (values | {"limit": show(most)}), most=most)
    if amount.minor % limits.step:
        return MethodNotOffered(_("%(method)s cannot be used for exactly %(amount)s.") % values)
    if not is_country_served(facts.method(method), country):
        return MethodNotOffered(_("%(method)s is not available in your country.") % values)
    return None


def brand_refusal(provider: str, method: str, brand: str, amount: Money) -> AmountTooLarge | None:
    """Why the amount cannot be paid by a card of this brand, which takes less than others; None when it can."""
    facts = find_facts(provider)
    limits = limits_of(facts, method, amount.currency) if facts else None
    if limits is None or amount.minor <= limits.most_by_brand.get(brand, amount.minor):
        return None
    most = Money(limits.most_by_brand[brand], amount.currency)
    text = _("This card takes up to %(limit)s; the amount due is %(amount)s.")
    return AmountTooLarge(text % {"limit": show(most), "amount": show(amount)}, most=most)


def exchanged(amount: Money, currency: str) -> Money | None:
    """At the shop's latest exchange rates; None if they lack one of the currencies."""
    rates = latest_rates(amount.currency, currency)
    rate_from, rate_to = rates.get(amount.currency), rates.get(currency)
    if rate_from is None or rate_to is None:
        return None
    return convert_price(amount, PriceSteps(currency), rate_from=rate_from, rate_to=rate_to)


def is_country_served(facts: MethodFacts | None, country: str) -> bool:
    return facts is not None and (not facts.countries or country in {"", *facts.countries})


def parse_method(method: str, provider: str | None = None) -> PaymentMethod:
    """The method for its API name. Errors: MethodNotOffered for an unknown one or a provider that does not take it."""
    if method not in PaymentMethod.values:
        raise MethodNotOffered(_("%(method)s is not a payment method.") % {"method": repr(method)})
    if provider is not None and not takes(provider, method):
        takers = ", ".join(facts.name for facts in route_of(method)) or "-"
        raise MethodNotOffered(
            _("%(method)s is not available from %(sent)s. Available from: %(providers)s.")
            % {"method": method, "sent": repr(provider), "providers": takers}
        )
    return PaymentMethod(method)
