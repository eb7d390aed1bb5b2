"""What counts as readable text on one line, and its plain characters."""

import re
import unicodedata

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # control characters and line separators
BLANK_LETTERS = (
    "\u115f\u1160\u2800\u3164\uffa0"  # Unicode counts these as letters or symbols, but they render as blank
)

DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2e3a\u2e3b\u30fc\ufe58\ufe63\uff0d")

# Nothing that is seen: zero-width spaces, changes of direction that reorder the rest of a line, tags, noncharacters.
# Joiners and the marks of right-to-left scripts stay.
INVISIBLE = re.compile(
    "[\u00ad\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufdd0-\ufdef\ufeff\ufffe\uffff\U000e0000-\U000e007f]"
)


def readable(text: str) -> str:
    """The text as it is stored: NFC, without invisible characters."""
    return INVISIBLE.sub("", unicodedata.normalize("NFC", text))


def shortened(text: str, length: int) -> str:
    """At most so many code points, as columns count them; Django's Truncator does not count combining marks."""
    return text if len(text) <= length else text[: length - 1] + "…"


def is_visible(text: str) -> bool:
    """Whether the text has a letter, digit or symbol, not only spaces, combining marks and joiners."""
    return any(unicodedata.category(sign)[0] in "LNPS" and sign not in BLANK_LETTERS for sign in text)


def search_text(text: str) -> str:
    """What was typed into a search box, without control and invisible characters; empty if nothing is visible."""
    found = readable(UNPRINTABLE.sub(" ", text)).strip()
    return found if is_visible(found) else ""


def plain_characters(text: str) -> str:
    """NFKC with ASCII digits and hyphens, one space between words, without invisible characters."""
    visible = (sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    signs = ("-" if sign in DASHES else str(unicodedata.digit(sign, sign)) for sign in visible)
    return " ".join("".join(signs).split())
