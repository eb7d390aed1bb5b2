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
    "sold_as_variants": _(
        "This product is now sold as its variants. Count these units as one of them. Nothing was changed."
    ),
    "unknown_product": _("“%(given)s” is not the id of one of your products."),
    "counted_twice": _("Line %(line)s counts the same product."),
    "not_a_number": _("“%(given)s” in the column “counted” is not a whole number from 0 to 1,000,000."),
    "not_seen": _("The columns “seen_stock” and “last_count” must be as the export wrote them."),
    "no_access": _("The person who applied this import no longer belongs to the workshop."),
}


@dataclass(frozen=True, slots=True)
class CountProblem:
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return str(TEXTS[self.code] % self.facts) if self.code else ""
