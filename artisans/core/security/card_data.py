"""What a client must not send: card numbers and security codes, wherever in a body they stand."""

import re
from collections.abc import Mapping
from typing import Any

# The founding body's names. What they hold goes no further than the comparison with the published test numbers.
CARD_FIELDS = frozenset({"card_number", "card_exp_month", "card_exp_year", "card_cvc"})
OTHER_NAMES = frozenset({"number", "cvc", "cvv", "pan", "card", "card_cvv", "card_code", "security_code"})
NUMBER_LIKE = re.compile(r"\d(?:[\s.\-]?\d){11,18}")


def holds_card_data(value: Any) -> bool:
    """Whether a name or a value in it could be a card's number, or is called like one."""
    if isinstance(value, Mapping):
        names = {str(name).lower() for name in value}
        return bool(names & (OTHER_NAMES | CARD_FIELDS)) or any(
            holds_card_data(part) for pair in value.items() for part in pair
        )
    if isinstance(value, list):
        return any(map(holds_card_data, value))
    return not isinstance(value, bool) and NUMBER_LIKE.search(str(value)) is not None
