"""One search box: the form of the term decides which columns are searched, exactly or by prefix, to use indexes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _

from artisans.core.money import Money
from orders.models import Order
from orders.phones import phone_digits, split_extension
from orders.selectors import store_rules
from payments.models import Capture, Payment, PaymentRefund, ProviderCall, Receipt

M = TypeVar("M", bound=Model)
HELP = _(
    "Order number, name, email, phone, post code, product, payment or refund number, bank reference, a provider’s id, "
    "or an amount such as 99.99"
)
SHORTEST_TEXT = 3  # of a name or product: shorter terms are found in nearly every row
PHONE = re.compile(r"[\d\s()+./-]+")
SHORTEST_PHONE = 6


@dataclass(frozen=True, slots=True)
class Target:
    """What is searched, and the paths of lookups: from a row of it to its order, from a payment to it, and from a row
    of a payment to it."""

    model: type[Model]
    amount: str
    to_order: str
    from_payment: str
    from_row_of_payment: str


ORDERS = Target(Order, "total_minor", to_order="", from_payment="order", from_row_of_payment="payment__order")
PAYMENTS = Target(
    Payment, "amount_minor", to_order="order__", from_payment="pk", from_row_of_payment="payment"
)


def orders_found(queryset: QuerySet[Order], text: str) -> QuerySet[Order]:
    return find(queryset, text, ORDERS)


def payments_found(queryset: QuerySet[Payment], text: str) -> QuerySet[Payment]:
    return find(queryset, text, PAYMENTS)


def find(queryset: QuerySet[M], text: str, target: Target) -> QuerySet[M]:
    term, number = text.strip(), number_of(text)
    if not number:
        return queryset.none() if term else queryset
    if "@" in term:
        return queryset.filter(**{f"{target.to_order}email__startswith": term.lower()})
    if number.startswith("PAY-"):
        return either(queryset, rows(Payment, target.from_payment, payment_number__startswith=number))
    key = target.from_row_of_payment
    if number.startswith("REF-"):
        return either(queryset, rows(PaymentRefund, key, refund_number__startswith=number))
    amounts = ({target.amount: money.minor, "currency": money.currency} for money in amounts_of(term))
    conditions: tuple[dict[str, Any], ...] = (*order_conditions(term, number, path=target.to_order), *amounts)
    return either(
        queryset,
        rows(Payment, target.from_payment, provider_payment_id=term),
        rows(ProviderCall, key, object_id=term),
        rows(Capture, key, provider_capture_id=term),
        rows(Receipt, key, bank_reference=term),
        rows(PaymentRefund, key, bank_reference=term),
        *(rows(target.model, "pk", **condition) for condition in conditions),
    )


def order_conditions(term: str, number: str, *, path: str = "") -> Iterator[dict[str, str]]:
    """What the term can mean in an order: its number, phone, post code, buyer's name or product. `path` leads to the
    order."""
    yield {f"{path}order_number__startswith": number.replace("-", "")}
    yield {f"{path}shipping_address__postal_code__iexact": term}
    number_only, _extension = split_extension(term)
    digits = phone_digits(number_only)
    if len(digits) >= SHORTEST_PHONE and PHONE.fullmatch(number_only):
        yield {f"{path}phone__endswith": digits}
    if len(term) >= SHORTEST_TEXT and any(sign.isalpha() for sign in term):
        for address in ("shipping_address", "billing_address"):
            yield {f"{path}{address}__name__icontains": term}
        yield {f"{path}lines__product_name__icontains": term}


def number_of(text: str) -> str:
    """The term as numbers are stored: upper case, without spaces and a leading "#". Empty without a letter or digit."""
    number = "".join(text.split()).upper().removeprefix("#")
    return number if any(sign.isalnum() for sign in number) else ""


def amounts_of(term: str) -> list[Money]:
    """The term as an amount in the store's currency; empty if it is none."""
    try:
        return [Money.parse(term.lstrip("$€£ "), store_rules().currency)]
    except ValueError:
        return []


def rows(model: type[Model], key: str, **condition: object) -> QuerySet[Any, Any]:
    return model._default_manager.filter(**condition).order_by().values(key)


def either(queryset: QuerySet[M], first: QuerySet[Any, Any], *more: QuerySet[Any, Any]) -> QuerySet[M]:
    """A union of small queries: an OR over joins would scan the whole table."""
    return queryset.filter(pk__in=first.union(*more) if more else first)
