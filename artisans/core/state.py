"""State machines as tables of allowed transitions; everything else is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from artisans.core.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)
Transitions = Mapping[S, frozenset[S]]


def check_transition(table: Mapping[S, frozenset[S]], old: S, new: S) -> None:
    """Errors: IllegalTransition if the table does not allow the change."""
    if new not in table[old]:
        raise IllegalTransition(old=str(old), new=str(new))
