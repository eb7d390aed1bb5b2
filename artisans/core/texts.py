"""What counts as readable text on one line."""

import re
import unicodedata

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # control characters and line separators
BLANK_LETTERS = (
    "\u115f\u1160\u2800\u3164\uffa0"  # Unicode counts these as letters or symbols, but they render as blank
)


def is_visible(text: str) -> bool:
    """Whether the text has a letter, digit or symbol, not only spaces, combining marks and joiners."""
    return any(unicodedata.category(sign)[0] in "LNPS" and sign not in BLANK_LETTERS for sign in text)
