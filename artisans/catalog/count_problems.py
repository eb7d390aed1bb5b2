"""Why a count was not applied: a code and its facts, which are stored and shown as a sentence later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS = {
    "counted_since": _(
        "The stock has been counted since it was shown to you: it is now %(left)s. Nothing was changed."
    ),
    "sold_since": _(
        "%(stock)s were shown to you, but %(sold)s have been sold since: the remaining %(left)s cannot be reduced by "
        "%(difference)s. Nothing was changed."
    ),
}


@dataclass(frozen=True, slots=True)
class CountProblem:
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return str(TEXTS[self.code] % self.facts)
