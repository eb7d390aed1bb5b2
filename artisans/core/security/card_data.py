"""Finds card numbers and security codes in texts and request bodies, so that they are refused and never stored."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise, product
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.errors import InvalidInput
from artisans.core.security.card_numbers import (
    LENGTHS,
    card_number_spans,
    is_continued_number,
    is_split_number,
    number_part,
    plain_text,
)

# Field names of the founding body. Their values are only compared with the published test numbers.
CARD_FIELDS = frozenset({"card_number", "card_exp_month", "card_exp_year", "card_cvc"})
OTHER_NAMES = frozenset({"number", "cvc", "cvv", "pan", "card", "card_cvv", "card_code", "security_code"})
# Three digits after "security code": buildings have codes of four digits and more.
SECURITY_CODE = re.compile(
    r"(?<![a-z])(?:(?:cv[cv]2?(?: code)?|card (?:security|verification) code)(?: is)?[^0-9a-z]{0,5}[0-9]{3,4}"
    r"|security code(?: is)?[^0-9a-z]{0,5}[0-9]{3})(?![0-9])",
    re.IGNORECASE,
)
SECURITY_CODE_NAME = re.compile(r"cvc|cvv|code", re.IGNORECASE)
NUMBER_LIKE = re.compile(r"\d(?:[\s.\-]?\d){11,18}")

# Fields for numbers of other kinds, for secrets that are stored only as hashes, for what pages wrote themselves, and
# for chosen rows with numbers as keys.
OTHER_NUMBERS = re.compile(
    r"tracking|bank_reference|account_iban|account_bic|csrfmiddlewaretoken|_seen|order_seen|.*password.*"
    r"|permissions|user_permissions|groups|_selected_action"
)
PHONE_FIELDS = re.compile(r".*phone")

# A number over several fields is looked for in fields that follow one another as they were sent, in one form or one
# object of JSON, because a label prints them so. Empty fields and the country, which is chosen, are skipped. A postal
# code or a phone number takes part only in groups of four, and beside a text with eight digits: a postal code or an
# apartment of four digits and a phone number would look like a card in one of ten cases otherwise. A note takes part if
# it is a number alone, or if it begins with the digit that a phone number of 15 digits lacks. Amounts take no part:
# four prices of 42.00 in a row would be a card number.
SKIPPED_FIELDS = re.compile(r".*country")
NUMBER_FIELDS = re.compile(r".*(phone|postal_code)")
AMOUNT_FIELDS = re.compile(r".*(amount|price|quote).*|.*-[A-Z]{3}|(line|parcel)_[0-9a-f]+")
AMOUNT = re.compile(r"[0-9]{1,12}[.,][0-9]{1,3}")
NOTE_FIELDS = re.compile(r"(?:delivery_)?note")
FOURS = re.compile(r"\d{4}(?:[\s.\-]?\d{4})*")
MOST_PARTS = 5
MUCH = 8  # digits

REFUSAL = gettext_lazy(
    "This looks like a card number or security code. Remove it: card details are entered only in the payment form. "
    "It was not stored."
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
    if any(map(split_number_fields, objects_in(value))):
        return True
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
    if holds_card_number(value):
        raise RawCardData


def holds_card_number(value: Any, name: str = "") -> bool:
    """Whether a name or value of a JSON document has a card number, or adjacent values of one of its objects."""
    return any(has_card_number(text, field=name) for name, text in texts_in(value, name)) or any(
        map(split_number_fields, objects_in(value))
    )


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


def objects_in(value: Any) -> Iterator[list[tuple[str, str]]]:
    """The fields of each object of a JSON document as (name, text), in their order; a list of texts is one field."""
    if isinstance(value, Mapping):
        yield [
            (str(name), text)
            for name, inner in value.items()
            for text in (inner if isinstance(inner, list | tuple) else [inner])
            if isinstance(text, str)
        ]
        value = list(value.values())
    elif isinstance(value, list | tuple):
        yield [("", text) for text in value if isinstance(text, str)]
    if isinstance(value, list | tuple):
        for inner in value:
            yield from objects_in(inner)


def card_number_fields(fields: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """Names of the fields of a form or a query that hold a card number, or part of one, as name or value."""
    sent = [(name, list(values)) for name, values in fields]
    parts = split_number_fields((name, text) for name, values in sent for text in values)
    return [
        name
        for name, values in sent
        if name in parts or has_card_number(name) or any(has_card_number(text, field=name) for text in values)
    ]


def split_number_fields(fields: Iterable[tuple[str, str]]) -> set[str]:
    """Names of adjacent fields that hold one card number together."""
    written = [(name, text) for name, text in fields if is_written(name, text)]
    found: set[str] = set()
    for has_digits, group in groupby(written, key=lambda field: any(map(str.isdigit, field[1]))):
        adjacent = list(group)
        if has_digits and len(adjacent) > 1:
            found |= split_number_names([(name, number_part(text)) for name, text in adjacent])
    return found


def is_written(name: str, text: str) -> bool:
    return any(map(str.isalnum, text)) and SKIPPED_FIELDS.fullmatch(name) is None


def split_number_names(fields: Sequence[tuple[str, str]]) -> set[str]:
    found = {
        name
        for (first, phone), (second, note) in pairwise(fields)
        if PHONE_FIELDS.fullmatch(first)
        and NOTE_FIELDS.fullmatch(second)
        and is_continued_number(phone, note)
        for name in (first, second)
    }
    for start, size in product(range(len(fields) - 1), range(2, MOST_PARTS + 1)):
        names, parts = zip(*fields[start : start + size], strict=True)
        if all(map(takes_part, names, parts)) and has_text(names, parts) and is_split_number(parts):
            found |= set(names)
    return found


def has_text(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether these are texts, or one of them is and has much of a number, or is a note with nothing else."""
    texts = [
        (name, part) for name, part in zip(names, parts, strict=True) if not NUMBER_FIELDS.fullmatch(name)
    ]
    return len(texts) == len(parts) or any(
        sum(map(str.isdigit, text)) >= MUCH or (NOTE_FIELDS.fullmatch(name) and FOURS.fullmatch(text))
        for name, text in texts
    )


def takes_part(name: str, part: str) -> bool:
    if NUMBER_FIELDS.fullmatch(name):
        return FOURS.fullmatch(part) is not None
    return not (OTHER_NUMBERS.fullmatch(name) or AMOUNT_FIELDS.fullmatch(name) or AMOUNT.fullmatch(part))


def has_card_number(text: str, *, field: str = "") -> bool:
    """Whether the text has the number of a card, or a security code after its name; fields for other numbers, by
    their name, have none."""
    if OTHER_NUMBERS.fullmatch(field):
        return False
    shortest = LENGTHS.start + 1 if PHONE_FIELDS.fullmatch(field) else LENGTHS.start
    return bool(card_number_spans(text, shortest=shortest)) or has_security_code(text)


def has_security_code(text: str) -> bool:
    is_named = SECURITY_CODE_NAME.search(text) is not None
    return is_named and SECURITY_CODE.search(plain_text(text).text) is not None
