"""Detects card numbers and security codes anywhere in a request body."""

import re
from collections.abc import Mapping
from typing import Any

# Field names of the founding body. Their values are only compared with the published test numbers.
CARD_FIELDS = frozenset({"card_number", "card_exp_month", "card_exp_year", "card_cvc"})
OTHER_NAMES = frozenset({"number", "cvc", "cvv", "pan", "card", "card_cvv", "card_code", "security_code"})
NUMBER_LIKE = re.compile(r"\d(?:[\s.\-]?\d){11,18}")


def holds_card_data(value: Any) -> bool:
    """Whether a name or value in it looks like card data."""
    if isinstance(value, Mapping):
        names = {str(name).lower() for name in value}
        return bool(names & (OTHER_NAMES | CARD_FIELDS)) or any(
            holds_card_data(part) for pair in value.items() for part in pair
        )
    if isinstance(value, list):
        return any(map(holds_card_data, value))
    return not isinstance(value, bool) and NUMBER_LIKE.search(str(value)) is not None
