"""Everything that the shop stores about a person, as JSON (docs/privacy.md describes its shape)."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from artisans.core.personal_data import HOLDINGS, Person
from artisans.privacy.selectors import rows_of

FORMAT = "artisans-alley-personal-data/1"
MAX_ROWS = 20_000  # of an export that is made while a browser waits


class TooMuchData(Exception):
    """The export is too large to be made while a browser waits; the command makes it."""


def person_export(person: Person, *, max_rows: int | None = None) -> dict[str, Any]:
    """Rows by section; times in UTC, amounts in minor units. Errors: TooMuchData."""
    sections: dict[str, list[dict[str, Any]]] = {}
    left = max_rows
    for holding in HOLDINGS:
        if not holding.export:
            continue
        rows = rows_of(holding, person).values(*holding.export)
        found = list(rows if left is None else rows[: left + 1])
        if left is not None:
            left -= len(found)
            if left < 0:
                raise TooMuchData
        sections.setdefault(holding.section, []).extend(found)
    return {
        "format": FORMAT,
        "exported_at": timezone.now(),
        "email_addresses": list(person.addresses),
        "data": sections,
    }


def export_text(export: dict[str, Any]) -> str:
    return json.dumps(export, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2) + "\n"
