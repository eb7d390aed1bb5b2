"""Finds card numbers in texts, for what is refused (card_data) and for what logs mask (redaction). Pure functions."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from itertools import accumulate, pairwise
from urllib.parse import unquote

from artisans.core.numbers import compact, iban_is_right

LENGTHS = range(13, 20)
REGULAR_LENGTHS = {15, 16}  # numbers with groups of any size
PAIR = 2
GROUP_SIZE = 4
PART_LENGTH = 60  # 19 digits with separators between them are shorter
AMEX_GROUPS = ([4, 6, 5], [4, 6, 4], [4, 3, 3, 3])
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

DOUBLED = str.maketrans("0123456789", "0246813579")  # twice the digit, as the sum of its digits

# Between the groups of a number: a few characters of any kind except letters and digits.
SEPARATOR = r"(?:[^0-9A-Za-z+]{1,5}|(?<=[0-9])\+(?=[0-9]))"
RUN = re.compile(rf"[0-9]+(?:{SEPARATOR}[0-9]+)*")
GROUP = re.compile(r"[0-9]+")
EDGES = re.compile(r"\A[^0-9A-Za-z]+|[^0-9A-Za-z]+\Z")
PLAIN_SEPARATORS = re.compile(r"[0-9\s-]+")
PARCEL = re.compile(r"00[1-9]|420|9[1-6]")  # how numbers of parcels with 18 and more digits begin
PHONE_DIGIT = r"[\s()./-]{0,2}[0-9]"
OTHER_KINDS = re.compile(
    r"(?i:\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"  # UUIDs
    r"|\b(?:[A-Z]{2}[0-9]{9,11}|SE[0-9]{10}01)\b"  # VAT ids: no card number is written in groups of these sizes
    r"|(?i:\b(?=[0-9]*[a-f])[0-9a-f]{24,}\b)"  # hexadecimal tokens and hashes
    # international phone numbers, whole: a longer one may begin with the digits of a card; 15 digits that begin with
    # 34 or 37 are American Express, as no country with such a code has phone numbers of that length
    rf"|(?:\+|(?<![0-9][^0-9A-Za-z])\b00)(?!3[47](?:{PHONE_DIGIT}){{13}})[1-9](?:{PHONE_DIGIT}){{6,14}}+(?!{PHONE_DIGIT})",
    re.ASCII,
)
IBAN_COUNTRIES = {  # by length, ISO 13616
    15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "AO CV GW LY MZ PT ST", 26: "DZ IR IS TR", 27: "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD",
    28: "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG", 29: "BR EG PS QA UA", 30: "JO KW MU YE",
    31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
IBAN = re.compile(
    r"\b(?:"
    + "|".join(
        rf"(?:{countries.replace(' ', '|')})[0-9]{{2}}(?:[ -]?[A-Z0-9]){{{length - 4}}}"
        for length, countries in IBAN_COUNTRIES.items()
    )
    + r")(?![A-Z0-9])",
    re.ASCII | re.IGNORECASE,
)
TOKEN = re.compile(
    r"(?P<url>(?:%(?:25)*[0-9A-Fa-f]{2})+)"
    r"|(?P<html>&(?:amp;)*(?:nbsp;?|#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};|[A-Za-z]{2,8};))"
    r"|\\(?:[fnrtv]|[xu](?P<escaped>(?<=x)[0-9A-Fa-f]{2}|(?<=u)[0-9A-Fa-f]{4}))"
    r"|(?P<tag></?[A-Za-z][^<>0-9]{0,80}>)"
    r"|(?P<space>\s+)"
    r"|(?P<plain>[!-$'-;=-\[\]-~]+)"  # ASCII that no other kind begins with
    r"|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PlainText:
    """A text in plain characters, with the start and end in the original text of each of them."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


@dataclass(slots=True)
class PlainWriter:
    parts: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, text: str, start: int, end: int) -> None:
        """Add characters that all come from the same place."""
        self.parts.append(text)
        self.starts += [start] * len(text)
        self.ends += [end] * len(text)

    def copy(self, text: str, start: int) -> None:
        self.parts.append(text)
        self.starts += range(start, start + len(text))
        self.ends += range(start + 1, start + len(text) + 1)


def is_luhn(digits: str) -> bool:
    total = sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(DOUBLED)))
    return total % 10 == 0


def card_number_spans(text: str, *, shortest: int = LENGTHS.start) -> list[tuple[int, int]]:
    """Where the text has numbers of cards: a known brand's prefix and length, and a valid check digit.

    Digits of any script count, with any separators between them, also encoded as in URLs, HTML and JSON. IBANs,
    international phone numbers, UUIDs, hashes and numbers of parcels do not count.
    """
    if text.isascii() and sum(map(str.isdigit, text)) < shortest:
        return []
    plain = plain_text(text)
    found = [
        (plain.starts[run.start() + start], plain.ends[run.start() + end - 1])
        for run in RUN.finditer(without_other_kinds(plain.text))
        for start, end, digits in numbers_in(run.group())
        if digits >= shortest
    ]
    return merge(found)


def number_part(text: str) -> str:
    """What a text can contribute to a number over several texts: plain characters, and of a long text both ends."""
    plain = without_other_kinds(plain_text(text).text)
    if len(plain) > 2 * PART_LENGTH:
        plain = f"{plain[:PART_LENGTH]}x{plain[-PART_LENGTH:]}"
    return EDGES.sub("", plain)


