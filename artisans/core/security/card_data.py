"""Finds card numbers and security codes in texts and request bodies, so that they are refused and never stored."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.errors import InvalidInput
from artisans.core.numbers import compact, iban_is_right
from artisans.core.security.redaction import is_luhn

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

SEPARATOR = r"(?:[^0-9A-Za-z+]{1,5}|(?<=[0-9])\+(?=[0-9]))"
RUN = re.compile(rf"[0-9]+(?:{SEPARATOR}[0-9]+)*")
GROUP = re.compile(r"[0-9]+")
PLAIN_SEPARATORS = re.compile(r"[0-9\s-]+")
OTHER_KINDS = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # UUIDs
    r"|\b(?=[0-9]*[a-f])[0-9a-f]{24,}\b"  # hexadecimal tokens and hashes
    # international phone numbers, whole: a longer one may begin with the digits of a card
    r"|(?:\+|(?<![0-9][^0-9A-Za-z])\b00)[1-9](?:[\s()./-]{0,2}[0-9]){6,14}+(?![\s()./-]{0,2}[0-9])"
    r"|\b(?!CC|MC|NO|NR)[A-Z]{2}[0-9]{9,20}(?:[A-Z]{2})?\b",  # parcels: UPU S10, DHL
    re.ASCII,
)
IBAN_LIKE = re.compile(r"\b[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}\b", re.ASCII)
BRANDS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11,16}"  # Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12,15}"  # Discover
    r"|(?:62|81)[0-9]{14,17}"  # UnionPay
    r"|(?:60|65|81|82|508)[0-9]{13,14}"  # RuPay
    r"|(?:5[0678]|6[0-9])[0-9]{11,17}"  # Maestro
    r"|9792[0-9]{12}",  # Troy
    re.ASCII,
)
LENGTHS = range(13, 20)
REGULAR_LENGTHS = {15, 16}  # numbers with groups of any size
AMEX_GROUPS = ([4, 6, 5], [4, 6, 4], [4, 3, 3, 3])


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
    return not isinstance(value, bool) and NUMBER_LIKE.search(str(value)) is not None


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
    """Whether the text has the number of a card: a known brand's prefix and length, and a valid check digit.

    Digits of any script count, with any separators between them. IBANs, international phone numbers, UUIDs, hashes
    and numbers of parcels do not count; neither do fields for other numbers, by their name.
    """
    if OTHER_NUMBERS.fullmatch(field):
        return False
    text = plain_digits(text)
    if sum(map(str.isdigit, text)) < LENGTHS.start:
        return False
    text = IBAN_LIKE.sub(lambda found: "x" if iban_is_right(compact(found.group())) else found.group(), text)
    runs = RUN.finditer(OTHER_KINDS.sub("x", text))
    shortest = LENGTHS.start + 1 if PHONE_FIELDS.fullmatch(field) else LENGTHS.start
    return any(len(number) >= shortest for run in runs for number in numbers_in(run.group()))


def plain_digits(text: str) -> str:
    """NFKC with ASCII digits and single spaces, without invisible characters."""
    signs = (sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return " ".join("".join(str(unicodedata.digit(sign, sign)) for sign in signs).split())


def numbers_in(run: str) -> Iterator[str]:
    """Card numbers that consist of whole groups of a run of digits."""
    groups = GROUP.findall(run)
    is_plain = PLAIN_SEPARATORS.fullmatch(run) is not None
    is_one_number = (
        len(set(GROUP.split(run)) - {""}) == 1
    )  # a longer one, such as a parcel's, if its groups are alike
    for start in range(len(groups)):
        if start and is_one_number and len(groups[start]) == len(groups[start - 1]):
            continue
        for count, number in enumerate(accumulate(groups[start : start + LENGTHS.stop]), start=1):
            if len(number) >= LENGTHS.stop:
                break
            if len(number) not in LENGTHS or not BRANDS.fullmatch(number) or not is_luhn(number):
                continue
            sizes = list(map(len, groups[start : start + count]))
            if has_card_groups(sizes) or (is_plain and len(number) in REGULAR_LENGTHS):
                yield number


def has_card_groups(sizes: list[int]) -> bool:
    """Whether people write card numbers in groups of these sizes: one, fours, or all of one size."""
    first, *others = sizes
    same = all(size == first for size in others[:-1]) and (not others or others[-1] <= first)
    fours = all(size % 4 == 0 for size in sizes[:-1])
    return same or fours or sizes in AMEX_GROUPS
