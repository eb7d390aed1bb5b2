"""Random reference numbers for people: unambiguous characters, with a check character; check digits of IBANs."""

import re
import secrets

ALPHABET = (
    "23456789ABCDEFGHJKLMNPQRSTVWXYZ"  # 31 is prime, so that every wrong character and every swap is detected
)
LENGTH = 8


def new_number() -> str:
    """Eight random characters and a check character, such as "7KQ2M9XBG"."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return body + check_sign(body)


def check_sign(body: str) -> str:
    weighted = sum(place * ALPHABET.index(sign) for place, sign in enumerate(body, start=1))
    return ALPHABET[weighted % len(ALPHABET)]


def is_number(text: str) -> bool:
    return (
        len(text) == LENGTH + 1
        and all(sign in ALPHABET for sign in text)
        and check_sign(text[:-1]) == text[-1]
    )


def split_number(text: str) -> tuple[str, str]:
    """The number of an order and that of its parcel: "7KQ2M9XBG" and "2" of "7kq2m9xbg-2", which may be empty."""
    signs = compact(text)
    number, parcel = signs[: LENGTH + 1], signs[LENGTH + 1 :]
    return (number, parcel) if parcel.isdecimal() and is_number(number) else (signs, "")


def compact(text: str) -> str:
    return re.sub(r"[\s-]", "", text).upper()


def iban_is_right(iban: str) -> bool:
    """ISO 13616: move the first four characters to the end, read letters from A = 10; modulo 97 it must be 1."""
    digits = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])
    return int(digits) % 97 == 1
