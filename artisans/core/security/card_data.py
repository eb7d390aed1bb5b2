"""Finds card numbers and security codes in texts and request bodies, so that they are refused and never stored."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.errors import InvalidInput
from artisans.core.security.card_numbers import LENGTHS, card_number_spans, plain_text

# Field names of the founding body. Their values are only compared with the published test numbers.
CARD_FIELDS = frozenset({"card_number", "card_exp_month", "card_exp_year", "card_cvc"})
OTHER_NAMES = frozenset({"number", "cvc", "cvv", "pan", "card", "card_cvv", "card_code", "security_code"})
NUMBER_LIKE = re.compile(r"\d(?:[\s.\-]?\d){11,18}")

# Fields for numbers of other kinds, and for secrets that are stored only as hashes.
OTHER_NUMBERS = re.compile(
    r"tracking|bank_reference|account_iban|account_bic|csrfmiddlewaretoken|.*password.*"
)
PHONE_FIELDS = re.compile(r".*phone")

REFUSAL = gettext_lazy(
    "This looks like a card number. Remove it: card numbers are entered only in the payment form. It was not stored."
)


class RawCardData(InvalidInput):
    """The request may contain a card number or a security code; it was not stored or passed on.

    The message does not repeat what was sent.
    """

    code = "raw_card_data_not_accepted"
    remedy = (
        "Remove the card number. To save a card, create a token with the provider's script in the browser, and send "
        "that as `provider_method_id`."
    )

    def __init__(self) -> None:
        super().__init__(
            _(
                "This shop does not accept card numbers or security codes. Create a token with the payment provider's "
                "form in the browser and send that. What you sent was not stored."
            )
        )


def holds_card_data(value: Any) -> bool:
    """Whether a name or value in it looks like card data; for requests about payment methods, which hold no others."""
    if isinstance(value, Mapping):
        names = {str(name).lower() for name in value}
        return bool(names & (OTHER_NAMES | CARD_FIELDS)) or any(
            holds_card_data(part) for pair in value.items() for part in pair
        )
    if isinstance(value, list):
        return any(map(holds_card_data, value))
    text = plain_text("" if isinstance(value, bool) else str(value)).text
    return NUMBER_LIKE.search(text) is not None or has_card_number(text)


def refuse_card_numbers(value: Any) -> None:
    """Check all names and values of a JSON document. Errors: RawCardData."""
    if any(has_card_number(text, field=name) for name, text in texts_in(value)):
        raise RawCardData


def texts_in(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each scalar of a JSON document as (field name, text); names of fields are texts too."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield "", str(key)
            yield from texts_in(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner, name)
    elif value is not None and not isinstance(value, bool):
        yield name, str(value)


def card_number_fields(fields: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """Names of the fields of a form, or of query parameters, that hold a card number as name or value."""
    return [
        name
        for name, values in fields
        if has_card_number(name) or any(has_card_number(text, field=name) for text in values)
    ]


def has_card_number(text: str, *, field: str = "") -> bool:
    """Whether the text has the number of a card; fields for other numbers, by their name, have none."""
    if OTHER_NUMBERS.fullmatch(field):
        return False
    shortest = LENGTHS.start + 1 if PHONE_FIELDS.fullmatch(field) else LENGTHS.start
    return bool(card_number_spans(text, shortest=shortest))
