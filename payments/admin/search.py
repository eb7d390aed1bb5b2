"""One search box: the form of the term decides which columns are searched, each by an index of its own.

Each search reads at most its newest 500 rows, so that a term that is in every order costs no more than another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.search import containing
from artisans.core.money import Money, exponent_of
from artisans.core.numbers import is_number, split_number
from orders.models import Order, OrderLine
from orders.phones import phone_digits, split_extension
from orders.selectors import orders_containing, store_rules
from payments.models import Capture, Payment, PaymentRefund, ProviderCall, Receipt
from payments.models.provider_call import CREATES_OBJECT
from payments.providers.registry import remote_providers

M = TypeVar("M", bound=Model)
Keys = QuerySet[Any, Any]  # the keys of the newest rows that a search finds
HELP = _(
    "Order number, name, email, phone, postal code, product, payment or refund number, bank reference, "
    "parcel number, a provider’s id, or an amount such as 99.99"
)
MOST = 500
PHONE = re.compile(r"[\d\s()+./-]+")
SHORTEST_PHONE = 6
SHORTEST_NUMBER = 6  # of a number among other words
ENGLISH_GROUPS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
OTHER_GROUPS = re.compile(r"\d{1,3}(\.\d{3})+,\d*|\d{1,3}(\.\d{3}){2,}", re.ASCII)
AROUND_NUMBERS = "#:,.;()[]"
AMOUNT = re.compile(
    r"(?:([a-z]{3})\s*)?[$€£]?\s*([\d.,]+)\s*[$€£]?(?:\s*([a-z]{3}))?", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is searched: its amount, and the lookups from a row of it to its order and its payments."""

    model: type[Model]
    amount: str
    order: str
    payment: str


ORDERS = Target(Order, "total_minor", order="pk", payment="payments")
PAYMENTS = Target(Payment, "amount_minor", order="order", payment="pk")


def orders_found(request: HttpRequest, queryset: QuerySet[Order], text: str) -> QuerySet[Order]:
    return find(request, queryset, text, ORDERS)


def payments_found(request: HttpRequest, queryset: QuerySet[Payment], text: str) -> QuerySet[Payment]:
    return find(request, queryset, text, PAYMENTS)


def find(request: HttpRequest, queryset: QuerySet[M], text: str, target: Target) -> QuerySet[M]:
    """The rows that any of the searches finds. A message says if there are more than the newest."""
    term = text.strip()
    if not number_of(term):
        return queryset.none() if term else queryset
    first, *more = (
        target.model._default_manager.filter(**{f"{path}__in": keys}).order_by().values_list("pk", flat=True)
        for path, keys in searches(term, target)
    )
    found = set(first.union(*more))
    if len(found) > MOST:
        message = gettext(
            "More than %(count)s results: only the newest were searched. Add a word, or search for a number."
        )
        messages.warning(request, message % {"count": f"{MOST:,}"})
    return queryset.filter(pk__in=found)


def payments_named(term: str) -> set[Any]:
    """Keys of the payments with this number, order number or id at a provider."""
    number = number_of(term)
    named = [
        newest(Payment.objects.filter(payment_number__in=[number, f"PAY-{number}"]), "pk"),
        newest(Payment.objects.filter(order__order_number=split_number(number)[0]), "pk"),
        *payment_searches(term),
    ]
    first, *more = (
        Payment.objects.filter(pk__in=keys).order_by().values_list("pk", flat=True) for keys in named
    )
    return set(first.union(*more))


