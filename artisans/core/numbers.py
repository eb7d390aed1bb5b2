"""Numbers that people read out and type: random, unambiguous, with a check character."""

import secrets

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"  # 31 signs, a prime: every wrong sign and every swap shows
LENGTH = 8


def new_number() -> str:
    """Eight random signs and a check sign, such as "7KQ2M9XBG"."""
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
