"""A buyer's saved payment methods among the ways to pay: choices of their own beside the payment methods."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.accounts.principals import Principal
from artisans.core.money import Money
from orders.models import Order
from orders.selectors import is_owner
from payments.bookkeeping.saved_methods import methods_of, name_of
from payments.lifecycle.offer import MethodChoice, brand_refusal
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.providers.registry import takes

PREFIX = "saved:"
CARDS = (PaymentMethod.CREDIT_CARD, PaymentMethod.DEBIT_CARD)


def saved_id_of(value: str) -> str:
    """Our id of the saved method that a choice stands for; "" for a choice of a payment method."""
    return value.removeprefix(PREFIX) if value.startswith(PREFIX) else ""


def with_saved(
    choices: Sequence[MethodChoice], user: User | None, *, amount: Money, selected: str
) -> list[MethodChoice]:
    """The user's saved methods, then the choices. A saved method is available when its payment method is, and when it
    takes the amount."""
    offered = {choice.value: choice for choice in choices}
    rows = [(row, offered.get(offered_as(row, offered))) for row in methods_of(user)] if user else []
    saved = [
        saved_choice(row, base, amount=amount, selected=selected) for row, base in rows if base is not None
    ]
    has_card = any(choice.method in CARDS for choice in saved)
    others = [
        replace(choice, label=_("Another card")) if has_card and choice.value in CARDS else choice
        for choice in choices
    ]
    return [*available_first(saved), *others]


def offered_as(row: dict[str, Any], offered: dict[str, MethodChoice]) -> str:
    """The payment method by which a saved method is offered: pages offer all cards as one."""
    method: str = row["payment_method"]
    return PaymentMethod.CREDIT_CARD if method in CARDS and method not in offered else method


def saved_choice(row: dict[str, Any], base: MethodChoice, *, amount: Money, selected: str) -> MethodChoice:
    value, expiry = f"{PREFIX}{row['id']}", ""
    if row["card_exp_year"]:
        expiry = f"{row['card_exp_month']:02}/{row['card_exp_year']}"
    expired = _("This card expired %(date)s.") % {"date": expiry} if row["is_expired"] else ""
    refusal = brand_refusal(row["provider"], row["payment_method"], row["card_brand"], amount)
    return replace(
        base,
        value=value,
        label=name_of(row),
        hint=_("Expires %(date)s") % {"date": expiry} if expiry else "",
        unavailable_reason=expired or base.unavailable_reason or (refusal.detail if refusal else ""),
        is_selected=value == selected,
        method=base.kind,
    )


def available_first(choices: Sequence[MethodChoice]) -> list[MethodChoice]:
    return sorted(choices, key=lambda choice: not choice.is_available)


def preselected(choices: Sequence[MethodChoice]) -> list[MethodChoice]:
    """The same choices; if none is selected, the first saved method that can be used is: the default."""
    first = next((choice for choice in choices if choice.method and choice.is_available), None)
    if first is None or any(choice.is_selected for choice in choices):
        return list(choices)
    return [replace(choice, is_selected=choice is first) for choice in choices]


def saved_for_payment(payment: Payment, viewer: User | None) -> list[MethodChoice]:
    """The viewer's saved methods that can pay this payment of their order, the default preselected."""
    if viewer is None or not is_owner(payment.order, viewer):
        return []
    base = MethodChoice(value=payment.payment_method, label="", hint="", pay_label="")
    rows = [
        row
        for row in methods_of(viewer)
        if row["payment_method"] == payment.payment_method
        or {row["payment_method"], payment.payment_method} <= set(CARDS)
        if takes(row["provider"], payment.payment_method)
    ]
    saved = [saved_choice(row, base, amount=payment.amount, selected="") for row in rows]
    return preselected(available_first(saved))


def owner_of_page(request: HttpRequest, order: Order) -> User | None:
    """The signed-in viewer of an order's page if the order is theirs; only they use and save methods there."""
    viewer = Principal.from_page(request).user
    return viewer if is_owner(order, viewer) else None