def is_split_number(parts: Sequence[str]) -> bool:
    """Whether parts (from number_part) hold one card number together: the end of the first, all between, the start
    of the last.

    Each holds at least four of its digits. Put together with a space, or without one if none has a letter, they are
    written in groups as people write card numbers.
    """
    meets = parts[0][-1:].isdigit() and parts[-1][:1].isdigit()
    if not meets or has_letters(parts[1:-1]):
        return False
    parts = [parts[0][-PART_LENGTH:], *parts[1:-1], parts[-1][:PART_LENGTH]]
    return is_written_across(parts, " ") or (not has_letters(parts) and is_written_across(parts, ""))


def is_continued_number(number: str, rest: str) -> bool:
    """Whether 15 digits alone (from number_part) and the one digit that begins the next text are one card number."""
    digits, last = "".join(GROUP.findall(number)), GROUP.match(rest)
    is_one_short = len(digits) == max(REGULAR_LENGTHS) - 1 and PLAIN_SEPARATORS.fullmatch(number) is not None
    return (
        is_one_short and last is not None and len(last.group()) == 1 and is_card_number(digits + last.group())
    )


def has_letters(parts: Iterable[str]) -> bool:
    return any(map(str.isalpha, "".join(parts)))


def is_written_across(parts: Sequence[str], separator: str) -> bool:
    text = separator.join(parts)
    borders = list(pairwise(accumulate((len(part) + len(separator) for part in parts), initial=0)))
    for run in RUN.finditer(text):
        for first, after, digits in numbers_in(run.group()):
            number = text[run.start() + first : run.start() + after]
            sizes = [len(group) for group in GROUP.findall(number)]
            placed = " " * (run.start() + first) + number
            shares = [sum(map(str.isdigit, placed[start:end])) for start, end in borders]
            is_usual = len(sizes) > 1 or digits in REGULAR_LENGTHS
            if min(shares) >= GROUP_SIZE and has_card_groups(sizes) and is_usual:
                return True
    return False


def without_other_kinds(text: str) -> str:
    """A plain text with an x for each character of numbers that are no card numbers."""
    masked = IBAN.sub(
        lambda found: mask(found) if iban_is_right(compact(found.group())) else found.group(), text
    )
    return OTHER_KINDS.sub(mask, masked)


def mask(found: re.Match[str]) -> str:
    return "x" * len(found.group())


def plain_text(text: str) -> PlainText:
    """NFKC with ASCII digits and single spaces, decoded, without invisible characters and tags. Linear in time."""
    writer = PlainWriter()
    for token in TOKEN.finditer(text):
        sign = token.group()
        if token.lastgroup == "plain":
            writer.copy(sign, token.start())
        elif token.lastgroup == "space":
            writer.add(" ", *token.span())
        else:
            decoded = plain_characters(decode(token))
            if re.search("[A-Za-z]", decoded) and len(sign) > 1:
                writer.copy(sign, token.start())  # it may be no code at all: 42%42
            else:
                writer.add(decoded, *token.span())
    return PlainText("".join(writer.parts), writer.starts, writer.ends)


def decode(token: re.Match[str]) -> str:
    sign = token.group()
    match token.lastgroup:
        case "url":
            return unquote(re.sub("%(?:25)+", "%", sign))
        case "html":
            return unescape("&" + sign[1:].replace("amp;", ""))
        case "escaped":
            return chr(int(token["escaped"], 16))
        case "other":
            return sign
    return " "  # a tag, or a line break or tab as an escape sequence


def plain_characters(text: str) -> str:
    signs = (sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return "".join(str(unicodedata.digit(sign, sign)) for sign in signs)


def numbers_in(run: str) -> Iterator[tuple[int, int, int]]:
    """Card numbers that consist of whole groups of a run of digits: start, end, number of digits."""
    found = list(GROUP.finditer(run))
    groups = [group.group() for group in found]
    digits, ends = "".join(groups), list(accumulate(map(len, groups)))
    last_group = {end: index for index, end in enumerate(ends)}
    is_plain = PLAIN_SEPARATORS.fullmatch(run) is not None
    is_parcel = PARCEL.match(run) is not None and len(set(GROUP.split(run)) - {""}) == 1
    for first, group in enumerate(groups):
        if first and is_parcel and len(group) == len(groups[first - 1]):
            continue  # in the middle of a longer number
        zeros = len(group) - len(group.removeprefix("0").removeprefix("0"))
        start = ends[first] - len(group) + zeros
        for length in REGULAR_LENGTHS if zeros else LENGTHS:
            last = last_group.get(start + length)
            if last is None or not is_card_number(digits[start : start + length]):
                continue
            sizes = [len(group) - zeros, *map(len, groups[first + 1 : last + 1])]
            if has_card_groups(sizes) or (is_plain and length in REGULAR_LENGTHS):
                yield found[first].start(), found[last].end(), length


def is_card_number(digits: str) -> bool:
    return BRANDS.fullmatch(digits) is not None and is_luhn(digits)


def has_card_groups(sizes: list[int]) -> bool:
    """Whether people write card numbers in groups of these sizes: one, fours, or all of one size.

    Two groups of other sizes are two numbers, such as a tax number and a postal code.
    """
    if len(sizes) <= PAIR:
        return len(sizes) == 1 or all(size % GROUP_SIZE == 0 for size in sizes)
    first, *others = sizes
    same = all(size == first for size in others[:-1]) and others[-1] <= first
    fours = all(size % GROUP_SIZE == 0 for size in sizes[:-1])
    return same or fours or sizes in AMEX_GROUPS


def merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, with overlapping ones as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