def searches(term: str, target: Target) -> Iterator[tuple[str, Keys]]:
    """Each search with the lookup of the target that leads to its keys."""
    for number in numbers_in(term):
        if number.startswith("PAY-"):
            yield target.payment, newest(Payment.objects.filter(payment_number__startswith=number), "pk")
        elif number.startswith("REF-"):
            refunds = PaymentRefund.objects.filter(refund_number__startswith=number)
            yield target.payment, newest(refunds, "payment")
        else:
            orders = Order.objects.filter(order_number__startswith=split_number(number)[0])
            yield target.order, newest(orders, "pk")
    for money in amounts_of(term):
        amount = {target.amount: money.minor, "currency": money.currency}
        yield "pk", newest(target.model._default_manager.filter(**amount), "pk")
    for keys in order_searches(term):
        yield target.order, keys
    for keys in payment_searches(term):
        yield target.payment, keys


def order_searches(term: str) -> Iterator[Keys]:
    """By parts of email and names in any order, by postal code, by the end of the phone number, and by the items."""
    yield newest(orders_containing(term), "pk")
    yield newest(Order.objects.filter(shipping_address__postal_code__iexact=term), "pk")
    number, _extension = split_extension(term)  # stored without
    digits = phone_digits(number)
    if len(digits) >= SHORTEST_PHONE and PHONE.fullmatch(number):
        yield newest(Order.objects.filter(phone__endswith=digits), "pk")
    yield newest(containing(OrderLine.objects.all(), "product_name", term), "order")


def payment_searches(term: str) -> Iterator[Keys]:
    """By ids of providers and references of banks, exactly."""
    names = [facts.name for facts in remote_providers()]
    yield newest(Payment.objects.filter(payment_provider__in=names, provider_payment_id=term), "pk")
    calls = ProviderCall.objects.filter(provider__in=names, object_id=term, operation__in=CREATES_OBJECT)
    yield newest(calls.exclude(object_id=""), "payment")
    yield newest(Capture.objects.filter(provider__in=names, provider_capture_id=term), "payment")
    yield newest(Receipt.objects.filter(bank_reference=term), "payment")
    yield newest(PaymentRefund.objects.filter(bank_reference=term).exclude(bank_reference=""), "payment")


def newest(rows: QuerySet[Any], key: str) -> Keys:
    return rows.order_by("-created_at").values(key)[: MOST + 1]


def numbers_in(term: str) -> list[str]:
    """The term as a number, and the words in it that can be one, as in "Order Y88…"; also with PAY- and REF-."""
    words = [number_of(word.strip(AROUND_NUMBERS)) for word in term.split()]
    numbers = [number_of(term), *filter(may_be_number, words)]
    prefixed = [prefix + number for number in numbers if is_number(number) for prefix in ("PAY-", "REF-")]
    return list(dict.fromkeys(numbers + prefixed))


def may_be_number(word: str) -> bool:
    """Numbers of providers and banks have a digit; one in 15 of our own has none."""
    return is_number(word.rpartition("-")[2]) or (
        len(word) >= SHORTEST_NUMBER and any(sign.isdigit() for sign in word)
    )


def number_of(text: str) -> str:
    """The term as numbers are stored: upper case, without spaces and a leading "#". Empty without a letter or digit."""
    number = "".join(text.split()).upper().removeprefix("#")
    return number if any(sign.isalnum() for sign in number) else ""


def amounts_of(term: str) -> list[Money]:
    """The term as an amount, in the currency that it names or else in the store's; empty if it is none."""
    found = AMOUNT.fullmatch(term.strip())
    if found is None:
        return []
    currency = (found[1] or found[3] or store_rules().currency).upper()
    try:
        return [Money.parse(plain_amount(found[2], exponent_of(currency)), currency)]
    except ValueError:
        return []


def plain_amount(text: str, decimals: int) -> str:
    """The amount with a decimal point only: "1213.89" of "1,213.89", "1.213,89" and "1213.890"."""
    if ENGLISH_GROUPS.fullmatch(text):
        text = text.replace(",", "")
    elif OTHER_GROUPS.fullmatch(text):
        text = text.replace(".", "")
    whole, _point, fraction = text.replace(",", ".").partition(".")
    fraction = fraction[:decimals] + fraction[decimals:].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
