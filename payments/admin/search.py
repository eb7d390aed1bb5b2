"""One search box: what was typed says by its shape where to look. Exact or from the start, so that indexes serve."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from artisans.core.money import Money
from orders.models import Order
from orders.selectors import store_rules
from payments.models import Payment, PaymentRefund, Receipt

M = TypeVar("M", bound=Model)
HELP = "Order number, e-mail, payment or return number, bank reference, or an amount such as 99.99"


def orders_found(queryset: QuerySet[Order], text: str) -> QuerySet[Order]:
    term, number = text.strip(), number_of(text)
    if not number:
        return queryset.none() if term else queryset
    if "@" in term:
        return queryset.filter(email__startswith=term.lower())
    if number.startswith("PAY-"):
        return either(queryset, rows(Payment, "order", payment_number__startswith=number))
    if number.startswith("REF-"):
        return either(queryset, rows(PaymentRefund, "payment__order", refund_number__startswith=number))
    return either(
        queryset,
        rows(Order, "pk", order_number__startswith=number.replace("-", "")),
        rows(Receipt, "payment__order", bank_reference=term),
        rows(PaymentRefund, "payment__order", bank_reference=term),
        *(rows(Order, "pk", total_minor=m.minor, currency=m.currency) for m in amounts_of(term)),
    )


def payments_found(queryset: QuerySet[Payment], text: str) -> QuerySet[Payment]:
    term, number = text.strip(), number_of(text)
    if not number:
        return queryset.none() if term else queryset
    if "@" in term:
        return queryset.filter(order__email__startswith=term.lower())
    if number.startswith("PAY-"):
        return queryset.filter(payment_number__startswith=number)
    if number.startswith("REF-"):
        return either(queryset, rows(PaymentRefund, "payment", refund_number__startswith=number))
    return either(
        queryset,
        rows(Payment, "pk", order__order_number__startswith=number.replace("-", "")),
        rows(Payment, "pk", provider_payment_id=term),
        rows(Receipt, "payment", bank_reference=term),
        rows(PaymentRefund, "payment", bank_reference=term),
        *(rows(Payment, "pk", amount_minor=m.minor, currency=m.currency) for m in amounts_of(term)),
    )


def number_of(text: str) -> str:
    """As numbers are stored: capitals, no spaces. Nothing when no letter or digit was typed."""
    number = "".join(text.split()).upper()
    return number if any(sign.isalnum() for sign in number) else ""


def amounts_of(term: str) -> list[Money]:
    """The amount that was typed, in the store's currency; none when it is no amount."""
    try:
        return [Money.parse(term.lstrip("$€£ "), store_rules().currency)]
    except ValueError:
        return []


def rows(model: type[Model], key: str, **condition: object) -> QuerySet[Any, Any]:
    return model._default_manager.filter(**condition).order_by().values(key)


def either(queryset: QuerySet[M], first: QuerySet[Any, Any], *more: QuerySet[Any, Any]) -> QuerySet[M]:
    """A union of small look-ups: an OR over joins would read the whole table."""
    return queryset.filter(pk__in=first.union(*more) if more else first)
