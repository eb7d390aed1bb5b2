"""Masks what must never be logged: provider keys, tokens, order links, card numbers."""

import re

from artisans.core.security.card_numbers import card_number_spans

SECRETS = re.compile(
    r"(?:sk|rk|pk)_(?:test|live)_\w+|whsec_\w+|(?<!\w)\w+_secret_\w+|aa_[0-9a-f]{16,}|(?i:bearer)\s+\S+"
    r"|(?<!\w)[0-9a-f]{32}-\d[^/\s]*"  # the token of an order link
)

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
