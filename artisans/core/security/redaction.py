"""Masks what must never be logged: provider keys, tokens, order links, card numbers."""

import re

from artisans.core.security.card_numbers import card_number_spans

SECRETS = re.compile(
    r"(?:sk|rk|pk)_(?:test|live)_\w+|whsec_\w+|(?<!\w)\w+_secret_\w+|aa_[0-9a-f]{16,}|(?i:bearer)\s+\S+"
    r"|(?<!\w)[0-9a-f]{32}-\d[^/\s]*"  # the token of an order link
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user and password of a URL
)
# PostgreSQL quotes the row, which can hold personal data, below the message; up to the next error of a traceback.
QUOTED_ROW = re.compile(
    r"\n(?:DETAIL|CONTEXT|LINE \d+): .*?(?=\n\n(?:The above|During handling)|\Z)", re.DOTALL
)
EMAIL_ADDRESS = re.compile(r"[\w.+%-]{1,64}@[\w-]+\.[\w.-]+")

PART_OF_SECRET = re.compile(r"[_\s]")  # every short one has it
SHORTEST_CARD = 13  # digits


def scrub(text: str) -> str:
    """Mask provider keys, tokens, order links and card numbers."""
    if len(text) < SHORTEST_CARD and not PART_OF_SECRET.search(text):
        return text
    text, parts, end = SECRETS.sub("[secret]", text), [], 0
    for start, after in card_number_spans(text):
        parts += [text[end:start], "[card]"]
        end = after
    return "".join([*parts, text[end:]])


def scrub_error(text: str) -> str:
    """Also mask email addresses and rows of the database, as in the message of an error or in its traceback."""
    if "@" in text:
        text = EMAIL_ADDRESS.sub("[address]", text)
    return scrub(QUOTED_ROW.sub("", text) if "\n" in text else text)
